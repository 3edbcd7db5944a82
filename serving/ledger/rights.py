"""A customer's rights in the ledger: objection, pause, suppression and erasure, each one transaction under the customer's lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, select

from serving.ledger import schema
from serving.ledger.bookkeeping import erasures, postponed, requests
from serving.ledger.contacts import settle
from serving.ledger.reading import Reading
from serving.ledger.schema import contacts, from_micros, to_micros
from serving.ledger.transaction import Transaction

_SHOP = (schema.shop_customers, schema.shop_aliases, schema.shop_consents, schema.shop_contacts)
# Rows that stay and name a record of the shop's, which leads back to the person.
_REFERRING = ((contacts, contacts.c.reservation_id), (schema.consents, schema.consents.c.consent_id))
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Erasure:
    """How far an erasure is: `ledger_done_at` when the ledger had forgotten the customer, `files_done_at` when all files had."""

    id: str
    requested_at: datetime
    ledger_done_at: datetime | None
    files_done_at: datetime | None


def objected(tx: Transaction) -> int:
    """The customer objected to direct marketing (GDPR Art. 21(2)): nothing reserved for it can be confirmed any more, nothing
    postponed comes back. Returns how many reservations that released.
    """
    tx.set_subject(objected_at=tx.at)
    released = settle(tx, _reserved(tx) & (contacts.c.purpose == "marketing"), "released", "objection")
    _drop_postponed(tx)
    _tell(tx, "objection", "objected")
    return len(released)


def objection_lifted(tx: Transaction) -> None:
    """The customer took the objection back. Consents are as they were."""
    tx.set_subject(objected_at=None)
    _tell(tx, "objection", "lifted")


def paused(tx: Transaction, until: datetime) -> int:
    """Nothing speaks to the customer before `until`; the latest word holds, so an earlier moment ends a pause sooner. Returns how
    many reservations that released: those for marketing that would have been sent before.
    """
    tx.set_subject(paused_until=to_micros(until))
    within = _reserved(tx) & (contacts.c.purpose == "marketing") & (contacts.c.sent_at < to_micros(until))
    released = settle(tx, within, "released", "pause")
    _tell(tx, "pause", "paused")
    return len(released)


def suppress(tx: Transaction, names: Iterable[str], reason: str) -> int:
    """Put customer ids and `alias_type:alias` on the suppression list, as keyed hashes alone. Returns how many are new there."""
    table, new = schema.suppressions, 0
    for hashed in sorted({tx.keyring.suppressed_hash(name) for name in names}):
        if tx.first(select(table.c.hash).where(table.c.hash == hashed)) is None:
            tx.put(table, {"hash": hashed, "reason": reason, "recorded_at": tx.at})
            new += 1
    return new


def erase(tx: Transaction, erasure_id: str, customer_id: str, reason: str) -> None:
    """Forget the locked customer: after the commit nothing in the database says who the pseudonym was, and nothing sealed opens.

    What remains are rows under a pseudonym, which caps, stocks and the audit rest on, without the shop's references, and keyed hashes on
    the suppression list. The
    files come after (`serving.forgetting`); until they are done the id stays in the erasure's own row, sealed by the master key.
    """
    owner = tx.owner
    settle(tx, _reserved(tx), "released", "erasure")
    _drop_postponed(tx)
    suppress(tx, {customer_id, *aliases_of(tx, customer_id)}, "erasure")
    remove_shop_rows(tx, customer_id)
    _empty(tx, schema.decisions, schema.decisions.c.decision_id, {
        # No caller can have chosen this name, so that it is free: identifiers hold no "!".
        "request_id": "!" + schema.decisions.c.decision_id, "body_digest": "", "answer": b"", "inputs": b"", "decision": b"",
    })  # fmt: skip
    _empty(tx, schema.evidence, schema.evidence.c.evidence_id, {"body": b""})
    for table, key in _REFERRING:
        _empty(tx, table, key, {"evidence_id": None})
    tx.change(contacts, (contacts.c.subject == owner) & contacts.c.review_reason.is_not(None), {"review_reason": ""})
    tx.remove(requests, requests.c.subject == owner)
    sealed = tx.keyring.seal(tx.keyring.master, customer_id.encode(), erasure_id)
    tx.put(erasures, {
        "erasure_id": erasure_id, "subject": owner, "customer_id": sealed.hex(), "reason": reason, "requested_at": tx.at,
        "ledger_done_at": tx.at,
    })  # fmt: skip
    tx.set_subject(customer_id=None, sealing_key=None, objected_at=None, paused_until=None, erased_at=tx.at)
    tx.emit("dirigent.customer.erased.v1", {"erasure_id": erasure_id})


def references_left(reading: Reading) -> int:
    """In how many rows of the erased a reference to the shop's records stands: earlier programs left it there."""
    counts = (select(func.count()).select_from(table).where(_refers(table)) for table, _ in _REFERRING)
    return sum(int(reading.connection.execute(count).scalar_one()) for count in counts)


