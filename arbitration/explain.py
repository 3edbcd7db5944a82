"""A decision in words, built by rule from its reasons; nothing is said that the decision does not hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import cast

from arbitration.associate import store_summary
from arbitration.domain import (
    SILENCE,
    Attribution,
    Contribution,
    Decision,
    FeatureValue,
    Ranked,
    Reason,
    Rejection,
    Treatment,
)
from arbitration.explanation import (
    ContributionLine,
    Counterfactual,
    Direction,
    Explanation,
    Lang,
    Sensitivity,
    WhyNot,
)
from arbitration.frames import FRAMES
from arbitration.gates.calendar import within
from arbitration.naming import REACTION_MODELS, UNSHOWN, Naming
from arbitration.policy import BusinessName, Policy
from arbitration.reasons import furthest
from arbitration.texts import GATE_TEXTS, LESS_SURE_TEXTS, MODELS, SELECTION_TEXTS, STOP_TEXTS
from arbitration.what_if import changed, weighed
from arbitration.wording import plain

NO_FEATURES: Mapping[str, FeatureValue] = MappingProxyType({})
CONSTANT = frozenset({"True", "False"})
"""Rules that look at nobody."""
FORESEEABLE = timedelta(days=180)
"""A moment that is further away stands for no end."""
AT_THE_WINDOW = frozenset({"not_eligible", "not_applicable", "not_suitable"})
"""Rules that are asked with the values of the moment when the window opens."""
RULE_CODES = AT_THE_WINDOW | {"channel_unavailable", "channel_held"}
CAP_CODES = frozenset({"channel_cap", "group_cap", "overall_cap"})
PROOF_CODES = frozenset(
    {"consent_denied", "consent_withdrawn", "consent_expired", "consent_evidence_incomplete"}
)  # fmt: skip
SAY_IT_ALL = frozenset({"consent_missing", "unknown_time_zone", "value_unknown"})
"""Codes whose sentence already names what is missing."""
ASK_AGAIN = frozenset({"live_winner", "channel_held"})
"""Codes whose moment is no promise: after it, it is worth asking again."""
_DETAILS = (
    "purpose", "missing", "by", "limit", "resource", "unknown_stock", "proof", "on_request", "rule", "needed", "here", "free_at", "ask_at", "no_end", "messages",
    "first_at",
)  # fmt: skip


def explain(
    decision: Decision,
    policy: Policy,
    *,
    names: Mapping[str, BusinessName],
    attributions: Iterable[Attribution],
    lang: Lang,
    features: Mapping[str, FeatureValue] = NO_FEATURES,
    sensitivity: Sensitivity | None = None,
    counterfactuals: Iterable[Counterfactual] = (),
    brief: bool = False,
) -> Explanation:
    """The explanation in one language. `names` are the business names of features, `attributions` the models' margins, `features`
    the customer's own values, `sensitivity` and `counterfactuals` what the caller has weighed. A `brief` one leaves out why each other
    candidate was not chosen, which takes as long as the decision itself, and the contributions.
    """
    naming = Naming(decision, policy, names, features, lang)
    return Explanation(
        lang=lang,
        headline=_headline(naming),
        sentences=tuple(_sentence(reason, naming) for reason in decision.reasons),
        store_summary=store_summary(naming),
        why_not=() if brief else tuple(_why_not(naming)),
        contributions=() if brief else _contributions(attributions, naming),
        sensitivity=weighed(sensitivity, naming),
        counterfactuals=changed(counterfactuals, naming),
    )


def _headline(naming: Naming) -> str:
    winner = naming.decision.winner
    if winner is None:
        return f"{naming.frame('headline_silence')}: {_sentence(naming.decision.reasons[0], naming)}"
    treatment, steps = winner.candidate.treatment, naming.decision.plan.steps
    send_at = steps[0].send_at if steps else winner.candidate.window.opens_at
    facts = {"journey": treatment.journey, "channel": treatment.channel, "send_at": send_at.isoformat()}
    placed = treatment.kind == "message" and naming.placed(treatment.channel)
    return naming.frame(
        "headline_placed" if placed else f"headline_{treatment.kind}", route_to=treatment.route_to, **facts
    )


def _sentence(reason: Reason, naming: Naming) -> str:
    if reason.code == "no_consent_needed" and _kind(naming.decision) in UNSHOWN:
        return naming.frame("nothing_shown") + "."
    if reason.code in SELECTION_TEXTS:
        facts = {name: naming.fact(name, value) for name, value in reason.facts.items()}
        choice = _told_of(reason.facts, naming)
        return naming.say(_text(reason, naming)).format(choice=choice, **facts)
    return _clause(reason.code, reason.facts, naming) + "."


def _text(reason: Reason, naming: Naming) -> BusinessName:
    """A reason's text. Where more is expected of what comes next, though less surely, both sides say which figure ranks."""
    net = {one.code: cast(float, one.facts["net"]) for one in naming.decision.reasons if one.code in LESS_SURE_TEXTS}
    more_next = len(net) == len(LESS_SURE_TEXTS) and net["runner_up"] > net["worth_most"]
    return (LESS_SURE_TEXTS if more_next and reason.code in LESS_SURE_TEXTS else SELECTION_TEXTS)[reason.code]


def _kind(decision: Decision) -> str | None:
    return decision.winner.candidate.treatment.kind if decision.winner else None


def _told_of(facts: Mapping[str, FeatureValue], naming: Naming) -> str:
    """The treatment that a reason speaks of, by its journey, channel and value."""
    for item in naming.decision.ranked:
        treatment = item.candidate.treatment
        known = {"journey": treatment.journey, "channel": treatment.channel, "decided_on": item.value.decided_on}
        if all(facts.get(name) == value for name, value in known.items()):
            return naming.choice(treatment.id)
    return ""


