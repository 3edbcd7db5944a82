"""Looking back: the record of a decision, and its explanation for one of four readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from arbitration.associate import contact_summary, next_best_action
from arbitration.codec import canonical_json, decode, encode
from arbitration.customer import for_customer
from arbitration.errors import LedgerError
from arbitration.explanation import Lang
from arbitration.policy import Policy
from serving.answers import answer_of, explanation
from serving.context import barred
from serving.openapi import LANGUAGES, READERS
from serving.problems import FieldError, Problem, field_path, not_found
from serving.records import Record, plain_record
from serving.reserved import aftermath
from serving.weighing import UNWEIGHED, Weighed, weigh

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

Stands = Literal["objection", "suppression"] | None


def load(runtime: Runtime, decision_id: str) -> tuple[Record, Policy]:
    """The record of a decision and the policy that decided it. Raises `Problem` (404)."""
    with runtime.ledger.reading() as reading:
        row = reading.decision(decision_id)
        if row is None:
            raise not_found("decision")
        record = Record.from_row(row)
        version = record.decision.policy_version
        if version == runtime.policy.version:
            return record, runtime.policy
        body = reading.policy(version)
    if body is None:  # it was written in the decision's own transaction
        raise LedgerError(f"the policy {version} of a decision is missing", mend="restore the ledger from your backup")
    return record, decode(Policy, json.loads(body))


def record_of(runtime: Runtime, decision_id: str) -> bytes:
    """The record with the answer that was given, and what came of it since (places, postponed journeys, outcomes), as JSON without nulls."""
    with runtime.ledger.reading() as reading:
        row = reading.decision(decision_id)
        if row is None:
            raise not_found("decision")
        outcomes, answer = reading.outcomes_of(decision_id), json.loads(row.answer.body)
        since = aftermath(reading, decision_id, [step["treatment"] for step in answer["plan"]])
    seen = [
        {"source": one.source, "step": one.step, "type": one.type, "occurred_at": encode(one.occurred_at)}
        | ({"value": one.value} if one.value is not None else {})
        for one in outcomes
    ]
    told = {"answer": answer, "record": plain_record(row), "outcomes": seen}
    told["reservations"] = [one.model_dump(mode="json") for one in since.reservations]
    told["postponed"] = [one.model_dump(mode="json") for one in since.postponed]
    return canonical_json(_without_nulls(told))


def explanation_of(runtime: Runtime, decision_id: str, query: Mapping[str, str]) -> bytes:
    """The explanation for the reader named by `for`, in `lang`. Raises `Problem` (400 for an unknown value, 404)."""
    lang = _choice(query, "lang", LANGUAGES)
    reader = _choice(query, "for", READERS)
    unknown = sorted(set(query) - {"lang", "for"})
    if unknown:
        raise _wrong([FieldError(field_path([unknown[0]]), "no such parameter")])
    record, policy = load(runtime, decision_id)
    stands = _stands(runtime, record) if reader == "customer" else None
    weighed = UNWEIGHED if reader == "associate" or stands else weigh(record, policy, runtime.bundle)
    told = {"decision_id": decision_id, "lang": lang, "for": reader, "simulated": record.simulated}
    return canonical_json(_without_nulls(told | tell(record, policy, reader, lang, weighed, stands=stands)))


def tell(
    record: Record, policy: Policy, reader: str, lang: str, weighed: Weighed = UNWEIGHED, *, stands: Stands = None
) -> dict[str, Any]:
    """What one of `READERS` gets to read; `weighed` is what would change the decision (`serving.weighing`), `stands` how the customer has
    said no by now.
    """
    spoken: Lang = "de" if lang == "de" else "en"
    if reader == "customer":
        return _for_customer(record, policy, spoken, weighed, stands)
    return _READER[reader](record, policy, spoken, weighed)


def _stands(runtime: Runtime, record: Record) -> Stands:
    """How the customer of a decision has said no by now, also after it was made; None when they have not."""
    with runtime.ledger.reading() as reading:
        now = reading.now()
        standing = reading.standing(record.context.customer_id, now, now, runtime.settings.brand)
    return "suppression" if standing.suppressed else "objection" if standing.objected else None


def _choice(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = query.get(name, allowed[0])
    if value not in allowed:
        raise _wrong([FieldError(name, f"one of {', '.join(allowed)}")])
    return value


def _wrong(errors: list[FieldError]) -> Problem:
    names = ", ".join(error.field for error in errors)
    return Problem(400, "invalid-parameter", "The request has wrong parameters", f"Correct: {names}.", errors=errors)


def _for_marketer(record: Record, policy: Policy, lang: Lang, weighed: Weighed) -> dict[str, Any]:
    told = explanation(record, policy, lang, weighed)
    answer = answer_of(record, policy).model_dump(mode="json", exclude_none=True)
    return {
        "headline": told.headline,
        "sentences": list(told.sentences),
        "contributions": encode(told.contributions),
        "why_not": encode(told.why_not),
        "sensitivity": encode(told.sensitivity),
        "counterfactuals": encode(told.counterfactuals),
        "expected_value": answer.get("action", {}).get("expected_value"),
        "plan": answer["plan"],
        "degraded": answer["degraded"],
    }


def _for_scientist(record: Record, policy: Policy, lang: Lang, weighed: Weighed) -> dict[str, Any]:
    return _for_marketer(record, policy, lang, weighed) | {
        "attributions": encode(record.attributions),
        "estimates": encode(record.estimates),
        "features": encode(record.context.features),
        "values": {item.candidate.id: encode(item.value) for item in record.decision.ranked},
        "probabilities": {item.candidate.id: item.probability for item in record.decision.ranked},
        "silence_probability": record.decision.silence_probability,
        "draw": record.draw,
        "bundle": record.bundle,
        "models": record.models,
    }


def _for_associate(record: Record, policy: Policy, lang: Lang, _: Weighed) -> dict[str, Any]:
    """What to do and what was said last, each in four words; nothing of who must not be contacted."""
    told, action, context = explanation(record, policy, lang), answer_of(record, policy).action, record.context
    best = action.model_dump(include={"journey", "channel", "kind", "route_to"}) if action else {}
    return {
        "store_summary": told.store_summary,
        "next_best_action": best | {"text": next_best_action(told.headline, record.decision, policy, lang)},
        "last_contact": None if barred(context) else _last_contact(record, policy, lang),
        "tier": context.features.get("tier_level"),
    }


def _last_contact(record: Record, policy: Policy, lang: Lang) -> dict[str, Any] | None:
    """The newest contact that was made before the decision."""
    made = [contact for contact in record.context.contacts if contact.sent_at <= record.now]
    last = max(made, key=lambda contact: contact.sent_at, default=None)
    return (
        {"summary": contact_summary(last, policy, lang, record.decision), "sent_at": encode(last.sent_at)}
        if last
        else None
    )


def _for_customer(record: Record, policy: Policy, lang: Lang, weighed: Weighed, stands: Stands) -> dict[str, Any]:
    """At most three reasons that concern the person, what would change it, and how to object or that the objection stands."""
    told = for_customer(record.decision, policy, weighed.counterfactuals, lang, stands)
    return {"reasons": list(told.reasons), "what_would_change_it": list(told.changes), "objection": told.objection}


_READER: Mapping[str, Callable[[Record, Policy, Lang, Weighed], dict[str, Any]]] = {
    "marketer": _for_marketer,
    "scientist": _for_scientist,
    "associate": _for_associate,
}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value
