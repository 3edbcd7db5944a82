"""The HTTP answer to a decision request, made from its record."""

from __future__ import annotations

from datetime import datetime

from arbitration.domain import (
    PARTS,
    SILENCE,
    Candidate,
    Decision,
    Explanation,
    Ranked,
    Rejection,
    SendWindow,
    Treatment,
    Value,
)
from arbitration.explain import explain
from arbitration.gates.case import Case
from arbitration.policy import BusinessName, Policy
from arbitration.windows import zone_of
from features.registry import business_names
from serving.answer_shapes import (
    Action,
    Alternative,
    ConsentEvidence,
    Content,
    DecisionAnswer,
    ExpectedValue,
    Held,
    NextCategory,
    PostponedJourney,
    Rejected,
    Step,
    Text,
    Versions,
    Window,
)
from serving.ledger.postponed import postponed_in
from serving.next_category import told_category
from serving.records import Record
from serving.weighing import UNWEIGHED, Weighed
from training.names import PAIR_NAMES

NAMES = (
    dict(business_names())
    | dict(PAIR_NAMES)
    | {
        "journey": BusinessName(en="Journey", de="Journey"),  # inputs of the channel model that are no features
        "channel": BusinessName(en="Channel", de="Kanal"),
    }
)


def answer_of(record: Record, policy: Policy) -> DecisionAnswer:
    """The whole answer; fields that do not apply are left out when it is sent."""
    decision = record.decision
    told = {lang: explanation(record, policy, lang, brief=True) for lang in ("de", "en")}
    steps = _steps(record)
    return DecisionAnswer(
        decision_id=decision.decision_id,
        decided_at=decision.decided_at,
        valid_until=decision.valid_until,
        mode=record.mode,  # type: ignore[arg-type]
        outcome=decision.outcome,
        probability=decision.probability,
        arm=decision.arm,
        degraded=list(decision.degraded),
        action=_action(record, policy),
        reservation=_held(record),
        plan=steps,
        stop_if=list(dict.fromkeys(stop for step in steps for stop in step.stop_if)),
        alternatives=_alternatives(record),
        rejected=_rejected(decision),
        postponed=_postponed(record),
        consent=_consents(record, policy),
        versions=_versions(record),
        simulated=record.simulated,
        explanation=Text(**{lang: _prose(one) for lang, one in told.items()}),
        store_summary=Text(**{lang: one.store_summary for lang, one in told.items()}),
    )


def explanation(
    record: Record, policy: Policy, lang: str, weighed: Weighed = UNWEIGHED, *, brief: bool = False
) -> Explanation:
    """The decision in words, with the features' business names and, where it was weighed, what would change it."""
    return explain(
        record.decision,
        policy,
        names=NAMES,
        attributions=record.attributions,
        lang="de" if lang == "de" else "en",
        features=record.context.features,
        sensitivity=weighed.sensitivity,
        counterfactuals=weighed.counterfactuals,
        brief=brief,
    )


def _prose(told: Explanation) -> str:
    """Headline and sentences as one text; a headline of silence already says the first sentence."""
    headline = told.headline.rstrip(".") + "."
    return " ".join((headline, *(sentence for sentence in told.sentences if sentence not in told.headline)))


def local(moment: datetime, time_zone: str | None) -> str | None:
    """The moment on the customer's clock, with its offset, to the minute."""
    zone = zone_of(time_zone)
    return moment.astimezone(zone).isoformat(timespec="minutes") if zone else None


def _held(record: Record) -> Held | None:
    held = record.reservation
    return Held(id=held.id, epoch=held.epoch, lease_until=held.lease_until, review=held.review) if held else None  # type: ignore[arg-type]


def _action(record: Record, policy: Policy) -> Action | None:
    winner, steps = record.decision.winner, record.decision.plan.steps
    if winner is None:
        return None
    treatment = winner.candidate.treatment
    send_at = steps[0].send_at if steps else winner.candidate.window.opens_at
    return Action(
        journey=treatment.journey,
        treatment=treatment.id,
        channel=treatment.channel,
        template=treatment.template,
        kind=treatment.kind,
        route_to=treatment.route_to,
        offer=treatment.offer.id if treatment.offer else None,
        send_at=send_at,
        send_at_local=local(send_at, record.context.time_zone),
        window=_window(winner.candidate.window),
        probability=winner.probability,
        arm=record.decision.arm,
        propensity=winner.propensity.mean,
        expected_value=_expected(winner.value, policy.economics.currency),
        content=_content(record),
    )


def _content(record: Record) -> Content | None:
    """What a message may be about; nothing for an action that shows none, or where nothing is known."""
    likely = told_category(record.decision, record.estimates)
    if likely is None:
        return None
    return Content(next_category=NextCategory(category=likely.category, probability=likely.probability))


