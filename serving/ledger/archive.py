"""Recorded decisions in bulk, for reading alone: nothing is locked or created, and a service may write meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import LargeBinary, Row, cast, literal_column, select
from sqlalchemy.engine import Engine

from arbitration.errors import InputError
from serving.ledger import schema
from serving.ledger.engine import connection_of, open_read_only
from serving.ledger.packing import summary_out, unpacked
from serving.ledger.rows import Summary
from serving.ledger.schema import from_micros, to_micros

_NUMBER: Any = literal_column("decisions.rowid")
_COLUMNS = (
    "decision_id", "policy_version", "client", "customer_id", "mode", "decided_at",
    "favorite", "opens_at", "net", "decided_on", "stopped", "inputs",
)  # fmt: skip
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision as it is kept. `inputs` and `decision` are canonical JSON, None where the stored bytes are damaged.

    `columns` holds what is told of the decision beside its record; `answer` is the body that was answered.
    """

    decision_id: str
    policy_version: str
    columns: Mapping[str, str | datetime]
    summary: Summary
    inputs: bytes | None
    decision: bytes | None
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class Damaged:
    """A decision whose columns cannot be read."""

    decision_id: str


class Archive:
    """The decisions of one ledger; numbers follow the order of writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine: Engine = open_read_only(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def numbers(self, since: datetime | None = None, until: datetime | None = None) -> list[int]:
        """Every decision made from `since` on and before `until`."""
        decided_at = schema.decisions.c.decided_at
        asked = select(_NUMBER).select_from(schema.decisions).order_by(_NUMBER)
        if since is not None:
            asked = asked.where(decided_at >= to_micros(since))
        if until is not None:
            asked = asked.where(decided_at < to_micros(until))
        with connection_of(self._engine, self.path) as connection:
            return [int(number) for number in connection.execute(asked).scalars()]

    def numbers_of(self, decision_ids: Sequence[str]) -> list[int]:
        """The named decisions, in the order in which they are named. Raises `InputError` for one that is not here."""
        found = []
        with connection_of(self._engine, self.path) as connection:
            for decision_id in decision_ids:
                asked = select(_NUMBER).where(schema.decisions.c.decision_id == decision_id)
                number = connection.execute(asked).scalar()
                if number is None:
                    raise InputError(f"there is no decision '{decision_id}'", where=str(self.path), mend="check the id")
                found.append(int(number))
        return found

    def kept(self, numbers: Sequence[int], *, whole: bool) -> Iterator[Kept | Damaged]:
        """The decisions of these numbers, in order of writing; without `whole` only what went in is read."""
        columns = [*_COLUMNS, "answer", "decision"] if whole else _COLUMNS
        wanted: Any = select(*map(_as_stored, columns)).select_from(schema.decisions)
        for at in range(0, len(numbers), _AT_ONCE):
            asked = wanted.where(_NUMBER.in_(numbers[at : at + _AT_ONCE])).order_by(_NUMBER)
            with connection_of(self._engine, self.path) as connection:
                rows = connection.execute(asked).all()
            for row in rows:
                yield _kept(row)

    def policy(self, version: str) -> bytes | None:
        """The policy of that version, as canonical JSON."""
        asked = select(cast(schema.policies.c.body, LargeBinary)).where(schema.policies.c.version == version)
        with connection_of(self._engine, self.path) as connection:
            body = connection.execute(asked).scalar()
        return None if body is None else bytes(body)


def _as_stored(name: str) -> Any:
    """A column whatever lies in it; text as bytes, because SQLite keeps text that is none and the driver would stop at it."""
    own = f"decisions.{name}"
    return literal_column(f"CASE typeof({own}) WHEN 'text' THEN CAST({own} AS BLOB) ELSE {own} END").label(name)


def _kept(row: Row[Any]) -> Kept | Damaged:
    try:
        told = {"client": _text(row.client), "customer_id": _text(row.customer_id), "mode": _text(row.mode)}
        return Kept(
            _text(row.decision_id),
            _text(row.policy_version),
            told | {"decided_at": from_micros(row.decided_at)},
            summary_out(
                None if row.favorite is None else _text(row.favorite),
                row.opens_at,
                row.net,
                row.decided_on,
                _text(row.stopped),
            ),
            unpacked(row.inputs),
            unpacked(row.decision) if "decision" in row._fields else None,
            row.answer if "answer" in row._fields else None,
        )
    except (TypeError, ValueError, OverflowError, RecursionError):
        return Damaged(str(row.decision_id, "utf-8", "replace") if isinstance(row.decision_id, bytes) else "(no id)")


def _text(stored: object) -> str:
    if not isinstance(stored, bytes):
        raise TypeError("not a text")
    return stored.decode()
