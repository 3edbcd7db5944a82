"""What a person said takes effect once, however often it is reported; the first answer is given again, byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from arbitration.codec import canonical_json
from arbitration.errors import LedgerError
from serving.answer_shapes import Shape
from serving.context import customer_of
from serving.decisions import Reply, used_before
from serving.ledger.contacts import expire_due
from serving.ledger.requests import earlier, remember
from serving.ledger.rows import Answer
from serving.ledger.transaction import Transaction
from serving.schemas_rights import Said

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

Work = Callable[[Transaction], Shape]
_OF_NOBODY = b"{}"


class _AnsweredBefore(Exception):
    """The transaction is undone: this was answered already."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _Forgotten(Exception):
    """The transaction is undone, so that nothing names the customer again, who was erased."""


@dataclass(frozen=True, slots=True)
class Report:
    """One checked report. The digest of its body is keyed: a plain one would let anybody try out whom an erased row was about."""

    endpoint: str
    said: Said
    customer_id: str
    digest: str
    status: int = 200

    @property
    def name(self) -> tuple[str, str, str]:
        """What names it: source, endpoint, id."""
        return self.said.source, self.endpoint, self.said.id


def report_of(runtime: Runtime, endpoint: str, said: Said, plain: Any, status: int = 200) -> Report:
    """The report with its customer."""
    with runtime.ledger.reading() as reading:
        customer_id = customer_of(reading, said.customer, reading.now())
    digest = runtime.ledger.keyring.suppressed_hash(canonical_json(plain).decode())
    return Report(endpoint, said, customer_id, digest, status)


def once(runtime: Runtime, report: Report, work: Work, forgotten: Callable[[], Shape]) -> Reply:
    """Answer with what `work` says, from the transaction in which it did its part, or as before. Raises `Problem` (409 while the same
    report is being answered, 422 when its id was used for another body) and what `work` raises.

    `forgotten` gives the answer about somebody who was erased, of whom nothing is written any more.
    """

    def first(tx: Transaction) -> Answer:
        known = earlier(tx, *report.name)
        if known is not None:
            raise _AnsweredBefore(known)
        if tx.is_suppressed(report.customer_id):
            raise _Forgotten
        expire_due(tx)
        return _kept(tx, report, work(tx).body())

    with runtime.in_flight.only(report.name):
        status, told = _same(runtime, report, lambda: _or_forgotten(runtime, report, first, forgotten))
    return status, forgotten().body() if told == _OF_NOBODY else told


def erased_once(runtime: Runtime, report: Report, work: Work) -> Reply:
    """The same for an erasure, which is carried out also where the customer was erased before, and whose answer outlives it."""

    def first(tx: Transaction) -> Answer:
        known = earlier(tx, *report.name)
        if known is not None:
            raise _AnsweredBefore(known)
        return _kept(tx, report, work(tx).body(), of_customer=False)

    with runtime.in_flight.only(report.name):
        return _same(runtime, report, lambda: runtime.ledger.write(report.customer_id, first))


def _same(runtime: Runtime, report: Report, write: Callable[[], Answer]) -> Reply:
    with runtime.ledger.reading() as reading:
        found = earlier(reading, *report.name)
    if found is None:
        try:
            found = write()
        except _AnsweredBefore as before:
            found = before.answer
        except IntegrityError:  # another process answered the same id for another customer at this moment
            with runtime.ledger.reading() as reading:
                found = earlier(reading, *report.name)
            if found is None:
                raise LedgerError(
                    "a report could not be kept: what it met is gone again", mend="report it again"
                ) from None
    if found.body_digest != report.digest:
        raise used_before("id")
    return found.status, found.body


def _or_forgotten(
    runtime: Runtime, report: Report, first: Callable[[Transaction], Answer], forgotten: Callable[[], Shape]
) -> Answer:
    """Of somebody who was erased nothing is kept but that this was answered: the answer repeats names that the caller chose, and
    can be made of the report again.
    """
    try:
        return runtime.ledger.write(report.customer_id, first)
    except _Forgotten:
        forgotten()  # raises where nothing may be answered
        return runtime.ledger.write(None, lambda tx: _kept(tx, report, _OF_NOBODY))


def _kept(tx: Transaction, report: Report, told: bytes, *, of_customer: bool = True) -> Answer:
    answer = Answer(report.digest, report.status, told)
    remember(tx, *report.name, answer, of_customer=of_customer)
    return answer
