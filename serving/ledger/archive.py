"""Recorded decisions in bulk, for reading alone: nothing is locked or created, and a service may write meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import LargeBinary, Row, cast, literal_column, select
from sqlalchemy.engine import Engine

from arbitration.errors import InputError, LedgerError
from serving.ledger import schema
from serving.ledger.engine import connection_of, open_read_only
from serving.ledger.keyring import Keyring
from serving.ledger.migrate import check_version
from serving.ledger.packing import summary_out, unpacked
from serving.ledger.place import Address
from serving.ledger.rows import Summary
from serving.ledger.schema import from_micros, to_micros

_COLUMNS = (
    "decision_id", "subject", "policy_version", "client", "mode", "decided_at",
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
    """The decisions of one ledger; numbers follow the order of writing. Decisions of erased customers are not among them."""

    def __init__(self, address: Address) -> None:
        self.place, self._keyring = address.place, address.keyring
        self._engine: Engine = open_read_only(self.place)
        self._table = schema.decisions.join(schema.subjects, schema.decisions.c.subject == schema.subjects.c.subject)
        self._kept = schema.subjects.c.customer_id.is_not(None)
        try:
            check_version(self._engine, self.place, self._keyring)
        except BaseException:
            self.close()
            raise

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
        asked = select(_NUMBER).select_from(self._table).where(self._kept).order_by(_NUMBER)
        if since is not None:
            asked = asked.where(decided_at >= to_micros(since))
        if until is not None:
            asked = asked.where(decided_at < to_micros(until))
        with connection_of(self._engine, self.place) as connection:
            return [int(number) for number in connection.execute(asked).scalars()]

    def numbers_of(self, decision_ids: Sequence[str]) -> list[int]:
        """The named decisions, in the order in which they are named. Raises `InputError` for one that is not here."""
        found = []
        with connection_of(self._engine, self.place) as connection:
            for decision_id in decision_ids:
                asked = select(_NUMBER).select_from(self._table)
                number = connection.execute(
                    asked.where(self._kept, schema.decisions.c.decision_id == decision_id)
                ).scalar()
                if number is None:
                    raise InputError(
                        f"there is no decision '{decision_id}'", where=self.place.shown, mend="check the id"
                    )
                found.append(int(number))
        return found

    def kept(self, numbers: Sequence[int], *, whole: bool) -> Iterator[Kept | Damaged]:
        """The decisions of these numbers, in order of writing; without `whole` only what went in is read."""
        columns = [*_COLUMNS, "answer", "decision"] if whole else _COLUMNS
        wanted: Any = select(
            *map(self._as_stored, columns), schema.subjects.c.customer_id, schema.subjects.c.sealing_key
        )
        wanted = wanted.select_from(self._table).where(self._kept)
        for at in range(0, len(numbers), _AT_ONCE):
            asked = wanted.where(_NUMBER.in_(numbers[at : at + _AT_ONCE])).order_by(_NUMBER)
            with connection_of(self._engine, self.place) as connection:
                rows = connection.execute(asked).all()
            for row in rows:
                yield _kept(row, self._keyring)

    def policy(self, version: str) -> bytes | None:
        """The policy of that version, as canonical JSON."""
        asked = select(cast(schema.policies.c.body, LargeBinary)).where(schema.policies.c.version == version)
        with connection_of(self._engine, self.place) as connection:
            body = connection.execute(asked).scalar()
        return None if body is None else bytes(body)

    def _as_stored(self, name: str) -> Any:
        """A column whatever lies in it; text as bytes, because SQLite keeps text that is none and the driver would stop at it."""
        if not self.place.is_sqlite:
            return schema.decisions.c[name]
        own = f"decisions.{name}"
        return literal_column(f"CASE typeof({own}) WHEN 'text' THEN CAST({own} AS BLOB) ELSE {own} END").label(name)


_NUMBER = schema.decisions.c.number


def _kept(row: Row[Any], keyring: Keyring) -> Kept | Damaged:
    try:
        told = {"client": _text(row.client), "customer_id": row.customer_id, "mode": _text(row.mode)}
        name = _text(row.decision_id)
        return Kept(
            name,
            _text(row.policy_version),
            told | {"decided_at": from_micros(row.decided_at)},
            summary_out(
                None if row.favorite is None else _text(row.favorite),
                row.opens_at,
                row.net,
                row.decided_on,
                _text(row.stopped),
            ),
            _part(row, name, "inputs", keyring),
            _part(row, name, "decision", keyring) if "decision" in row._fields else None,
            _part(row, name, "answer", keyring) if "answer" in row._fields else None,
        )
    except (TypeError, ValueError, OverflowError, RecursionError):
        return Damaged(str(row.decision_id, "utf-8", "replace") if isinstance(row.decision_id, bytes) else "(no id)")


def _part(row: Row[Any], name: str, part: str, keyring: Keyring) -> bytes | None:
    """What was sealed, or None where it cannot be opened."""
    try:
        key = keyring.unwrapped(row.sealing_key, _text(row.subject))
        return unpacked(keyring.open(key, getattr(row, part), f"{name}.{part}"))
    except LedgerError:
        return None


def _text(stored: object) -> str:
    if isinstance(stored, str):
        return stored
    if not isinstance(stored, bytes):
        raise TypeError("not a text")
    return stored.decode()
