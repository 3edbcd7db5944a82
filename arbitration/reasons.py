"""Why this decision, as codes with facts; `explain.py` turns them into sentences.

Facts hold ids, money, shares and moments (ISO text in UTC), never words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite

from arbitration.codec import encode
from arbitration.domain import Arm, Estimates, FeatureValue, Plan, Ranked, Reason, Rejection, Treatment
from arbitration.gates import GATES
from arbitration.gates.case import Case
from arbitration.value import value_unknown

ORDER = {code: at for at, code in enumerate([*(gate.code for gate in GATES), value_unknown.__name__])}


def reasons_of(
    case: Case,
    estimates: Estimates,
    *,
    winner: Ranked | None,
    arm: Arm,
    ranked: Sequence[Ranked],
    rejections: Sequence[Rejection],
    plan: Plan,
) -> tuple[Reason, ...]:
    """The reasons of a decision that was evaluated, most important first."""
    found = _of_winner(case, winner, arm, ranked, plan) if winner else _of_silence(case, arm, ranked, rejections)
    if winner and estimates.churn_risk.tier > 0 and _finite(estimates):
        facts: dict[str, FeatureValue] = {"risk": estimates.churn_risk.mean, "stake": estimates.recency_value.mean}
        found.append(Reason("churn_stake", {**facts, "currency": case.policy.economics.currency}))
    if not case.context.known:
        found.append(Reason("cold_start", {}))
    if case.context.degraded and case.context.known:
        found.append(Reason("degraded", {"names": ", ".join(case.context.degraded)}))
    return tuple(found)


def _finite(estimates: Estimates) -> bool:
    return isfinite(estimates.churn_risk.mean) and isfinite(estimates.recency_value.mean)


def _of_winner(case: Case, winner: Ranked, arm: Arm, ranked: Sequence[Ranked], plan: Plan) -> list[Reason]:
    facts = {**_money(winner, case), "send_at": encode(winner.candidate.window.opens_at)}
    if arm == "explore":
        found = [Reason("explored", {**facts, "probability": winner.probability})]
    else:
        found = [Reason("worth_most", facts)]
    second = next((it for it in ranked if it.candidate.treatment != winner.candidate.treatment), None)
    if second is not None and arm == "exploit":
        found.append(_second(winner, second, case))
    found.append(_consent(case, winner))
    if len(plan.steps) > 1:
        step = plan.steps[1]
        then = {"channel": step.candidate.treatment.channel, "send_at": encode(step.send_at)}
        found.append(
            Reason("fallback", {**then, "plan_value": plan.expected_value, "currency": case.policy.economics.currency})
        )
    return found


def _second(winner: Ranked, second: Ranked, case: Case) -> Reason:
    """The best other treatment, or silence where that would have been worth more."""
    if second.value.decided_on > 0:
        lost_by = winner.value.decided_on - second.value.decided_on
        return Reason("runner_up", {**_money(second, case), "lost_by": lost_by})
    currency = case.policy.economics.currency
    return Reason("silence_next", {"decided_on": winner.value.decided_on, "currency": currency})


def _consent(case: Case, winner: Ranked) -> Reason:
    channel, record = case.channel(winner.candidate), case.consent(winner.candidate)
    if not channel.needs_consent or record is None:
        return Reason("no_consent_needed", {"channel": channel.id})
    return Reason("consent_held", {"channel": channel.id, "basis": record.legal_basis, "evidence": record.evidence_id})


def _of_silence(case: Case, arm: Arm, ranked: Sequence[Ranked], rejections: Sequence[Rejection]) -> list[Reason]:
    if arm == "holdout":
        return [Reason("holdout", {})]
    if arm == "silence_floor":
        return [Reason("silence_floor", _money(ranked[0], case))]
    if ranked:
        return [Reason("silence_worth_more", _money(ranked[0], case))]
    stops = furthest(rejections)
    counted = Counter(no.code for no in stops)
    return [Reason("nothing_admissible", {"messages": len(stops)})] + [
        Reason(code, _stop([no for no in stops if no.code == code])) for code, _ in counted.most_common(3)
    ]


def furthest(rejections: Iterable[Rejection]) -> list[Rejection]:
    """Per treatment the rejection of the window that came through most gates: night hours hide nothing else then."""
    found: dict[Treatment, Rejection] = {}
    for no in _per_run(rejections):
        kept = found.setdefault(no.candidate.treatment, no)
        if ORDER[no.code] > ORDER[kept.code]:
            found[no.candidate.treatment] = no
    return list(found.values())


def _per_run(rejections: Iterable[Rejection]) -> list[Rejection]:
    """The furthest of each run of windows of one treatment. A plain loop: every live decision passes here more than once."""
    kept: list[Rejection] = []
    treatment, rank = None, -1
    for no in rejections:
        own = ORDER[no.code]
        if no.candidate.treatment is not treatment:
            treatment, rank = no.candidate.treatment, own
            kept.append(no)
        elif own > rank:
            rank, kept[-1] = own, no
    return kept


def _stop(stops: Sequence[Rejection]) -> dict[str, FeatureValue]:
    frees = [no.free_at for no in stops if no.free_at is not None]
    lacking = {no.missing for no in stops}
    missing = lacking.pop() if len(lacking) == 1 else None  # one cause is named only if it is the cause of all
    return {"messages": len(stops), "missing": missing, "free_at": encode(min(frees)) if frees else None}


def _money(item: Ranked, case: Case) -> dict[str, FeatureValue]:
    treatment, value = item.candidate.treatment, item.value
    return {
        "journey": treatment.journey,
        "channel": treatment.channel,
        "net": value.net,
        "decided_on": value.decided_on,
        "currency": case.policy.economics.currency,
    }