def _clause(code: str, facts: Mapping[str, FeatureValue], naming: Naming) -> str:
    """A gate's text with what is known of when it would pass, what is missing and what stood in the way."""
    said = _details(code, facts, naming)
    known = [naming.frame(key, **{key: said[key]}) for key in _DETAILS if said.get(key) is not None]
    text = STOP_TEXTS[code] if code in STOP_TEXTS else GATE_TEXTS[code]
    return naming.say(text) + (f" ({', '.join(known)})" if known else "")


def _details(code: str, facts: Mapping[str, FeatureValue], naming: Naming) -> dict[str, FeatureValue]:
    """What stood in the way, by what it is: a cap, a resource, evidence, a rule with the customer's own value, a journey."""
    said = _timed(code, facts, naming.decision)
    by = said.pop("by", None)
    if code in SAY_IT_ALL:
        said.pop("missing", None)
    if by is None or code == "journey_stopped":  # the line is about that journey already
        return said
    if code in RULE_CODES:
        if str(by) in CONSTANT:
            return said | {"on_request": True if code == "channel_unavailable" else None}
        return said | {"rule": by, "here": naming.here(str(by), cast(float, said.get("hours", 0.0))) or None}
    if code == "out_of_stock" and said.pop("missing", None) is not None:
        return said | {"unknown_stock": by}
    if code == "points_short":
        balance = naming.features.get("points_balance")
        return said | {"here": plain(balance, naming.lang) if balance is not None else None}
    names = {"out_of_stock": "resource"} | dict.fromkeys(CAP_CODES, "limit") | dict.fromkeys(PROOF_CODES, "proof")
    return said | {names.get(code, "by"): by}


def _timed(code: str, facts: Mapping[str, FeatureValue], decision: Decision) -> dict[str, FeatureValue]:
    """The facts with the moment as what it is: the first of several, when to ask again, or too far away to be named."""
    said = dict(facts)
    at, count = said.pop("free_at", None), said.get("messages")
    if not isinstance(at, str):
        return said
    if datetime.fromisoformat(at) - within(decision.decided_at) > FORESEEABLE:
        return said | {"no_end": True}
    several = isinstance(count, int) and count > 1
    return said | {"ask_at" if code in ASK_AGAIN else "first_at" if several else "free_at": at}


def _why_not(naming: Naming) -> Iterable[WhyNot]:
    """One line per treatment that did not win: money if one of its windows passed, else the gate of its best window; then silence."""
    decision = naming.decision
    done = {decision.winner.candidate.treatment} if decision.winner else set()
    for item in decision.ranked:
        if item.candidate.treatment not in done:
            done.add(item.candidate.treatment)
            yield _lost(item, naming)
    if decision.winner:
        lost_by, title = decision.winner.value.decided_on, naming.frame("headline_silence")
        yield _beaten(SILENCE, title, lost_by, naming)
    for no in furthest(decision.rejections):
        if no.candidate.treatment not in done:
            done.add(no.candidate.treatment)
            yield _refused(no, naming)


def _lost(item: Ranked, naming: Naming) -> WhyNot:
    winner, treatment = naming.decision.winner, item.candidate.treatment
    lost_by = (winner.value.decided_on if winner else 0.0) - item.value.decided_on
    return _beaten(treatment.id, naming.title(treatment), lost_by, naming)


def _beaten(treatment: str, title: str, lost_by: float, naming: Naming) -> WhyNot:
    code = "not_drawn" if lost_by < 0 else "lost_by" if naming.decision.winner else "below_silence"
    sentence = f"{title}: {naming.frame(code, lost_by=abs(lost_by))}"
    return WhyNot(treatment, code, lost_by, title, sentence)


def _refused(no: Rejection, naming: Naming) -> WhyNot:
    offer = no.candidate.treatment.offer
    facts: dict[str, FeatureValue] = {
        "missing": no.missing, "by": no.by, "free_at": no.free_at.isoformat() if no.free_at else None,
    }  # fmt: skip
    if no.stage == "consent" and no.code.startswith("consent_"):
        facts["purpose"] = _purpose(no.candidate.treatment, naming.policy)
    if no.code in AT_THE_WINDOW:
        facts["hours"] = (no.candidate.window.opens_at - naming.decision.decided_at) / timedelta(hours=1)
    if no.code == "points_short" and offer is not None:
        facts["needed"] = -offer.points
    title = naming.title(no.candidate.treatment)
    return WhyNot(no.candidate.treatment.id, no.code, None, title, f"{title}: {_clause(no.code, facts, naming)}")


def _purpose(treatment: Treatment, policy: Policy) -> str:
    return "service" if treatment.kind == "suppress" else policy.journeys[treatment.journey].purpose


def _contributions(attributions: Iterable[Attribution], naming: Naming) -> tuple[ContributionLine, ...]:
    """All contributions, largest margin first; where nothing is shown, nobody reacts."""
    silent = REACTION_MODELS if _kind(naming.decision) in UNSHOWN else frozenset[str]()
    pairs = [(given.model, part) for given in attributions for part in given.contributions if given.model not in silent]
    return tuple(_contribution(*pair, naming) for pair in sorted(pairs, key=lambda it: -abs(it[1].margin)))


def _contribution(model: str, part: Contribution, naming: Naming) -> ContributionLine:
    direction: Direction = "raises" if part.margin > 0 else "lowers" if part.margin < 0 else "none"
    named = naming.say(MODELS[model]) if model in MODELS else model
    facts = {"name": naming.feature(part.feature), "value": naming.value(part.feature, part.value), "model": named}
    return ContributionLine(model, part.feature, part.margin, direction, naming.say(FRAMES[direction]).format(**facts))
