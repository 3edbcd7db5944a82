"""Rules of the service that are broken on purpose, to see that a simulated world notices. Each says in what the finding begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from serving import decisions, reservations, rights
from serving.ledger import consents, schema
from serving.ledger.transaction import Transaction
from tests.simulation import machine
from tests.simulation.shop import process

Break = Callable[[], AbstractContextManager[object]]


@contextmanager
def _nothing_is_looked_at_again() -> Iterator[None]:
    """A decision is written although somebody withdrew while it was made; that a place was taken meanwhile is still seen.
    Somebody always comes in between, so that few worlds are needed to notice it.
    """
    with ExitStack() as stack:
        stack.enter_context(patch.dict(machine.COMES_BETWEEN, dict.fromkeys(machine.COMES_BETWEEN, 1.0)))
        stack.enter_context(
            patch.object(
                decisions, "_still_holds", lambda _runtime, tx, _question, _ready, known: tx.epoch == known.epoch
            )
        )
        yield


@contextmanager
def _a_withdrawal_releases_nothing() -> Iterator[None]:
    """Neither does confirming ask the gates again, which would refuse the contact all the same."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(consents, "settle", lambda *_: []))
        stack.enter_context(patch.object(reservations, "rejection", lambda *_: None))
        yield


def _caps_are_forgotten() -> AbstractContextManager[object]:
    """The service knows of no cap."""

    def uncapped(home: Any, policy: Any, *given: Any) -> Any:
        return process(home, replace(policy, contact_policy=replace(policy.contact_policy, caps=())), *given)

    return patch.object(machine, "process", uncapped)


def _the_audit_misses_outcomes() -> AbstractContextManager[object]:
    """One kind of row is written past the chain."""
    note = Transaction._note

    def forgetful(tx: Transaction, table: Any, row: Any) -> None:
        if table is not schema.outcomes:
            note(tx, table, row)

    return patch.object(Transaction, "_note", forgetful)


BREAKS: dict[str, tuple[str, Break]] = {
    "nothing is looked at again": ("I3", _nothing_is_looked_at_again),
    "a withdrawal releases nothing": ("I3", _a_withdrawal_releases_nothing),
    "caps are forgotten": ("I2", _caps_are_forgotten),
    "confirming ignores the epoch": ("I8", lambda: patch.object(reservations, "_other_epoch", lambda *_: None)),
    "an objection is answered and not kept": ("I6", lambda: patch.object(rights, "objected", lambda _: 0)),
    "an erasure leaves the consents open": ("I6", lambda: patch.object(rights, "erase", lambda *_: None)),
    "the audit misses outcomes": ("I7", _the_audit_misses_outcomes),
}
