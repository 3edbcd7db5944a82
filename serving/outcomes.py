"""Receiving outcomes: kept once, whatever is repeated; opt-outs close their channel, what was not sent frees its place."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from arbitration.codec import canonical_json
from arbitration.domain import Consent, Treatment
from arbitration.errors import LedgerError
from arbitration.policy import Policy
from serving.answer_shapes import OutcomeAnswer
from serving.decisions import Reply, used_before
from serving.ledger.consents import add_consent
from serving.ledger.contacts import expire_due, not_sent, note_reaction, sent
from serving.ledger.history import ENGAGED
from serving.ledger.keyring import Keyring
from serving.ledger.reading import Reading
from serving.ledger.requests import hidden, veiled
from serving.ledger.rows import Answer, DecisionRow, OutcomeRow
from serving.ledger.transaction import Transaction
from serving.problems import FieldError, invalid
from serving.records import Record
from serving.schemas import OutcomeReport, parse

if TYPE_CHECKING:
    from datetime import datetime

    from serving.bootstrap import Runtime

MATCHED, UNMATCHED = 200, 202
ASTRAY = timedelta(days=1)
"""How far the clock of whoever reports may be wrong: one that writes its local time as UTC is off by up to 14 hours."""
WITHDRAWS = ("unsubscribed", "complained")
# A bounced contact did not reach the customer, so that its run may go on with another channel; it was sent all the same.
_NO_REACTION = ("delivered", "bounced", "dismissed")


def report(runtime: Runtime, body: bytes) -> Reply:
    """Keep one outcome: 200 when its decision is known, 202 when not or when it was made only later (kept, but nothing follows from it),
    the same answer again for the same body, 422 for the same source and id with another body, and for what cannot have happened.
    """
    outcome, plain = parse(OutcomeReport, body)
    currency = runtime.policy.economics.currency
    if outcome.value is not None and outcome.value.currency != currency:
        raise invalid([FieldError("value.currency", currency)])
    # Keyed: a plain digest would let anybody try out which names the report held.
    digest = runtime.ledger.keyring.suppressed_hash(canonical_json(plain).decode())
    with runtime.ledger.reading() as reading:
        found = None if _too_early(reading, outcome) else reading.subject_of_decision(outcome.decision_id)

    def work(tx: Transaction) -> OutcomeRow | Reply:
        earlier = _earlier(tx, outcome)
        if earlier is not None:
            return _again(earlier, outcome, digest)
        _check_possible(outcome, tx.now())
        decision = tx.decision(outcome.decision_id) if found else None
        if decision is not None:
            expire_due(tx)
            _follow(tx, runtime.policy, decision, outcome, runtime.settings.brand)
        row = _row(tx.keyring, outcome, digest, tx.now(), matched=decision is not None)
        tx.add_outcome(row)
        tx.emit("dirigent.outcome.recorded.v1", _told(row))
        return row

    try:
        done = runtime.ledger.write(found[1] if found else None, work)
    except IntegrityError:  # another request wrote the same source and id at this moment, under no lock that both take
        return _said_meanwhile(runtime, outcome, digest)
    if not isinstance(done, OutcomeRow):
        return done
    runtime.metrics.outcomes.labels(outcome.type, str(done.matched).lower()).inc()
    return done.answer.status, _answer(outcome, done.answer.status)


def _too_early(reading: Reading, outcome: OutcomeReport) -> bool:
    """Whether it lies before its own decision, so that it cannot be about it. What takes consent back counts whatever its date says."""
    decided = None if outcome.type in WITHDRAWS else reading.decided_at(outcome.decision_id)
    return decided is not None and outcome.occurred_at < decided - ASTRAY


def _check_possible(outcome: OutcomeReport, now: datetime) -> None:
    """Raises `Problem` (422) for what lies ahead or brought less than nothing: it would be learned from like any other."""
    errors = []
    if outcome.occurred_at > now + ASTRAY and outcome.type not in WITHDRAWS:
        errors.append(FieldError("occurred_at", "a moment that has come; this one is more than a day ahead"))
    if outcome.value is not None and outcome.value.amount < 0:
        errors.append(FieldError("value.amount", "0 or more: a return is no outcome of a contact"))
    if errors:
        raise invalid(errors)


def _name(keyring: Keyring, outcome: OutcomeReport) -> str:
    """What the ledger calls it."""
    return hidden(keyring, outcome.source, "outcomes", outcome.id)


def _earlier(reading: Reading, outcome: OutcomeReport) -> Answer | None:
    """What was answered to the same source and id before, whether their decision was known then or not."""
    name = _name(reading.keyring, outcome)
    known = reading.answer_to_outcome(outcome.source, name)
    return known or reading.answer_to_outcome(veiled(reading.keyring, "sources", outcome.source), name)


def _answer(outcome: OutcomeReport, status: int) -> bytes:
    """The answer, made of the report each time: the ledger keeps neither it nor the names in it."""
    told = OutcomeAnswer(
        id=outcome.id, source=outcome.source, decision_id=outcome.decision_id, matched=status == MATCHED
    )
    return told.body()


def _again(earlier: Answer, outcome: OutcomeReport, digest: str) -> Reply:
    """The first answer, byte by byte. Raises `Problem` (422) when it was given for another body."""
    if earlier.body_digest != digest:
        raise used_before("id")
    return earlier.status, _answer(outcome, earlier.status)


def _said_meanwhile(runtime: Runtime, outcome: OutcomeReport, digest: str) -> Reply:
    with runtime.ledger.reading() as reading:
        earlier = _earlier(reading, outcome)
    if earlier is None:
        raise LedgerError("an outcome could not be kept: what it met is gone again", mend="report it again")
    return _again(earlier, outcome, digest)


def _told(row: OutcomeRow) -> dict[str, object]:
    """What the event says of an outcome. Names that callers chose stay here: they may be made of a customer's id."""
    told = {"step": row.step, "type": row.type, "matched": row.matched}
    return {"decision_id": row.decision_id} | told if row.matched else told


