"""No place is held after a no: in random histories, and with threads that decide while the customer says it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from serving.ledger import rights
from serving.ledger.contacts import expire_due
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from tests.contracts.conftest import HOUR, NOW, hold
from tests.contracts.test_rights import BRAND, audited, grant, refusals, withdraw

pytestmark = pytest.mark.long


def decide(ledger: Ledger, name: str, customer: str = "c1") -> bool:
    """What the service does under the lock: look again, and only then take a place."""

    def work(tx: Transaction) -> bool:
        expire_due(tx)
        held = any(contact.live_until for contact in tx.standing(customer, tx.now() - HOUR, tx.now(), BRAND).contacts)
        if held or refusals(tx, customer):
            return False
        hold(tx, name)
        return True

    return ledger.write(customer, work)


def test_no_reservation_stands_after_a_withdrawal_in_a_thousand_random_histories(ledger):
    dice, yes, no = random.Random(7), 0, 0  # noqa: S311 - the same histories every time
    for history in range(125):
        customer, allowed = f"c{history}", False
        for number in range(8):
            deed = dice.choices(("grant", "withdraw", "decide"), (1, 1, 3))[0]
            if deed == "decide":
                taken = decide(ledger, f"d-{history}-{number}", customer)
                assert allowed or not taken
                yes, no = yes + taken, no + (not taken)
                continue
            with ledger.writing(customer) as tx:
                grant(tx, requested_at=tx.now(), confirmed_at=tx.now()) if deed == "grant" else withdraw(tx)
            allowed = deed == "grant"
            assert allowed or not live(ledger, customer)
    assert min(yes, no) > 50
    audited(ledger)


def live(ledger: Ledger, customer: str) -> bool:
    """Whether a place is held for the customer."""
    with ledger.reading() as reading:
        return any(one.live_until for one in reading.standing(customer, NOW - HOUR, reading.now(), BRAND).contacts)


def race(ledger: Ledger, rounds: int, closing: Callable[[Transaction], object]) -> tuple[int, int]:
    """Two decisions at a time against a no; returns rounds in which a place was held after it, and those in which one came first."""
    wrong, won, dice = 0, 0, random.Random(7)  # noqa: S311 - the same delays every time
    barrier = threading.Barrier(3)

    def at_once(delay: float, work: Callable[[], object]) -> object:
        barrier.wait()
        time.sleep(delay)
        return work()

    with ThreadPoolExecutor(3) as pool:
        for number in range(rounds):
            customer = f"c{number // 10}"
            with ledger.writing(customer) as tx:
                tx.set_subject(objected_at=None)
                grant(tx, requested_at=tx.now(), confirmed_at=tx.now())
            deeds = [partial(decide, ledger, f"d-{number}-{thread}", customer) for thread in range(2)]
            deeds.append(partial(ledger.write, customer, closing))
            running = [pool.submit(at_once, dice.uniform(0, 0.004), deed) for deed in deeds]
            won += any([each.result() for each in running][:2])
            wrong += live(ledger, customer)
    return wrong, won


def test_of_two_thousand_decisions_that_race_a_withdrawal_none_stands_after_it(ledger):
    wrong, won = race(ledger, 1000, withdraw)
    assert wrong == 0
    assert 100 < won < 1000


def test_of_decisions_that_race_an_objection_none_stands_after_it(ledger):
    assert race(ledger, 150, rights.objected)[0] == 0
