"""Short races on the ledger's own interface: caps, the single winner and withdrawals hold; without the look under the lock they do not."""

from __future__ import annotations

import pytest

from benchmarks.reliability import race, withdraw

# The shop's clock runs with the machine's: a race needs seconds for caps to open again, however many attempts those are.
MANY = 10**9
STORES = (pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres))


@pytest.fixture(params=STORES)
def named(request, tmp_path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "histories"
    found.mkdir()
    return found


def test_caps_and_the_single_winner_hold_while_processes_race(named, folder):
    found = race.race(named, folder, attempts=MANY, processes=3, people=20, seconds=8)
    assert found.counts["attempts"] > 0
    assert found.counts["second_look"] > 0, "nobody was refused under the lock: this is no race"
    assert (found.verdict.findings, found.verdict.shown) == (0, ())
    assert found.verdict.audit_holds
    assert found.lost < 0.05  # of the thirty places of a short race on a busy machine, one crash is more than 1 %


def test_a_race_without_the_second_look_breaks_caps(tmp_path):
    for number in range(15):  # one round finds about three, now and then none
        folder = tmp_path / f"round-{number}"
        folder.mkdir()
        found = race.race(
            str(folder / "ledger.db"), folder, attempts=MANY, processes=3, people=12, seconds=5, broken=True
        )
        assert found.verdict.double_winners == 0, "the table's own index is the second line"
        assert found.verdict.audit_holds
        if found.verdict.over_contacts:
            return
    pytest.fail("fifteen races without the second look broke no cap: this is no race")


def test_nothing_is_reserved_or_confirmed_behind_a_withdrawal(named, folder):
    found = withdraw.pairs(named, folder, count=200)
    assert found.counts["withdrawn"] + found.counts["not withdrawn"] == 200
    assert found.counts["withdrawn"] > 190, "on a busy machine one or two are told to come again"
    between = found.counts["taken back"]  # the withdrawal came after the reservation and before its confirmation
    assert min(found.counts[end] + between for end in ("refused", "confirmed")) > 0, (
        "one side always came first: no race"
    )
    assert (found.verdict.findings, found.verdict.shown) == (0, ())
    assert found.verdict.audit_holds


def test_a_withdrawal_is_overrun_without_the_second_look(tmp_path, folder):
    found = withdraw.pairs(str(tmp_path / "ledger.db"), folder, count=100, broken=True)
    assert found.verdict.counts["I3"] > 0
