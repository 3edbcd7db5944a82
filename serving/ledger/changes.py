"""The log of what changed the decisions: catalogs and models, who proposed and who approved them, with the counted effect.

proposed -> approved | rejected; approved, or proposed where the reach does not widen, -> applied when a service starts with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select, text

from arbitration.errors import InputError
from serving.ledger.bookkeeping import changes
from serving.ledger.reading import Reading, readable
from serving.ledger.schema import from_micros
from serving.ledger.transaction import Transaction

Kind = Literal["catalog", "models"]
Approvals = Literal["two", "one"]
BY_ITSELF = "dirigent"
"""Who proposes what needs no proposal: the first catalog, and models, which passed an exam of their own."""
_LOCK = 0x4449_5300  # an advisory lock in PostgreSQL, taken before that of the audit's lane


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change before it is kept: from which version to which, every difference in words (`lines`), why the reach widens by what the
    catalogs say, and the counted effect on the audience, empty when nobody could be asked.
    """

    kind: Kind
    from_version: str | None
    to_version: str
    lines: Sequence[str] = ()
    widening: Sequence[str] = ()
    effect: Mapping[str, Any] = field(default_factory=dict)
    widens: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """A change as it is kept."""

    id: str
    proposal: Proposal
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None
    applied_at: datetime | None = None

    @property
    def by_one(self) -> bool:
        """Whether the one who proposed it approved it."""
        return self.state != "rejected" and self.decided_by is not None and same(self.decided_by, self.proposed_by)

    def may_apply(self, approvals: Approvals, *, anyhow: bool = False) -> bool:
        """Whether a service that asks for `approvals` may start with it; `anyhow`: it needs them though it does not widen the reach."""
        if not (self.proposal.widens or anyhow):
            return self.state in ("proposed", "approved")
        return self.state == "approved" and (approvals == "one" or not self.by_one)


def same(one: str, other: str) -> bool:
    """Whether two names are one person's: `Anna` is nobody else than `anna`."""
    return one.casefold() == other.casefold()


def propose(tx: Transaction, proposal: Proposal, by: str) -> str:
    """Keep a proposal. Returns its id."""
    name = tx.keyring.new_id("g")
    tx.put(changes, _row(proposal, name, by, tx.at) | {"state": "proposed"})
    _tell(tx, "proposed", name, proposal, by)
    return name


def decide(tx: Transaction, change_id: str, *, approved: bool, by: str, reason: str, approvals: Approvals) -> Change:
    """A person's verdict on a proposal. What only its proposer approved waits for a second person still. Raises `InputError` when there is
    no such one, it is decided already, or `by` proposed it and `approvals` asks for two people (whoever proposed it may always reject it).
    """
    found = find(tx, change_id)
    if found is None:
        raise InputError("is no change", where=change_id, mend="see them all: dirigent change list")
    second = found.by_one and not same(by, found.proposed_by) and (approved or found.state == "approved")
    if found.state != "proposed" and not second:
        raise InputError(f"is {found.state} already", where=change_id, mend="propose the catalog again to change that")
    if approved and approvals == "two" and same(by, found.proposed_by):
        raise InputError(
            f"was proposed by {found.proposed_by}, and somebody else must approve it", where=change_id,
            mend="ask a colleague with a key of their own",
        )  # fmt: skip
    verdict = "approved" if approved else "rejected"
    state = found.state if found.state == "applied" else verdict  # what is in force stays so
    values = {"state": state, "decided_by": by, "decided_at": tx.at, "reason": reason}
    still = (changes.c.change_id == change_id) & (changes.c.state == found.state)
    rows = tx.change(changes, still & changes.c.decided_by.is_not_distinct_from(found.decided_by), values)
    if not rows:
        raise InputError("was decided at this moment by somebody else", where=change_id)
    _tell(tx, verdict, change_id, found.proposal, by)
    return _change(rows[0])


