"""The real service with many clients, with workers, service and database killed, with its database or Redis at fault."""

from __future__ import annotations

import pytest

from benchmarks.reliability import crash, faults, overhead, race_http
from tests.own_postgres import programs


@pytest.fixture
def needs_postgres() -> None:
    if programs() is None:
        pytest.skip("PostgreSQL is missing (initdb and postgres); on Debian: apt-get install postgresql")


def test_caps_winners_and_repeated_answers_hold_over_http(shop_home, tmp_path):
    found = race_http.race(shop_home, tmp_path, decisions=250, clients=16, seconds=90)
    assert found.counts["decide"] >= 250
    assert min(found.counts[kind] for kind in ("confirm", "outcome")) > 0
    assert not [status for status in found.slowest if status >= 500]
    assert found.different == 0
    assert (found.verdict.findings, found.verdict.shown) == (0, ())
    assert found.verdict.audit_holds


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.usefixtures("needs_postgres")
def test_what_a_client_was_answered_outlives_every_kill(shop_home, tmp_path):
    found = crash.crash(shop_home, tmp_path, seconds=20, scale=0.4)
    assert min(found.kills[kind] for kind in ("worker", "service", "PostgreSQL")) > 0
    assert found.repeated > 0
    assert (found.lost, found.different) == ([], 0)
    assert found.verdict is not None
    assert (found.verdict.findings, found.verdict.shown) == (0, ())
    assert found.verdict.audit_holds


@pytest.mark.parametrize("store", ["sqlite"])
def test_the_cost_of_the_ledger_is_measured_in_pairs(shop_home, tmp_path, store):
    found = overhead.measure(shop_home, None, tmp_path / store, customers=40)
    assert found.pairs == 40
    assert found.acted > 0
    assert found.live > found.dry > 0
    assert found.wall > 0


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.usefixtures("needs_postgres")
@pytest.mark.parametrize("name", faults.POSTGRES)
def test_a_fault_of_postgresql_is_borne(shop_home, name):
    try:
        found = faults.postgres_fault(shop_home, name, 8)
    except PermissionError as error:
        pytest.skip(str(error))
    assert found.held, found


@pytest.mark.long
@pytest.mark.redis
@pytest.mark.parametrize("name", faults.REDIS)
def test_a_fault_of_redis_is_borne(shop_home, name):
    found = faults.redis_fault(shop_home, name, 5)
    assert found.held, found
