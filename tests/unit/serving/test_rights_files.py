"""The files follow the ledger also when they cannot be written at once, and erasures take one thread however many there are."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from features.rights import bar, barred
from serving import rights as calls
from serving.forgetting import finish_erasures, finish_in_background, reconcile
from serving.ledger import rights as ledger_rights
from serving.ledger.bookkeeping import requests
from serving.ledger.schema import shop_aliases, to_micros
from serving.ledger.verify import verify
from tests.contracts.conftest import decision, hold
from tests.small_shop import AS_OF, LEAVING, NAMES
from tests.unit.serving.test_rights import runtime, said, standing, template, told

__all__ = ["runtime", "template"]


@pytest.fixture(autouse=True)
def _nothing_runs_on():
    yield
    end_of_work()


def end_of_work() -> None:
    """Wait until no thread erases any more."""
    until = time.monotonic() + 60
    while any(thread.name == "erasures" for thread in threading.enumerate()):
        assert time.monotonic() < until, "a thread erases for ever"
        time.sleep(0.05)


def test_an_objection_is_answered_and_holds_where_the_list_cannot_be_written(runtime):
    home = runtime.settings.paths
    if home.rights.exists():
        home.rights.rename(home.root / "aside")
    home.rights.write_text("a file is in the way")
    status, body = calls.receive_objection(runtime, said(state="objected"))
    assert (status, told((status, body))["kept"]) == (200, True)
    assert standing(runtime).objected
    home.rights.unlink()
    assert reconcile(runtime.ledger, home) == 1
    assert barred(home, "objection") == {LEAVING}


def test_a_hundred_erasures_at_once_take_one_thread(runtime):
    home = runtime.settings.paths
    for number, name in enumerate(NAMES[:2]):
        runtime.ledger.write(name, lambda tx, n=number, c=name: ledger_rights.erase(tx, f"x-{n}", c, "unlawful"))
    most = 0
    for _ in range(100):
        finish_in_background(runtime.ledger, home)
        most = max(most, sum(thread.name == "erasures" for thread in threading.enumerate()))
    assert most == 1
    end_of_work()
    with runtime.ledger.reading() as reading:
        assert ledger_rights.unfinished(reading) == {}
    assert barred(home, "erasure") == frozenset()


def test_after_one_thread_has_ended_the_next_erasure_gets_another(runtime):
    home = runtime.settings.paths
    for number, name in enumerate(NAMES[:2]):
        runtime.ledger.write(name, lambda tx, n=number, c=name: ledger_rights.erase(tx, f"x-{n}", c, "unlawful"))
        bar(home, name, "erasure")
        finish_in_background(runtime.ledger, home)
        end_of_work()
        assert barred(home, "erasure") == frozenset()


def test_a_report_about_nobody_leaves_no_name_that_its_caller_chose(runtime):
    calls.receive_erasure(runtime, said(id=f"erase-{LEAVING}", reason="unlawful"))
    finish_erasures(runtime.ledger, runtime.settings.paths)
    pause = said(id=f"pause-{LEAVING}", until="2020-07-01T00:00:00Z", reason="dispute")
    first = calls.receive_pause(runtime, pause)
    assert first == calls.receive_pause(runtime, pause)
    assert told(first)["id"] == f"pause-{LEAVING}"
    with runtime.ledger.reading() as reading:
        kept = [tuple(row) for row in reading.connection.execute(requests.select())]
    assert len(kept) == 2
    assert LEAVING not in repr(kept)


def test_erasing_forgets_who_spoke_under_an_alias_too_and_nobody_else(runtime):
    at, names = to_micros(AS_OF - timedelta(days=9)), ("cookie:abc", "cookie:other")
    alias = {"alias_type": "cookie", "alias": "abc", "valid_from": at, "customer_id": LEAVING}
    for number, name in enumerate(names):
        with runtime.ledger.writing(name) as tx:
            tx.add_decision(decision(number, customer=name))
            hold(tx, f"d-{number}")
    with runtime.ledger.writing() as tx:
        tx.connection.execute(shop_aliases.insert().values(alias))
    first = calls.receive_erasure(runtime, said(id="e", reason="unlawful"))
    with runtime.ledger.reading() as reading:
        assert [reading.subject_of(name) is None for name in (LEAVING, *names)] == [True, True, False]
        assert reading.is_suppressed("cookie:abc")
    assert calls.receive_erasure(runtime, said(id="e", reason="unlawful")) == first
    assert verify(runtime.ledger.address).holds
