"""What a gate looks at: the context, policy and clock of one decision, with the look-ups that all gates share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from arbitration.domain import EVERY_CHANNEL, Candidate, Consent, Contact, Context, Purpose, Trigger
from arbitration.errors import ExpressionError
from arbitration.expression import Unknown, compile_expression
from arbitration.gates.ageing import aged, ages, stays
from arbitration.gates.calendar import EARLIEST, LATEST, Calendar, period_of, span, within
from arbitration.policy import Bound, Cap, Channel, Journey, Policy
from arbitration.windows import zone_of

_HOUR = timedelta(hours=1)
_STRICTNESS = {"granted": 0, "denied": 1, "withdrawn": 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's no, with what the answer may add: when it would pass, what is unknown, what stood in the way."""

    free_at: datetime | None = None
    missing: str | None = None
    by: str | None = None


NO = Verdict()


@dataclass(frozen=True)
class Case:
    """One decision as the gates see it. `steps` are contacts that a plan would make before the candidate at hand."""

    context: Context
    policy: Policy
    now: datetime
    steps: tuple[Contact, ...] = ()

    def journey(self, candidate: Candidate) -> Journey:
        """The candidate's journey; the gate `unknown_journey` comes before every gate that asks."""
        return self.policy.journeys[candidate.treatment.journey]

    def channel(self, candidate: Candidate) -> Channel:
        """The candidate's channel, known for the same reason."""
        return self.policy.channels[candidate.treatment.channel]

    def purpose(self, candidate: Candidate) -> Purpose:
        """The purpose of a contact with the candidate. Suppressing an advertisement is no marketing, whatever the journey is for."""
        return "service" if candidate.treatment.kind == "suppress" else self.journey(candidate).purpose

    def triggers(self, candidate: Candidate) -> list[Trigger]:
        """The context's triggers of the candidate's journey."""
        return [trigger for trigger in self.context.triggers if trigger.journey == candidate.treatment.journey]

    @cached_property
    def zone(self) -> ZoneInfo | None:
        """The customer's time zone, None when unknown."""
        return zone_of(self.context.time_zone)

    @cached_property
    def quiet(self) -> dict[tuple[datetime, datetime], datetime | None]:
        """What the gate for quiet hours found out so far: a window's two ends -> when the quiet ends, None if it is not quiet."""
        return {}

    @cached_property
    def contacts(self) -> tuple[Contact, ...]:
        """Contacts and plan steps in time order."""
        known = [it if EARLIEST <= it.sent_at <= LATEST else _placed(it) for it in self.context.contacts]
        return tuple(sorted((*known, *self.steps), key=lambda contact: contact.sent_at))

    @cached_property
    def spoken(self) -> frozenset[str]:
        """Journeys that have spoken, or will."""
        return frozenset(contact.journey for contact in self.contacts)

    @cached_property
    def live(self) -> tuple[Contact, ...]:
        """Marketing contacts that are reserved now; a plan's steps are not, they are reserved when their time comes."""
        return tuple(
            it
            for it in self.context.contacts
            if it.live_until is not None and it.live_until > self.now and it.purpose == "marketing"
        )

    @cached_property
    def _records(self) -> dict[tuple[str, str], list[Consent]]:
        records: dict[tuple[str, str], list[Consent]] = {}
        for record in sorted(self.context.consents, key=lambda it: (it.valid_from, _STRICTNESS[it.state])):
            for channel in self._spoken_of(record):
                records.setdefault((channel, record.purpose), []).append(record)
        return records

    def _spoken_of(self, record: Consent) -> Iterable[str]:
        """The channels that a record is for. Only a no can be for every channel: a yes for one opens no other."""
        if record.channel != EVERY_CHANNEL:
            return (record.channel,)
        return () if record.state == "granted" else self.policy.channels

    def consents(self, candidate: Candidate) -> Sequence[Consent]:
        """All records for the candidate's channel and purpose, oldest first, at equal times the stricter one last."""
        return self._records.get((candidate.treatment.channel, self.purpose(candidate)), ())

    def consent(self, candidate: Candidate) -> Consent | None:
        """The last record for the candidate's channel and purpose that holds when its window opens; the stricter of two."""
        found = None
        for record in self.consents(candidate):
            if record.valid_from <= candidate.window.opens_at:
                found = record
        return found

    @cached_property
    def _full(self) -> dict[int, list[tuple[datetime, datetime]]]:
        caps = self.policy.contact_policy.caps
        return {id(cap): self._spans(cap) for cap in caps if cap.calendar is None}

    def full_spans(self, cap: Cap) -> list[tuple[datetime, datetime]]:
        """First and last moment of every run of contacts that uses up a sliding cap and can still matter from now on, in order."""
        return self._full[id(cap)]

    def _spans(self, cap: Cap) -> list[tuple[datetime, datetime]]:
        length, bounds = span(cap.window_hours), cap.bounds
        found = []
        for bound in bounds:
            counted = self._counted(cap, bound)
            runs = zip(counted, counted[bound.limit - 1 :], strict=False)
            found += [(first, last) for first, last in runs if last - first < length and self.now - first < length]
        return found if len(bounds) == 1 else sorted(found)

    @cached_property
    def _used_up(self) -> dict[int, frozenset[date]]:
        caps = self.policy.contact_policy.caps
        return {id(cap): self._periods(cap, cap.calendar) for cap in caps if cap.calendar is not None}

    def full_periods(self, cap: Cap) -> frozenset[date]:
        """First days of the local calendar periods in which a calendar cap has no room; none without a time zone."""
        return self._used_up[id(cap)]

    def _periods(self, cap: Cap, calendar: Calendar) -> frozenset[date]:
        zone = self.zone
        if zone is None:
            return frozenset()
        used = [
            (bound, Counter(period_of(moment, zone, calendar) for moment in self._counted(cap, bound)))
            for bound in cap.bounds
        ]
        return frozenset(day for bound, days in used for day, count in days.items() if count >= bound.limit)

    @cached_property
    def filled(self) -> tuple[Cap, ...]:
        """The caps that are full at some time from now on; the others stop nobody."""
        return tuple(cap for cap in self.policy.contact_policy.caps if self._ever_full(cap))

    def _ever_full(self, cap: Cap) -> bool:
        if cap.most < 1:
            return True
        return bool(self.full_spans(cap) if cap.calendar is None else self.full_periods(cap))

    def _counted(self, cap: Cap, bound: Bound) -> list[datetime]:
        """The moments of the contacts that count for a bound of a cap, in time order."""
        return [
            contact.sent_at
            for contact in self.contacts
            if (bound.with_service or contact.purpose == "marketing") and cap.counts(contact.journey, contact.channel)
        ]

    @cached_property
    def _rules(self) -> dict[str, bool | Unknown]:
        return {}

    def holds(self, rule: str) -> bool | Unknown:
        """A rule's answer for this customer now; rules do not depend on the candidate, so each is asked once."""
        if rule not in self._rules:
            try:
                self._rules[rule] = compile_expression(rule)(self.context.features)
            except (ExpressionError, RecursionError):  # the catalog refuses such a rule; here it can only fail closed
                self._rules[rule] = Unknown(rule)
        return self._rules[rule]

    @cached_property
    def _later(self) -> dict[tuple[str, datetime], bool | Unknown]:
        return {}

    @cached_property
    def _stays(self) -> dict[tuple[str, datetime], bool]:
        return {}

    def stays(self, rule: str, until: datetime) -> bool:
        """Whether a rule surely says now what it says at every moment until then."""
        key = (rule, until)
        if key not in self._stays:
            self._stays[key] = stays(rule, self.context.features, (until - self.now) / _HOUR)
        return self._stays[key]

    def holds_at(self, rule: str, moment: datetime) -> bool | Unknown:
        """A rule's answer at a later moment, if until then only time passes."""
        if moment <= self.now or not ages(rule):
            return self.holds(rule)
        key = (rule, moment)
        if key not in self._later:
            expression, features = compile_expression(rule), self.context.features
            hours = (moment - self.now) / _HOUR
            self._later[key] = expression({name: aged(name, features.get(name), hours) for name in expression.names})
        return self._later[key]


def _placed(contact: Contact) -> Contact:
    return replace(contact, sent_at=within(contact.sent_at))