def _row(keyring: Keyring, outcome: OutcomeReport, digest: str, now: datetime, *, matched: bool) -> OutcomeRow:
    """The outcome as it is kept. One without a decision belongs to nobody, so that no erasure would find the names in it: they are hidden
    from the beginning.
    """
    source, decision_id = outcome.source, outcome.decision_id
    if not matched:
        source, decision_id = veiled(keyring, "sources", source), veiled(keyring, "decisions", decision_id)
    return OutcomeRow(
        source, _name(keyring, outcome), decision_id, outcome.step, outcome.type, outcome.occurred_at, now,
        outcome.value.amount if outcome.value else None, matched, Answer(digest, MATCHED if matched else UNMATCHED, b""),
    )  # fmt: skip


def _follow(tx: Transaction, policy: Policy, decision: DecisionRow, outcome: OutcomeReport, brand: str) -> None:
    """What the outcome changes for the next decision."""
    steps = Record.from_row(decision).decision.plan.steps
    if outcome.step >= max(len(steps), 1) or (not steps and outcome.type != "converted"):
        expected = f"a step of the decision: 0 to {len(steps) - 1}" if steps else "only conversions follow from silence"
        raise invalid([FieldError("step" if steps else "type", expected)])
    _settle(tx, outcome)
    if outcome.type in WITHDRAWS and _is_opt_out(steps[outcome.step].candidate.treatment, policy):
        _withdraw(tx, steps[outcome.step].candidate.treatment.channel, outcome, brand)
    if outcome.type in (*ENGAGED, *_NO_REACTION):
        note_reaction(tx, decision.decision_id, outcome.step, engaged=outcome.type in ENGAGED)


def _is_opt_out(treatment: Treatment, policy: Policy) -> bool:
    """Whether who complains about this step takes a channel back.

    Nothing was said to the customer by handing over or by leaving a contact out, so there is nothing to take back on a channel
    that needs no consent: the report is kept, and closing the channel would keep a complaint from reaching the service team.
    Where consent is needed (or the channel is unknown by now) the report counts as an opt-out all the same: one too many is safe.
    """
    channel = policy.channels.get(treatment.channel)
    return treatment.kind not in ("route", "suppress") or channel is None or channel.needs_consent


def _settle(tx: Transaction, outcome: OutcomeReport) -> None:
    """A contact frees its place only while all that was ever said of it is "not sent".

    Every other type says that it was sent, whichever came first. `bounced` is one of them: nobody knows how much of the
    message was seen before it came back, so caps and cool-downs count it.
    """
    said = {one.type for one in tx.outcomes_of(outcome.decision_id) if one.step == outcome.step} | {outcome.type}
    if said == {"not_sent"}:
        not_sent(tx, outcome.decision_id, outcome.step, "not_sent")
    else:
        sent(tx, outcome.decision_id, outcome.step, "outcome", outcome.occurred_at)


def _withdraw(tx: Transaction, channel: str, outcome: OutcomeReport, brand: str) -> None:
    """From this report on nothing is allowed on this channel for marketing, whatever was granted before the report.

    The moment of the report, not `occurred_at`: every window that may still be chosen opens later, and a grant that lies
    between the two does not outlive it. When it happened stays with the outcome.
    """
    evidence = f"outcome:{outcome.source}:{_name(tx.keyring, outcome)}"
    add_consent(tx, Consent(channel, "marketing", "withdrawn", "none", evidence, tx.now()), brand)