def _expected(value: Value, currency: str) -> ExpectedValue:
    return ExpectedValue(
        currency=currency, net=value.net, cautious=value.decided_on, low=value.low, high=value.high,
        parts={part: getattr(value, part) for part in PARTS}, tiers=dict(zip(PARTS, value.tiers, strict=True)),
    )  # fmt: skip


def _window(window: SendWindow) -> Window:
    return Window(opens_at=window.opens_at, closes_at=window.closes_at)


def _steps(record: Record) -> list[Step]:
    return [
        Step(
            step=number,
            journey=step.candidate.treatment.journey,
            treatment=step.candidate.treatment.id,
            channel=step.candidate.treatment.channel,
            template=step.candidate.treatment.template,
            kind=step.candidate.treatment.kind,
            route_to=step.candidate.treatment.route_to,
            offer=step.candidate.treatment.offer.id if step.candidate.treatment.offer else None,
            send_at=step.send_at,
            send_at_local=local(step.send_at, record.context.time_zone),
            window=_window(step.candidate.window),
            wait_hours=step.wait_hours,
            advance_if=step.advance_if,
            stop_if=list(step.stop_if),
            expires_at=step.expires_at,
            expected_value=step.expected_value,
        )
        for number, step in enumerate(record.decision.plan.steps)
    ]


def _alternatives(record: Record) -> list[Alternative]:
    """The best window of each other treatment, and silence when it did not win, by the money they lost by."""
    decision = record.decision
    chosen = decision.winner.value.decided_on if decision.winner else 0.0
    best: dict[str, Ranked] = {}
    for item in decision.ranked:
        best.setdefault(item.candidate.treatment.id, item)
    if decision.winner:
        best.pop(decision.winner.candidate.treatment.id, None)
    found = [_alternative(item.candidate, item, chosen) for item in best.values()]
    if decision.winner:
        found.append(
            Alternative(
                candidate=SILENCE, journey=SILENCE, channel="none", probability=decision.silence_probability,
                expected_value=0.0, cautious_value=0.0, lost_by=chosen,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: one.lost_by)


def _alternative(candidate: Candidate, item: Ranked, chosen: float) -> Alternative:
    return Alternative(
        candidate=candidate.id, journey=candidate.treatment.journey, channel=candidate.treatment.channel,
        probability=item.probability, expected_value=item.value.net,
        cautious_value=item.value.decided_on, lost_by=chosen - item.value.decided_on,
    )  # fmt: skip


def _rejected(decision: Decision) -> list[Rejected]:
    """Treatments of which no window competes: one line per reason, with the earliest moment at which one would pass.

    Where another reason stops the treatment for who knows how long, no moment is told: it would not be free then.
    """
    competing = {item.candidate.treatment for item in decision.ranked}
    first: dict[tuple[Treatment, str], Rejection] = {}
    frees: dict[tuple[Treatment, str], list[datetime]] = {}
    for no in decision.rejections:
        if no.candidate.treatment not in competing:
            key = (no.candidate.treatment, no.code)
            first.setdefault(key, no)
            if no.free_at:
                frees.setdefault(key, []).append(no.free_at)
    endless = {key[0] for key in first if key not in frees}
    return [
        Rejected(
            candidate=key[0].id, stage=no.stage, reason=no.code, missing=no.missing,
            free_at=None if key[0] in endless else min(frees[key]),
        )
        for key, no in first.items()
    ]  # fmt: skip


def _postponed(record: Record) -> list[PostponedJourney]:
    found = postponed_in(record.decision, record.context, record.mode)
    return [PostponedJourney(journey=one.journey, reason=one.reason, free_at=one.free_at) for one in found]


def _consents(record: Record, policy: Policy) -> list[ConsentEvidence]:
    """What the steps of the plan rest on; a channel that needs no consent rests on none."""
    case, found = Case(record.context, policy, record.now), dict[str, ConsentEvidence]()
    for step in record.decision.plan.steps:
        channel = step.candidate.treatment.channel
        consent = case.consent(step.candidate)
        if consent is not None and policy.channels[channel].needs_consent:
            found[channel] = ConsentEvidence(
                channel=channel, purpose=consent.purpose, basis=consent.legal_basis, evidence=consent.evidence_id
            )
    return list(found.values())


def _versions(record: Record) -> Versions:
    policy = record.decision.policy_version
    models = dict(sorted(record.models.items()))  # as a record keeps them, so that the same bytes are answered from it
    return Versions(policy=policy, catalog=policy, features=record.features, bundle=record.bundle, models=models)
