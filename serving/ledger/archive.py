"""Recorded decisions in bulk, for reading alone: nothing is locked or created, and a service may write meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Row, literal_column, select
from sqlalchemy.engine import Engine

from arbitration.errors import InputError
from serving.ledger import schema
from serving.ledger.engine import connection_of, open_read_only
from serving.ledger.packing import summary_out, unpacked
from serving.ledger.rows import Summary
from serving.ledger.schema import to_micros

_NUMBER: Any = literal_column("decisions.rowid")
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision as it is kept. `inputs` and `decision` are canonical JSON, None where the stored bytes are damaged."""

    decision_id: str
    policy_version: str
    summary: Summary
    inputs: bytes | None
    decision: bytes | None


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

    def kept(self, numbers: Sequence[int], *, whole: bool) -> Iterator[Kept]:
        """The decisions of these numbers, in order of writing; without `whole` only what went in is read."""
        table = schema.decisions
        columns = [column for column in table.c if column.name not in ("answer", "decision")]
        wanted: Any = select(*columns, table.c.decision) if whole else select(*columns)
        for at in range(0, len(numbers), _AT_ONCE):
            asked = wanted.where(_NUMBER.in_(numbers[at : at + _AT_ONCE])).order_by(_NUMBER)
            with connection_of(self._engine, self.path) as connection:
                rows = connection.execute(asked).all()
            for row in rows:
                yield _kept(row, whole=whole)

    def policy(self, version: str) -> bytes | None:
        """The policy of that version, as canonical JSON."""
        asked = select(schema.policies.c.body).where(schema.policies.c.version == version)
        with connection_of(self._engine, self.path) as connection:
            body = connection.execute(asked).scalar()
        return None if body is None else bytes(body)


def _kept(row: Row[Any], *, whole: bool) -> Kept:
    decision = unpacked(row.decision) if whole else None
    return Kept(row.decision_id, row.policy_version, summary_out(row), unpacked(row.inputs), decision)
