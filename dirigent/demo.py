"""`dirigent demo`: the whole path on the example shop, from the raw baskets to answers over HTTP; ends by itself."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from arbitration.errors import StateError
from dirigent.metrics import print_bundle_metrics
from dirigent.show import decisions
from dirigent.terminal import console, stage
from features.home import Home
from features.tables.example_clock import AS_OF

if TYPE_CHECKING:
    from dirigent.cast import Role
    from dirigent.client import Client

Answer = dict[str, Any]
Row = tuple[str, str, Answer]


def run_demo() -> None:
    """Import Complete Journey, train, serve, decide: the main job end to end. A second run does nothing twice."""
    from dirigent.cast import find_cast
    from dirigent.client import Client
    from dirigent.prepare import prepare
    from dirigent.server_process import free_port, running
    from serving.auth import create_key

    started = time.monotonic()
    home = Home.from_environment()
    home.root.mkdir(parents=True, exist_ok=True)
    console.print(
        f"Everything is kept in [bold]{home.root}[/]. Households and baskets are real (Complete Journey, 2017);"
    )
    console.print("points, app, consents and digital contacts are [yellow]SIMULATED[/].\n")
    prepare(home)
    key = create_key(home, "demo", "admin")
    port = free_port(8090)
    with running(home, AS_OF, port) as url, Client(url, key) as client:
        console.print(f"[green]✓[/] Service ready at {url}, its clock starts at {AS_OF:%Y-%m-%d %H:%M} UTC")
        console.print(f"  API key of role admin, shown this once: [bold]{key}[/]", soft_wrap=True)
        with stage("Ask over HTTP") as progress:
            rows = _ask(client, find_cast(home, client, progress))
        console.print(decisions(rows))
        _follow_up(client, rows)
    print_bundle_metrics(home)
    _where_next(rows)
    console.print(f"\nDone in {time.monotonic() - started:.0f} s.")


def _ask(client: Client, cast: list[Role]) -> list[Row]:
    """Live decisions for the cast, then once more for the first household that got a contact: it is at its cap now."""
    run = uuid.uuid4().hex[:8]
    rows = [(role.customer, role.story, client.decide(f"demo-{run}-{role.customer}", role.customer)) for role in cast]
    contacted = next((row[0] for row in rows if row[2]["outcome"] == "act"), None)
    if contacted is None or len(rows) < 7:
        raise StateError(
            "the sample gave too few stories", mend="Delete the home folder and run `dirigent demo` again."
        )
    rows.append((contacted, "asked again: at its cap", client.decide(f"demo-{run}-{contacted}-again", contacted)))
    rows.append(("nobody-knows-me", "unknown: cold start", client.decide(f"demo-{run}-unknown", "nobody-knows-me")))
    return rows


def _follow_up(client: Client, rows: list[Row]) -> None:
    """Report an outcome, and repeat a request: the same bytes come back."""
    customer, _story, answer = next(row for row in rows if row[2]["outcome"] == "act")
    outcome = {"id": f"click-{answer['decision_id']}", "source": "demo", "decision_id": answer["decision_id"], "step": 0,
               "type": "clicked", "occurred_at": answer["decided_at"]}  # fmt: skip
    told = json.loads(client.post("/v1/outcomes", outcome))
    console.print(
        f"[green]✓[/] Outcome 'clicked' for household {customer} recorded (matched to its decision: {told['matched']})"
    )
    body = {"request_id": f"repeat-{uuid.uuid4().hex[:8]}", "customer": {"id": customer}}
    same = client.post("/v1/decisions", body) == client.post("/v1/decisions", body)
    if not same:
        raise StateError("the same request_id gave other bytes", where=str(body["request_id"]))
    console.print("[green]✓[/] The same request_id again: the same answer, byte for byte")


def _where_next(rows: list[Row]) -> None:
    shown = next(row for row in rows if row[2]["outcome"] == "act")[2]["decision_id"]
    console.print("\n[bold]Where to look next[/]")
    console.print("  make serve                                   the service, until Ctrl-C")
    console.print(
        f"  http://127.0.0.1:8090/ui/decisions/{shown}   the first decision for a marketer (sign in with the key above)",
        soft_wrap=True,
    )
    console.print("  export DIRIGENT_API_KEY=<the key above>; .venv/bin/dirigent decide 1")
    console.print("  catalog/example/journeys.yaml                change a journey, then `dirigent catalog check`")
    console.print("  notebooks/01_retrain.py                      retrain, compare, promote")
