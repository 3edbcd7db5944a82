"""Single changes of what a decision starts from: which ones are worth trying, and what each makes of context, policy and time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import floor
from typing import NamedTuple, cast

from arbitration.codec import encode
from arbitration.domain import SILENCE, Consent, Contact, Context, Decision, Purpose, Rejection, Treatment
from arbitration.explanation import Change, ChangeKind
from arbitration.gates.ageing import aged
from arbitration.gates.case import Case
from arbitration.policy import Cap, Journey, Policy
from arbitration.reasons import furthest
from arbitration.sensitivity import favorite_of
from arbitration.thresholds import happened, nearest

MOST: Mapping[ChangeKind, int] = {"consent": 8, "feature": 14, "cap": 5, "contact": 4, "time": 4, "lever": 4}
"""How many changes of each kind are tried at most, so that a decision is made again no more than 40 times."""
SOON = timedelta(days=7)
"""Later moments are not tried: too much else will have changed by then."""
EVIDENCE = "what-if"
CONSENT_STATES: Mapping[str, str | None] = {
    "consent_missing": None, "consent_denied": "denied", "consent_withdrawn": "withdrawn", "consent_expired": "expired",
    "consent_evidence_incomplete": "unproven",
}  # fmt: skip
PRESENT = "in_store"
"""Who is in a store now is no longer there at a later moment."""
_RULES = frozenset({"not_eligible", "not_applicable", "not_suitable", "missing_feature"})
_CAPS = frozenset({"channel_cap", "group_cap", "overall_cap"})
_CENT = 100


class Start(NamedTuple):
    """What a decision starts from."""

    context: Context
    policy: Policy
    now: datetime


def proposals(start: Start, decision: Decision) -> Iterator[Change]:
    """Changes worth trying, at most `MOST` of each kind; from the gates that said no, the favorite's own rules, and the ranking."""
    stops = furthest(decision.rejections)
    found: Iterable[Change]
    for kind, found in (
        ("consent", _consents(start, stops)),
        ("feature", _features(start, stops, decision)),
        ("cap", _caps(start, stops)),
        ("contact", _contacts(start, stops)),
        ("time", _times(start, stops)),
        ("lever", _levers(start, decision)),
    ):
        yield from islice(dict.fromkeys(found), MOST[cast(ChangeKind, kind)])


def applied(change: Change, start: Start) -> Start:
    """What the decision starts from after the change."""
    return _APPLY[change.kind](change, start)


def _consents(start: Start, stops: Iterable[Rejection]) -> Iterator[Change]:
    case = Case(*start)
    for no in stops:
        if no.code in CONSENT_STATES:
            what = f"{no.candidate.treatment.channel}/{case.purpose(no.candidate)}"
            yield Change("consent", what, CONSENT_STATES[no.code], "granted")


def _grant(change: Change, start: Start) -> Start:
    channel, _, purpose = change.what.partition("/")
    given = Consent(channel, cast(Purpose, purpose), "granted", "consent", EVIDENCE, start.now)
    return start._replace(context=replace(start.context, consents=(*start.context.consents, given)))


def _features(start: Start, stops: Iterable[Rejection], decision: Decision) -> Iterator[Change]:
    """Values at which a rule that said no would say yes, then values at which the favorite's rules would say no."""
    features = start.context.features
    for no in stops:
        for name, value in nearest(_rules_against(no, start.policy), features, holding=True):
            yield Change("feature", name, features.get(name), value)
    favorite = favorite_of(decision.ranked)
    if favorite.treatment != SILENCE:
        treatment = decision.ranked[0].candidate.treatment
        for name, value in nearest(_rules_for(treatment, start.policy), features, holding=False):
            yield Change("feature", name, features.get(name), value)


def _rules_against(no: Rejection, policy: Policy) -> tuple[str, ...]:
    """The rules that must hold so that the gate says yes."""
    treatment = no.candidate.treatment
    if no.code in _RULES:
        return _of_journey(policy.journeys[treatment.journey])
    if no.code == "channel_unavailable":
        return (policy.channels[treatment.channel].available,)
    if no.code == "channel_held":
        return (f"not ({policy.channels[treatment.channel].held})",)
    if no.code == "points_short" and treatment.offer is not None:
        return (f"points_balance >= {-treatment.offer.points}",)
    return ()


def _rules_for(treatment: Treatment, policy: Policy) -> tuple[str, ...]:
    """The rules that the treatment itself lives by."""
    channel = policy.channels[treatment.channel]
    return (*_of_journey(policy.journeys[treatment.journey]), channel.available, f"not ({channel.held})")


def _of_journey(journey: Journey) -> tuple[str, ...]:
    return journey.eligible, journey.applicable, journey.suitable


