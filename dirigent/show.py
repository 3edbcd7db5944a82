"""Answers for people: one line per decision, or one decision on a card."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.panel import Panel
from rich.table import Table

from dirigent.terminal import console

PARTS = {
    "margin": "margin",
    "future": "stays",
    "progress": "tier",
    "channel_cost": "channel",
    "incentive_cost": "incentive",
    "subsidy_cost": "subsidy",
    "points_cost": "points",
    "opt_out_cost": "opt-out",
    "attention_cost": "attention",
    "shadow_cost": "budget",
    "lever": "lever",
}
Answer = dict[str, Any]


def when(text: str) -> str:
    """`Tue 2 Jan 18:00 -05` from an ISO time: the offset with its minutes only where it has some, and UTC by its name."""
    moment = datetime.fromisoformat(text)
    offset = moment.isoformat()[-6:].removesuffix(":00") if moment.utcoffset() else "UTC"
    return f"{moment:%a} {moment.day} {moment:%b %H:%M} {offset}"


def parts(value: Answer) -> list[str]:
    """The value's parts of at least half a tenth of a cent."""
    named = [
        (PARTS[name], amount) for name, amount in value["parts"].items() if name in PARTS and abs(amount) >= 0.0005
    ]
    return [f"{name} {amount:+.3f}" for name, amount in named]


def steps(answer: Answer) -> str:
    """The plan, a step per line."""
    return "\n".join(
        f"{number}. {step['channel']} {when(step.get('send_at_local', step['send_at']))}"
        for number, step in enumerate(answer["plan"], 1)
    )


def decisions(rows: list[tuple[str, str, Answer]]) -> Table:
    """A table of (household, why it is shown, answer); three columns, so that it is readable on 80 characters too."""
    title = (
        "Decisions over HTTP. Households and baskets are real; channels, consents, points and effects are SIMULATED."
    )
    table = Table(title=title, show_lines=True, title_justify="left")
    table.add_column("household", max_width=18)
    table.add_column("decision, local send time, value and its parts, plan", min_width=34)
    table.add_column("reason", overflow="fold", ratio=1)
    for customer, story, answer in rows:
        table.add_row(f"[bold]{customer}[/]\n[dim]{story}[/]", _decision(answer), answer["explanation"]["en"])
    return table


def _decision(answer: Answer) -> str:
    action = answer.get("action")
    chosen = f"[dim]{answer['arm']}, probability {answer['probability']:.4f}[/]"
    if action is None:
        return f"[bold]silence[/]\n{chosen}"
    worth = action["expected_value"]
    lines = [
        f"[bold]{action['journey']}[/] by [bold]{action['channel']}[/]",
        when(action.get("send_at_local", action["send_at"])),
        f"[bold]{worth['net']:+.3f} {worth['currency']}[/] [dim]({worth['low']:+.3f} to {worth['high']:+.3f})[/]",
        "[dim]" + ", ".join(parts(worth)) + "[/]",
        chosen,
        "plan:",
        steps(answer),
    ]
    return "\n".join(lines)


def card(answer: Answer) -> None:
    """One decision, printed: what, when, why, the plan, and why not the others."""
    action = answer.get("action")
    title = f"{action['journey']} by {action['channel']}" if action else "silence"
    lines = [answer["explanation"]["en"], f"[dim]{answer['explanation']['de']}[/]"]
    if action:
        worth = action["expected_value"]
        lines += ["", f"send at    {when(action.get('send_at_local', action['send_at']))}",
                  f"value      {worth['net']:+.4f} {worth['currency']} ({worth['low']:+.4f} to {worth['high']:+.4f})",
                  "parts      " + ", ".join(parts(worth)), f"chosen as  {answer['arm']}, probability {answer['probability']:.6f}"]  # fmt: skip
    if answer["plan"]:
        lines += ["plan       " + steps(answer).replace("\n", "\n           ")]
    if answer["degraded"]:
        lines += ["degraded   " + ", ".join(answer["degraded"])]
    console.print(Panel("\n".join(lines), title=f"[bold]{title}[/]", subtitle=answer["decision_id"], expand=False))
    _why_not(answer)


def _why_not(answer: Answer) -> None:
    """What the others lost by, and for each reason the treatments it stopped; quiet hours only where nothing else did."""
    table = Table(title="Why not the others", box=None, title_justify="left")
    table.add_column("reason", no_wrap=True)
    table.add_column("treatment")
    for other in answer["alternatives"]:
        table.add_row(f"worth {other['lost_by']:.4f} less (cautious)", other["candidate"])
    reasons: dict[str, str] = {}
    for other in sorted(answer["rejected"], key=lambda one: one["reason"] != "quiet_hours"):
        missing = f" ({other['missing']})" if "missing" in other else ""
        free = f", free {when(other['free_at'])}" if "free_at" in other else ""
        reasons[other["candidate"].rpartition("/")[0]] = f"{other['reason']}{missing}{free}"
    for reason in dict.fromkeys(reasons.values()):
        table.add_row(
            f"[dim]{reason}[/]", "[dim]" + ", ".join(name for name, why in reasons.items() if why == reason) + "[/]"
        )
    console.print(table)
    if answer["simulated"]:
        console.print("[yellow]Features and estimates behind this rest on simulated rows, at least in part.[/]")
