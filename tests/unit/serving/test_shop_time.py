"""The time of a home: what its service declared holds for every verb beside it."""

from __future__ import annotations

import stat
import time
from datetime import UTC, datetime, timedelta

import pytest

from arbitration.domain import Consent
from arbitration.errors import StateError
from serving.clock import Clock
from serving.ledger.consents import add_consent
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger
from serving.settings import Settings
from serving.shop_time import check_time, clock_of, declare
from tests.empty_ledger import empty_ledger

KEYRING = Keyring.fresh()
PAST = datetime(2018, 1, 2, 15, tzinfo=UTC)


def test_a_verb_lives_in_the_time_that_the_service_declared(tmp_path):
    began = time.time() - 3600
    declare(Settings(home=tmp_path, as_of=PAST, as_of_began=began))
    assert abs(clock_of(Settings(home=tmp_path)).now() - (PAST + timedelta(hours=1))) < timedelta(seconds=5)
    assert stat.S_IMODE((tmp_path / "clock.json").stat().st_mode) == 0o600


def test_a_service_by_the_machines_clock_takes_the_note_away(tmp_path):
    declare(Settings(home=tmp_path, as_of=PAST, as_of_began=time.time()))
    declare(Settings(home=tmp_path))
    assert abs(clock_of(Settings(home=tmp_path)).now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_what_is_declared_on_the_command_line_counts_first(tmp_path):
    declare(Settings(home=tmp_path, as_of=PAST, as_of_began=time.time()))
    other = clock_of(Settings(home=tmp_path, as_of=PAST + timedelta(days=1)))
    assert abs(other.now() - (PAST + timedelta(days=1))) < timedelta(seconds=5)


@pytest.mark.parametrize("text", ["", "{}", '{"as_of": "soon", "began": 1}', "[]"])
def test_a_damaged_note_is_said_so(tmp_path, text):
    (tmp_path / "clock.json").write_text(text)
    with pytest.raises(StateError, match="start the service anew"):
        clock_of(Settings(home=tmp_path))


def written(tmp_path, at: datetime) -> None:
    """A ledger that a service wrote to at that moment."""
    ledger = Ledger(empty_ledger(tmp_path / "ledger.db"), KEYRING, Clock(at))
    said = Consent("email", "marketing", "withdrawn", "none", "e-1", at)
    ledger.write("c1", lambda tx: add_consent(tx, said, "shop"))
    ledger.close()


def checked(tmp_path, clock: Clock) -> None:
    ledger = Ledger(tmp_path / "ledger.db", KEYRING, clock)
    try:
        check_time(ledger)
    finally:
        ledger.close()


def test_a_declared_clock_is_refused_where_the_ledger_has_seen_another_present(tmp_path):
    written(tmp_path, PAST + timedelta(days=3000))
    with pytest.raises(
        StateError, match="up to 2026-03-21 15:00 UTC, later than the declared clock, 2018-01-02"
    ) as caught:
        checked(tmp_path, Clock(PAST))
    assert "--as-of 2026-03-21T15:01Z" in str(caught.value)
    checked(tmp_path, Clock(PAST + timedelta(days=3001)))
    checked(tmp_path, Clock())  # the machine's clock is refused customer by customer where it lies behind


@pytest.mark.parametrize(
    ("ahead", "told"), [(timedelta(minutes=4), 0), (timedelta(minutes=6), 1), (timedelta(days=30), 1)]
)
def test_a_declared_clock_that_began_anew_warns_of_what_the_ledger_saw_meanwhile(tmp_path, monkeypatch, ahead, told):
    warned = []
    monkeypatch.setattr("serving.shop_time.log.warning", lambda *_, **more: warned.append(more["what"]))
    written(tmp_path, PAST + ahead)
    checked(tmp_path, Clock(PAST))
    assert len(warned) == told


def test_an_empty_ledger_has_seen_nothing(tmp_path):
    Ledger(empty_ledger(tmp_path / "ledger.db"), KEYRING, Clock(PAST)).close()
    checked(tmp_path, Clock(PAST))