def drop_references(tx: Transaction) -> int:
    """Empty those references, some hundred at a time, in a transaction that concerns nobody; the audit names the rows. Returns how many."""
    done = 0
    for table, key in _REFERRING:
        names = tx.connection.execute(select(key).where(_refers(table)).limit(_AT_ONCE)).scalars().all()
        done += len(tx.change(table, key.in_(names), {"evidence_id": None})) if names else 0
    return done


def aliases_of(reading: Reading, customer_id: str) -> frozenset[str]:
    """Every `alias_type:alias` of a customer that the shop's tables know."""
    table = schema.shop_aliases.c
    rows = reading.connection.execute(select(table.alias_type, table.alias).where(table.customer_id == customer_id))
    return frozenset(f"{row.alias_type}:{row.alias}" for row in rows)


def remove_shop_rows(tx: Transaction, customer_id: str) -> None:
    """Take a customer out of the copies of the shop's tables. The audit does not name these rows, whose keys are customer ids."""
    for table in _SHOP:
        tx.connection.execute(delete(table).where(table.c.customer_id == customer_id))


def erasure(reading: Reading, erasure_id: str) -> Erasure | None:
    """How far an erasure is, None when there is no such one."""
    row = reading.first(select(erasures).where(erasures.c.erasure_id == erasure_id))
    if row is None:
        return None
    ends = [None if at is None else from_micros(at) for at in (row.ledger_done_at, row.files_done_at)]
    return Erasure(row.erasure_id, from_micros(row.requested_at), *ends)


def unfinished(reading: Reading) -> dict[str, str]:
    """Erasures whose files are not done: id -> customer id, oldest first. In a transaction their rows stay locked until its end."""
    table = erasures.c
    asked = select(table.erasure_id, table.customer_id).where(table.customer_id.is_not(None))
    asked = asked.order_by(table.requested_at, table.erasure_id)
    rows = reading.connection.execute(asked.with_for_update())
    open_, master = reading.keyring.open, reading.keyring.master
    return {row.erasure_id: open_(master, bytes.fromhex(row.customer_id), row.erasure_id).decode() for row in rows}


def files_done(tx: Transaction, customers: dict[str, str]) -> None:
    """Every file has forgotten these customers: nothing names them any more. Copies that came back meanwhile go, too."""
    for erasure_id, customer_id in customers.items():
        remove_shop_rows(tx, customer_id)
        tx.change(erasures, erasures.c.erasure_id == erasure_id, {"customer_id": None, "files_done_at": tx.at})


def objectors(reading: Reading) -> frozenset[str]:
    """The customers whose objection holds."""
    table = schema.subjects.c
    asked = select(table.customer_id).where(table.objected_at.is_not(None), table.customer_id.is_not(None))
    return frozenset(reading.connection.execute(asked).scalars())


def holds_objection(tx: Transaction, customer_id: str) -> bool:
    """Whether a customer's objection holds; the customer's row stays locked until the transaction ends, and none is made."""
    table = schema.subjects
    row = tx.first(select(table.c.objected_at).where(table.c.customer_id == customer_id).with_for_update())
    return row is not None and row.objected_at is not None


def returned(reading: Reading, quiet: timedelta) -> list[str]:
    """Customers on the suppression list whom somebody asked about again, so that the ledger names them once more; only those of
    whom nothing was written for `quiet`.
    """
    hashes = frozenset(reading.connection.execute(select(schema.suppressions.c.hash)).scalars())
    if not hashes:
        return []
    table = schema.subjects.c
    still = table.last_at < to_micros(reading.now() - quiet)
    asked = select(table.customer_id).where(table.customer_id.is_not(None), still)
    hashed = reading.keyring.suppressed_hash
    return [name for name in reading.connection.execute(asked).scalars() if hashed(name) in hashes]


def _refers(table: Table) -> ColumnElement[bool]:
    gone = select(schema.subjects.c.subject).where(schema.subjects.c.erased_at.is_not(None))
    return table.c.evidence_id.is_not(None) & table.c.subject.in_(gone)


def _reserved(tx: Transaction) -> ColumnElement[bool]:
    return (contacts.c.subject == tx.owner) & (contacts.c.state == "reserved")


def _drop_postponed(tx: Transaction) -> None:
    tx.change(postponed, (postponed.c.subject == tx.owner) & (postponed.c.state != "done"), {"state": "done"})


def _tell(tx: Transaction, right: str, state: str) -> None:
    tx.emit("dirigent.right.changed.v1", {"right": right, "state": state})


def _empty(tx: Transaction, table: Table, key: Any, values: dict[str, Any]) -> None:
    """Empty columns of all rows of the customer, some hundred at a time: one statement must not outlast the database's deadline."""
    names = tx.connection.execute(select(key).where(table.c.subject == tx.owner)).scalars().all()
    for at in range(0, len(names), _AT_ONCE):
        tx.change(table, key.in_(names[at : at + _AT_ONCE]), values)