def alone(tx: Transaction) -> None:
    """Let no other transaction that calls this go on until this one ends."""
    if tx.connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        tx.connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def apply(tx: Transaction, change: Change) -> bool:
    """A service starts with it. False when somebody decided otherwise at this moment. Call `alone` first."""
    still = (changes.c.change_id == change.id) & (changes.c.state == change.state)
    rows = tx.change(changes, still, {"state": "applied", "applied_at": _next(tx)})
    for _ in rows:
        _tell(tx, "applied", change.id, change.proposal, change.proposed_by)
    return bool(rows)


def apply_unasked(tx: Transaction, proposal: Proposal) -> None:
    """Keep what needs no approval as applied. Call `alone` first."""
    name = tx.keyring.new_id("g")
    tx.put(changes, _row(proposal, name, BY_ITSELF, tx.at) | {"state": "applied", "applied_at": _next(tx)})
    _tell(tx, "applied", name, proposal, BY_ITSELF)


def _next(tx: Transaction) -> int:
    """A moment after every earlier one: a shop's clock that is declared in the past begins anew with every start."""
    last = tx.connection.execute(select(func.max(changes.c.applied_at))).scalar()
    return tx.at if last is None else max(tx.at, int(last) + 1)


def in_force(reading: Reading, kind: Kind) -> str | None:
    """The version that was applied last, None when none ever was."""
    found = applied_last(reading, kind)
    return found.proposal.to_version if found else None


def applied_last(reading: Reading, kind: Kind) -> Change | None:
    """The change that brought what is in force, None when none ever did."""
    table = changes.c
    asked = select(changes).where(table.kind == kind, table.state == "applied")
    row = reading.first(asked.order_by(table.applied_at.desc()))
    return _change(row._asdict()) if row else None


def waiting(reading: Reading, kind: Kind, from_version: str, to_version: str) -> list[Change]:
    """Changes from one version to another that are proposed or approved, the newest first."""
    table = changes.c
    asked = select(changes).where(
        table.kind == kind, table.from_version == from_version, table.to_version == to_version,
        table.state.in_(("proposed", "approved")),
    )  # fmt: skip
    return [_change(row._asdict()) for row in reading.connection.execute(asked.order_by(table.proposed_at.desc()))]


def find(reading: Reading, change_id: str) -> Change | None:
    """A change by its id."""
    row = reading.first(select(changes).where(changes.c.change_id == change_id))
    return _change(row._asdict()) if row else None


def newest(reading: Reading, limit: int) -> list[Change]:
    """The last changes, the newest first."""
    asked = select(changes).order_by(changes.c.proposed_at.desc(), changes.c.change_id).limit(limit)
    return [_change(row._asdict()) for row in reading.connection.execute(asked)]


def _row(proposal: Proposal, name: str, by: str, at: int) -> dict[str, Any]:
    summary = {"changes": list(proposal.lines), "widening": list(proposal.widening)}
    return {
        "change_id": name, "kind": proposal.kind, "from_version": proposal.from_version, "to_version": proposal.to_version,
        "summary": json.dumps(summary, ensure_ascii=False), "effect": json.dumps(dict(proposal.effect), sort_keys=True),
        "widens": proposal.widens, "proposed_by": by, "proposed_at": at,
    }  # fmt: skip


def _change(told: Mapping[str, Any]) -> Change:
    with readable(f"the change {told['change_id']}"):
        summary, effect = json.loads(told["summary"]), json.loads(told["effect"])
        proposal = Proposal(
            told["kind"], told["from_version"], told["to_version"], tuple(summary["changes"]), tuple(summary["widening"]), effect,
            bool(told["widens"]),
        )  # fmt: skip
    return Change(
        told["change_id"], proposal, told["state"], told["proposed_by"], from_micros(told["proposed_at"]), told["decided_by"],
        _moment(told["decided_at"]), told["reason"], _moment(told["applied_at"]),
    )  # fmt: skip


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _tell(tx: Transaction, what: str, name: str, proposal: Proposal, by: str) -> None:
    tx.emit(f"dirigent.change.{what}.v1", {
        "change_id": name, "kind": proposal.kind, "from_version": proposal.from_version, "to_version": proposal.to_version,
        "widens": proposal.widens, "by": by,
    })  # fmt: skip
