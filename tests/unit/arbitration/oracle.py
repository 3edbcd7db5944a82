"""Every rule of the funnel stated a second time, slowly and without the gates: minute by minute, contact by contact.

The rules are those of `docs/reasons.md`. Moments in tests that ask here lie on whole minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from arbitration.domain import Candidate, Contact, Context, FeatureValue, SendWindow
from arbitration.policy import Journey, Policy
from tests.unit.arbitration.oracle_caps import HOUR, MINUTE, counted, exceeds, minutes

DAY = timedelta(days=1)
Known = bool | None
RULES: Mapping[str, Callable[[Mapping[str, FeatureValue]], Known]] = {
    "True": lambda _: True,
    "False": lambda _: False,
    "in_store == 1": lambda features: _equals(features.get("in_store"), 1),
    "recency_days > 28": lambda features: _beyond(features.get("recency_days"), 28),
    "cart_age_hours <= 72": lambda features: _within(features.get("cart_age_hours"), 72),
}
"""The rules that the tests' policies use, as plain functions; None is unknown."""


def _equals(value: FeatureValue, wanted: float) -> Known:
    return None if value is None else value == wanted


def _beyond(value: FeatureValue, bound: float) -> Known:
    return None if value is None else float(value) > bound


def _within(value: FeatureValue, bound: float) -> Known:
    return None if value is None else float(value) <= bound


def then(features: Mapping[str, FeatureValue], passed: timedelta) -> dict[str, FeatureValue]:
    """The features after a while in which nothing happens: what is counted since an event grows, what is counted down shrinks."""
    found = dict(features)
    for name, value in features.items():
        own = name.split(".")[-1]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if own in ("recency_days", "tenure_days", "days_since_contact", "days_since_click"):
                found[name] = value + passed / DAY
            elif own in ("cart_age_hours", "session_age_hours", "store_visit_age_hours"):
                found[name] = value + passed / HOUR
            elif own == "reward_expires_days" and value > 0:
                found[name] = max(0.0, value - passed / DAY)
    return found


def violations(
    candidate: Candidate, context: Context, policy: Policy, now: datetime, earlier: tuple[Contact, ...] = ()
) -> set[str]:
    """The codes of all rules that forbid the candidate; `earlier` are the plan's steps before it."""
    treatment = candidate.treatment
    if treatment.journey not in policy.journeys or treatment.channel not in policy.channels:
        return {"unknown_journey"}
    contacts = (*context.contacts, *earlier)
    return {
        *_pause(candidate, context),
        *_consent(candidate, context, policy),
        *_stopped(candidate, context),
        *_clock(candidate, context, policy),
        *_caps(candidate, context, policy, contacts),
        *_rests(candidate, policy, contacts),
        *_live(candidate, context, policy, now),
        *_held(candidate, context, policy, now),
        *_channel(candidate, context, policy),
        *_trigger(candidate, context, policy),
        *_rules(candidate, context, policy, now),
        *_means(candidate, context, policy),
    }


def purpose_of(candidate: Candidate, policy: Policy) -> str:
    """Leaving an advertisement out is no advertisement."""
    journey = policy.journeys[candidate.treatment.journey]
    return "service" if candidate.treatment.kind == "suppress" else journey.purpose


def _pause(candidate: Candidate, context: Context) -> Iterable[str]:
    if context.paused_until is not None and context.paused_until > candidate.window.opens_at:
        yield "pause"


def _consent(candidate: Candidate, context: Context, policy: Policy) -> Iterable[str]:
    opens, purpose = candidate.window.opens_at, purpose_of(candidate, policy)
    needed = policy.channels[candidate.treatment.channel].needs_consent
    begun = [
        it
        for it in context.consents
        if (it.channel, it.purpose) == (candidate.treatment.channel, purpose) and it.valid_from <= opens
    ]
    newest = [it for it in begun if it.valid_from == max(other.valid_from for other in begun)]
    states = {it.state for it in newest}
    if "withdrawn" in states:
        yield "consent_withdrawn"
    elif "denied" in states:
        yield "consent_denied"
    elif needed and not newest:
        yield "consent_missing"
    elif needed and newest[-1].valid_to is not None and newest[-1].valid_to <= opens:
        yield "consent_expired"
    elif needed and not newest[-1].evidence_id:
        yield "consent_evidence_incomplete"


def _stopped(candidate: Candidate, context: Context) -> Iterable[str]:
    if candidate.treatment.journey in context.stopped:
        yield "journey_stopped"


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def _clock(candidate: Candidate, context: Context, policy: Policy) -> Iterable[str]:
    zone = _zone(context.time_zone)
    if zone is None:
        yield "unknown_time_zone"
    elif policy.channels[candidate.treatment.channel].timing == "scheduled":
        rules = policy.contact_policy
        if _disturbs(candidate.window, zone, rules.quiet_from, rules.quiet_to):
            yield "quiet_hours"


@lru_cache(maxsize=65536)
def _disturbs(window: SendWindow, zone: ZoneInfo, quiet_from: int, quiet_to: int) -> bool:
    quiet = {(quiet_from + at) % 24 for at in range((quiet_to - quiet_from) % 24)}
    return any(moment.astimezone(zone).hour in quiet for moment in minutes(window))


