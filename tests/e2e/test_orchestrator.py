"""The example orchestrator plays journeys against the real service: days pass by starting it again with a later clock.

The catalog is the example's without its dice (no exploration, no silence floor, no holdout), so that the favorite always speaks.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from catalog.loading import EXAMPLE, load_catalog
from dirigent.features import load_store
from examples.orchestrator import CHANNELS, Desk, Service, play
from features import snapshots
from features.home import Home, silent
from features.tables.store import open_tables
from scripts.decision_page import HOUSEHOLD
from serving.auth import create_key
from tests.e2e.service_process import AS_OF, ROOT, Server, private_home, start

Answer = dict[str, Any]
POLICY = load_catalog(EXAMPLE)
RUN = ["push", "email", "sms"]
NO_DICE = {"exploration": "0.0", "silence_floor": "0.0", "holdout": "0.0", "strategy": "greedy"}
HOUR = 3_600_000_000
LAPSING = """
    WITH last AS (SELECT customer_id, max(occurred_at) AS bought FROM events WHERE type = 'purchase' GROUP BY ALL)
    SELECT customer_id FROM last
    JOIN (SELECT customer_id FROM consents WHERE state = 'granted' AND channel IN ('push', 'email', 'sms')
          GROUP BY ALL HAVING count(DISTINCT channel) = 3) USING (customer_id)
    WHERE bought BETWEEN TIMESTAMPTZ '2017-11-20' AND TIMESTAMPTZ '2017-12-20'"""
FEATURES_LAST = timedelta(hours=40)
"""Features are loaded anew before they would be too old for a decision, as a shop does every night."""


class Days(Service):
    """The service of a shop whose time moves: a call that comes later than its clock starts it anew with a later one."""

    def __init__(self, home: Home, catalog: Path) -> None:
        self.home, self.catalog = home, catalog
        self.key = create_key(home, "orchestrator", "orchestrator")
        self.clock = self.loaded_at = self.due = datetime.fromisoformat(AS_OF)
        self.server = self._start()

    def _start(self) -> Server:
        told = {"DIRIGENT_AS_OF": self.clock.isoformat(), "DIRIGENT_CATALOG": str(self.catalog)}
        server = start(self.home, self.key, forked=True, **told)
        self.http = server.http
        return server

    def move(self, moment: datetime) -> None:
        self.server.stop()
        self.clock = moment
        if moment - self.loaded_at > FEATURES_LAST:
            with pytest.MonkeyPatch.context() as patch:  # the newest alone: nothing is trained here
                patch.setattr(snapshots, "snapshot_moments", lambda _first, as_of: [as_of])
                snapshots.build_snapshots(self.home, moment)
            load_store(self.home, moment, silent)
            self.loaded_at = moment
        self.server = self._start()

    def post(self, path: str, body: Answer) -> Answer:
        """Only questions and reservations need the later clock; a report holds its own moment."""
        if path != "/v1/outcomes" and self.due > self.clock:
            self.move(self.due)
        return super().post(path, body)

    def dry_run(self, customer: str) -> Answer:
        body = {"request_id": "look", "customer": {"id": customer}, "channels": list(CHANNELS), "mode": "dry_run"}
        return self.post("/v1/decisions", body)

    def contacts(self, customer: str) -> list[sqlite3.Row]:
        """What takes a place for the customer, in time order."""
        asked = """SELECT contacts.* FROM contacts JOIN subjects USING (subject)
                   WHERE customer_id = ? AND state IN ('reserved', 'confirmed') ORDER BY sent_at"""
        with closing(sqlite3.connect(self.home.ledger)) as ledger:
            ledger.row_factory = sqlite3.Row
            return ledger.execute(asked, (customer,)).fetchall()


class FastDesk(Desk):
    """A desk at which days pass at once."""

    def __init__(self, service: Days, **world: Any) -> None:
        super().__init__(**world)
        self.service, self.heard = service, list[str]()

    def wait_until(self, moment: datetime) -> None:
        self.set_clock(max(moment, self.now()))
        self.service.due = moment

    def say(self, text: str) -> None:
        self.heard.append(text)


def keep_reachable(home: Home) -> None:
    """Of the customers only those that are asked about: every few days the features of all who are left are computed anew."""
    path = home.tables / "customers.parquet"
    with open_tables(home) as tables:
        tables.execute(f"""COPY (SELECT * FROM read_parquet('{path}') SEMI JOIN ({LAPSING}) USING (customer_id))
                           TO '{path}.new' (FORMAT parquet)""")
    path.with_suffix(".parquet.new").replace(path)


@pytest.fixture(scope="module")
def service(shop_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    base = tmp_path_factory.mktemp("orchestrator")
    home = private_home(shop_home, base / "home")
    for own in (home.features, home.feast, home.tables):
        own.unlink()
        shutil.copytree(shop_home.root / own.name, own)
    keep_reachable(home)
    catalog = base / "catalog"
    shutil.copytree(EXAMPLE, catalog)
    economics = (catalog / "economics.yaml").read_text()
    for name, value in NO_DICE.items():
        economics, count = re.subn(rf"(?m)^(  {name}:) +\S+", rf"\1 {value}", economics)
        assert count == 1, name
    (catalog / "economics.yaml").write_text(economics)
    days = Days(home, catalog)
    yield days
    days.server.stop()


@pytest.fixture(scope="module")
def lapsing(service: Days) -> Iterator[str]:
    """Households that have not bought for a while and may be reached on all three channels, each of them once; first the one of
    `docs/decision.md`, which is known to have a plan over all three.
    """
    rows = open_tables(service.home).execute(f"{LAPSING} ORDER BY CAST(customer_id AS INTEGER)")
    names = [str(row[0]) for row in rows.fetchall()]
    assert HOUSEHOLD in names
    return iter(sorted(names, key=lambda name: name != HOUSEHOLD))


def first(service: Days, lapsing: Iterator[str], fits: Callable[[Answer], bool]) -> str:
    """The next household for which the service would speak in a way that fits."""
    service.due = service.clock  # the days of another household are its own
    for customer in lapsing:
        answer = service.dry_run(customer)
        if answer["outcome"] == "act" and fits(answer):
            return customer
    pytest.fail("the example shop has no such household")


def channels_of(answer: Answer) -> list[str]:
    return [step["channel"] for step in answer["plan"]]


def test_a_journey_is_played_over_three_channels_with_a_place_for_each_step(service, lapsing):
    customer = first(service, lapsing, lambda answer: channels_of(answer) == RUN)
    desk = FastDesk(service)
    answers = play(service, customer, desk)

    assert len(answers) == 1, "each step was what the plan had foreseen"
    answer = answers[0]
    assert [step["journey"] for step in answer["plan"]] == ["churn_recovery"] * 3, "the cool-down let the run go on"
    kept = service.http.get(f"/v1/decisions/{answer['decision_id']}").json()
    assert [(one["step"], one["type"]) for one in kept["outcomes"]] == [(step, "delivered") for step in range(3)]
    assert sum(text.startswith("simulated sender") for text in desk.heard) == 3

    made = service.contacts(customer)
    assert [(row["channel"], row["state"], row["settled_by"]) for row in made] == [
        (channel, "confirmed", "confirm") for channel in RUN
    ]
    assert [row["epoch"] for row in made] == sorted({row["epoch"] for row in made})
    for step, (row, later) in enumerate(pairwise(made)):
        assert later["sent_at"] - row["sent_at"] >= answer["plan"][step]["wait_hours"] * HOUR
    held = [(cap, cap.window_hours) for cap in POLICY.contact_policy.caps if cap.window_hours]
    assert held
    for cap, hours in held:
        moments = [row["sent_at"] for row in made if cap.counts(row["journey"], row["channel"])]
        for at in moments:
            within = [one for one in moments if 0 <= one - at < hours * HOUR]
            assert len(within) <= cap.limit, cap.id


def test_an_engagement_ends_the_journey(service, lapsing):
    customer = first(service, lapsing, lambda answer: len(answer["plan"]) >= 2)
    planned = service.dry_run(customer)
    desk = FastDesk(service, reactions={planned["plan"][0]["treatment"]: "clicked"})
    answers = play(service, customer, desk)
    assert len(answers) == 1
    kept = service.http.get(f"/v1/decisions/{answers[0]['decision_id']}").json()
    assert [one["type"] for one in kept["outcomes"]] == ["delivered", "clicked"]
    service.due = service.clock  # the reaction counts from the first moment on
    again = service.dry_run(customer)
    journey = planned["action"]["journey"]
    assert again["outcome"] == "silence" or again["action"]["journey"] != journey
    assert "cool_down" in {one["reason"] for one in again["rejected"] if one["candidate"].startswith(f"{journey}/")}


def test_a_sender_that_fails_gives_the_place_back_and_another_channel_is_asked_for(service, lapsing):
    customer = first(service, lapsing, lambda answer: len(answer["plan"]) >= 2)
    failing, *others = service.dry_run(customer)["plan"]
    failing = failing["channel"]
    answers = play(service, customer, FastDesk(service, down=[failing], settled=[step["treatment"] for step in others]))
    assert channels_of(answers[0])[0] == failing
    assert failing not in channels_of(answers[1])
    kept = service.http.get(f"/v1/decisions/{answers[0]['decision_id']}").json()
    assert [one["type"] for one in kept["outcomes"]] == ["not_sent"]
    assert failing not in [row["channel"] for row in service.contacts(customer)]


def test_what_is_settled_before_its_time_is_not_sent(service, lapsing):
    customer = first(service, lapsing, lambda answer: True)
    treatment = service.dry_run(customer)["action"]["treatment"]
    answers = play(service, customer, FastDesk(service, settled=[treatment]))
    assert len(answers) == 1
    assert service.contacts(customer) == []


def test_a_stranger_is_left_alone(service):
    service.due = service.clock
    desk = FastDesk(service)
    answers = play(service, "nobody-knows-me", desk)
    assert [one["outcome"] for one in answers] == ["silence"]
    assert len(desk.heard) == 1


def program(*arguments: str, **told: str) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("DIRIGENT_")}
    command = [sys.executable, str(ROOT / "examples" / "orchestrator.py"), *arguments]
    return subprocess.run(command, env=clean | told, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_line_helps_and_says_in_one_line_what_is_wrong(service):
    help_text = program("--help")
    assert help_text.returncode == 0
    assert "DIRIGENT_API_KEY" in help_text.stdout
    url = f"http://127.0.0.1:{service.server.port}"
    wrong = {
        "no API key": program("1"),
        "does not answer": program("1", DIRIGENT_API_KEY="k", DIRIGENT_URL="http://127.0.0.1:9"),
        "401": program("1", DIRIGENT_API_KEY="wrong", DIRIGENT_URL=url),
        "422": program("a b", DIRIGENT_API_KEY=service.key, DIRIGENT_URL=url),
    }
    for expected, found in wrong.items():
        assert found.returncode == 1, expected
        assert found.stderr.startswith("orchestrator: ")
        assert expected in found.stderr
        assert len(found.stderr.splitlines()) == 1
        assert "Traceback" not in found.stderr
    assert "silence" in program("nobody-knows-me", DIRIGENT_API_KEY=service.key, DIRIGENT_URL=url).stdout.lower()