def _move(change: Change, start: Start) -> Start:
    features = happened(change.what, change.after, start.context.features)
    return start._replace(context=replace(start.context, features=features))


def _caps(start: Start, stops: Iterable[Rejection]) -> Iterator[Change]:
    for cap in _full(start, stops):
        yield Change("cap", cap.id, cap.limit, cap.limit + 1)


def _full(start: Start, stops: Iterable[Rejection]) -> list[Cap]:
    """The caps that stood in the way."""
    named = {no.by for no in stops if no.code in _CAPS}
    return [cap for cap in start.policy.contact_policy.caps if cap.id in named]


def _raise(change: Change, start: Start) -> Start:
    limits = start.policy.contact_policy
    caps = tuple(replace(cap, limit=cap.limit + 1) if cap.id == change.what else cap for cap in limits.caps)
    return start._replace(policy=replace(start.policy, contact_policy=replace(limits, caps=caps)))


def _contacts(start: Start, stops: Iterable[Rejection]) -> Iterator[Change]:
    """The oldest contact that fills a cap, the last one of a journey that rests or excludes another, the one that is live."""
    made = sorted(start.context.contacts, key=lambda contact: contact.sent_at)
    live = Case(*start).live
    for no in stops:
        own = no.candidate.treatment.journey
        blocking = {"cool_down": own, "exclusive_group": no.by}.get(no.code)
        yield from (_unmade(one) for one in reversed(made) if one.journey == blocking)
        if no.code == "live_winner":
            yield from (_unmade(one) for one in live if one.journey == no.by)
    for cap, bound in ((one, bound) for one in _full(start, stops) for bound in one.bounds):
        purposes = ("marketing", "service") if bound.with_service else ("marketing",)
        counted = [one for one in made if one.purpose in purposes and cap.counts(one.journey, one.channel)]
        yield from (_unmade(one) for one in counted[-bound.limit :][:1])


def _unmade(contact: Contact) -> Change:
    return Change("contact", f"{contact.journey}/{contact.channel}", encode(contact.sent_at), None)


def _forget(change: Change, start: Start) -> Start:
    made = list(start.context.contacts)
    made.remove(next(one for one in made if _unmade(one) == change))
    return start._replace(context=replace(start.context, contacts=tuple(made)))


def _times(start: Start, stops: Iterable[Rejection]) -> Iterator[Change]:
    """When the next gates open, and tomorrow morning after quiet hours."""
    opening = {no.free_at for no in stops if no.free_at is not None and start.now < no.free_at <= start.now + SOON}
    moments = set(sorted(opening)[: MOST["time"] - 1])
    if (zone := Case(*start).zone) is not None:
        hour = start.policy.contact_policy.quiet_to
        local = start.now.astimezone(zone) + timedelta(days=1)
        moments.add(local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC))
    yield from (Change("time", "now", encode(start.now), encode(moment)) for moment in sorted(moments))


def _wait(change: Change, start: Start) -> Start:
    later = datetime.fromisoformat(cast(str, change.after))
    hours = (later - start.now) / timedelta(hours=1)
    features = {name: aged(name, value, hours) for name, value in start.context.features.items()}
    if features.get(PRESENT) is not None:
        features[PRESENT] = 0
    return start._replace(context=replace(start.context, features=features), now=later)


def _levers(start: Start, decision: Decision) -> Iterator[Change]:
    """The smallest lever, in whole cents, with which the best other journey comes first; then each lever that is set, off."""
    if not decision.ranked:
        return
    favorite = favorite_of(decision.ranked)
    first = decision.ranked[0].candidate.treatment.journey if favorite.treatment != SILENCE else None
    other = next((item for item in decision.ranked if item.candidate.treatment.journey != first), None)
    journeys = start.policy.journeys
    if other is not None:
        own = journeys[other.candidate.treatment.journey]
        needed = own.lever + favorite.worth - other.value.decided_on
        yield Change("lever", own.id, own.lever, (floor(needed * _CENT + 1e-9) + 1) / _CENT)
    yield from (Change("lever", one.id, one.lever, 0.0) for one in journeys.values() if one.lever)


def _weigh(change: Change, start: Start) -> Start:
    journey = replace(start.policy.journeys[change.what], lever=cast(float, change.after))
    return start._replace(policy=replace(start.policy, journeys={**start.policy.journeys, change.what: journey}))


_APPLY: Mapping[ChangeKind, Callable[[Change, Start], Start]] = {
    "consent": _grant,
    "feature": _move,
    "cap": _raise,
    "contact": _forget,
    "time": _wait,
    "lever": _weigh,
}