def _caps(candidate: Candidate, context: Context, policy: Policy, contacts: tuple[Contact, ...]) -> Iterable[str]:
    if purpose_of(candidate, policy) == "service":
        return
    treatment, zone = candidate.treatment, _zone(context.time_zone)
    for cap in policy.contact_policy.caps:
        on_channel = treatment.channel in (cap.channels or (treatment.channel,))
        of_journey = treatment.journey in (cap.journeys or (treatment.journey,))
        if on_channel and of_journey and exceeds(cap, candidate.window, *counted(cap, contacts), zone):
            yield "group_cap" if cap.journeys else "channel_cap" if cap.channels else "overall_cap"


def _rests(candidate: Candidate, policy: Policy, contacts: tuple[Contact, ...]) -> Iterable[str]:
    opens, journey = candidate.window.opens_at, policy.journeys[candidate.treatment.journey]
    if any(opens < it.sent_at + journey.cooldown_hours * HOUR for it in contacts if it.journey == journey.id):
        run = sorted(
            (it for it in contacts if it.journey == journey.id and opens < it.sent_at + journey.cooldown_hours * HOUR),
            key=lambda it: it.sent_at,
        )
        if not _goes_on(candidate, run, journey, policy):
            yield "cool_down"
    for contact in contacts:
        other = policy.journeys.get(contact.journey)
        if (
            other is not None
            and other.id != journey.id
            and journey.exclusive_group is not None
            and other.exclusive_group == journey.exclusive_group
            and opens < contact.sent_at + other.horizon_hours * HOUR
        ):
            yield "exclusive_group"


def _goes_on(candidate: Candidate, run: list[Contact], journey: Journey, policy: Policy) -> bool:
    opens = candidate.window.opens_at
    if any(it.channel == candidate.treatment.channel or it.engaged is not False for it in run):
        return False
    if opens >= run[0].sent_at + journey.horizon_hours * HOUR:
        return False
    last = policy.channels.get(run[-1].channel)
    return last is None or opens >= run[-1].sent_at + timedelta(hours=last.wait_hours)


def _live(candidate: Candidate, context: Context, policy: Policy, now: datetime) -> Iterable[str]:
    """Plan steps are not among the context's contacts, so they are never live."""
    if purpose_of(candidate, policy) == "service":
        return
    placed = {name for name, channel in policy.channels.items() if channel.timing == "immediate"}
    for it in context.contacts:
        live = it.purpose == "marketing" and it.live_until is not None and now < it.live_until
        if live and (it.channel in placed) == (candidate.treatment.channel in placed):
            yield "live_winner"


def _held(candidate: Candidate, context: Context, policy: Policy, now: datetime) -> Iterable[str]:
    held = RULES[policy.channels[candidate.treatment.channel].held](context.features)
    if held is not False and candidate.window.opens_at < now + DAY:
        yield "channel_held"


def _channel(candidate: Candidate, context: Context, policy: Policy) -> Iterable[str]:
    channel = policy.channels[candidate.treatment.channel]
    if context.channels and channel.id not in context.channels:
        yield "channel_not_servable"
    vouched = channel.timing == "immediate" and channel.id in context.channels
    if not vouched and RULES[channel.available](context.features) is not True:
        yield "channel_unavailable"


def _trigger(candidate: Candidate, context: Context, policy: Policy) -> Iterable[str]:
    own = [it for it in context.triggers if it.journey == candidate.treatment.journey]
    if not own and (context.triggers or policy.journeys[candidate.treatment.journey].needs_trigger):
        yield "trigger_missing"
    if own and not any(it.expires_at is None or it.expires_at > candidate.window.opens_at for it in own):
        yield "trigger_expired"


def _rules(candidate: Candidate, context: Context, policy: Policy, now: datetime) -> Iterable[str]:
    journey = policy.journeys[candidate.treatment.journey]
    features = then(context.features, candidate.window.opens_at - now)
    for code, rule in (
        ("not_eligible", journey.eligible), ("not_applicable", journey.applicable), ("not_suitable", journey.suitable)
    ):  # fmt: skip
        answer = RULES[rule](features)
        if answer is not True:
            yield code if answer is False else "missing_feature"


def _means(candidate: Candidate, context: Context, policy: Policy) -> Iterable[str]:
    treatment, offer = candidate.treatment, candidate.treatment.offer
    for resource in policy.resources.values():
        wanted = (resource.channel, resource.journey, resource.offer)
        given = (treatment.channel, treatment.journey, offer.id if offer else None)
        uses = all(one is None or one == other for one, other in zip(wanted, given, strict=True))
        spends = uses and treatment.kind != "suppress"  # who leaves a contact out uses nothing up
        if spends and resource.limit is not None and context.stock.get(resource.id, 0) < 1:
            yield "out_of_stock"
    if offer is not None and offer.points < 0:
        balance = context.features.get("points_balance")
        if balance is None or float(balance) + offer.points < 0:
            yield "points_short"


def first_instant(year: int, month: int, day: int, zone: str) -> datetime:
    """The first instant of a local day, found minute by minute."""
    moment, local = datetime(year, month, day, tzinfo=UTC) - DAY, ZoneInfo(zone)
    while moment.astimezone(local).date() < datetime(year, month, day, tzinfo=UTC).date():
        moment += MINUTE
    return moment
