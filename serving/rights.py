"""Receiving what a person may ask of their own data: objections, pauses, erasures and access."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from arbitration.errors import DirigentError
from serving.auth import Client
from serving.context import customer_of
from serving.decisions import Reply
from serving.exporting import document_of
from serving.forgetting import bar_leaving, finish_in_background, follow_objection
from serving.ledger.rights import Erasure, aliases_of, erase, erasure, objected, objection_lifted, paused
from serving.ledger.transaction import Transaction
from serving.logs import log, pseudonym
from serving.once import erased_once, once, report_of
from serving.problems import not_found
from serving.schemas import parse
from serving.schemas_rights import (
    ErasureAnswer,
    ErasureRequest,
    ExportRequest,
    ObjectionAnswer,
    ObjectionReport,
    PauseAnswer,
    PauseReport,
)

if TYPE_CHECKING:
    from serving.bootstrap import Runtime


def receive_objection(runtime: Runtime, body: bytes) -> Reply:
    """Keep an objection, or that it was lifted: in the ledger first, then in the list of whom no file may be read of.

    Raises `Problem` (400, 409, 422).
    """
    said, plain = parse(ObjectionReport, body)
    report = report_of(runtime, "objections", said, plain)

    def told(released: int, *, kept: bool) -> ObjectionAnswer:
        return ObjectionAnswer(id=said.id, source=said.source, state=said.state, kept=kept, released=released)

    def work(tx: Transaction) -> ObjectionAnswer:
        if said.state == "lifted":
            objection_lifted(tx)
            return told(0, kept=True)
        return told(objected(tx), kept=True)

    reply = once(runtime, report, work, lambda: told(0, kept=False))
    _carry_over(lambda: follow_objection(runtime.ledger, runtime.settings.paths, report.customer_id))
    return reply


def receive_pause(runtime: Runtime, body: bytes) -> Reply:
    """Keep until when nothing may speak to a customer. Raises `Problem` (400, 409, 422)."""
    said, plain = parse(PauseReport, body)
    report = report_of(runtime, "pauses", said, plain)

    def told(released: int, *, kept: bool) -> PauseAnswer:
        return PauseAnswer(
            id=said.id, source=said.source, until=said.until, reason=said.reason, kept=kept, released=released
        )

    return once(runtime, report, lambda tx: told(paused(tx, said.until), kept=True), lambda: told(0, kept=False))


def receive_erasure(runtime: Runtime, body: bytes) -> Reply:
    """Forget a customer: 202 once the ledger has, with the id under which to ask how far the files are. Raises `Problem`.

    Whoever spoke under one of the customer's aliases is forgotten behind that; what a crash in between leaves, the retention job takes.
    """
    said, plain = parse(ErasureRequest, body)
    report = report_of(runtime, "erasures", said, plain, status=202)
    aliases: set[str] = set()

    def work(tx: Transaction) -> ErasureAnswer:
        name = tx.keyring.new_id("x")
        aliases.update(other.customer_id for other in tx.others_of(report.customer_id) if other.subject)
        aliases.intersection_update(aliases_of(tx, report.customer_id))
        erase(tx, name, report.customer_id, said.reason)
        return ErasureAnswer(erasure_id=name, state="forgotten", requested_at=tx.now())

    reply = erased_once(runtime, report, work)
    for alias in sorted(aliases):
        erasing = partial(erase, erasure_id=runtime.ledger.keyring.new_id("x"), customer_id=alias, reason=said.reason)
        _carry_over(partial(runtime.ledger.write, alias, erasing))
    _carry_over(lambda: bar_leaving(runtime.ledger, runtime.settings.paths))
    finish_in_background(runtime.ledger, runtime.settings.paths)
    return reply


def erasure_of(runtime: Runtime, erasure_id: str) -> bytes:
    """How far an erasure is. Raises `Problem` (404)."""
    with runtime.ledger.reading() as reading:
        found = erasure(reading, erasure_id)
    if found is None:
        raise not_found("erasure")
    return _progress_of(found).body()


def export_for(runtime: Runtime, client: Client, body: bytes) -> Reply:
    """All that is known of a customer, as one JSON document. Raises `Problem` (400, 422)."""
    said, _ = parse(ExportRequest, body)
    with runtime.ledger.reading() as reading:
        customer_id = customer_of(reading, said.customer, reading.now())
    found = document_of(runtime.ledger, runtime.settings.paths, runtime.features, runtime.policy.channels, customer_id)
    log.info("exported", customer=pseudonym(runtime.salt, customer_id), client=client.name, bytes=len(found))
    return 200, found


def _progress_of(found: Erasure) -> ErasureAnswer:
    return ErasureAnswer(
        erasure_id=found.id, state="done" if found.files_done_at else "forgotten", requested_at=found.requested_at,
        done_at=found.files_done_at,
    )  # fmt: skip


def _carry_over(change: Callable[[], object]) -> None:
    """Make what lies behind follow the ledger: the list of the barred, so that nothing reads the files' rows, and whom an alias named.
    The ledger holds already what was said: a failure here is mended by whoever finishes an erasure, by the retention job and by the next start, and the answer stands.
    """
    try:
        change()
    except (DirigentError, OSError) as error:
        log.warning("not barred yet", error=type(error).__name__)
