"""What a gate looks at: the context, policy and clock of one decision, with the look-ups that all gates share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from arbitration.domain import Candidate, Consent, Contact, Context, Purpose, Trigger
from arbitration.expression import Unknown, compile_expression
from arbitration.gates.calendar import period_of
from arbitration.policy import Cap, Channel, Journey, Policy
from arbitration.windows import zone_of

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
    def contacts(self) -> tuple[Contact, ...]:
        """Contacts and plan steps in time order."""
        return tuple(sorted((*self.context.contacts, *self.steps), key=lambda contact: contact.sent_at))

    @cached_property
    def _records(self) -> dict[tuple[str, str], list[Consent]]:
        records: dict[tuple[str, str], list[Consent]] = {}
        for record in sorted(self.context.consents, key=lambda it: (it.valid_from, _STRICTNESS[it.state])):
            records.setdefault((record.channel, record.purpose), []).append(record)
        return records

    def consent(self, candidate: Candidate) -> Consent | None:
        """The last record for the candidate's channel and purpose that holds when its window opens; the stricter of two."""
        key = (candidate.treatment.channel, self.purpose(candidate))
        found = None
        for record in self._records.get(key, ()):
            if record.valid_from <= candidate.window.opens_at:
                found = record
        return found

    @cached_property
    def _full(self) -> dict[str, list[tuple[datetime, datetime]]]:
        caps = self.policy.contact_policy.caps
        return {cap.id: self._spans(cap, cap.window_hours) for cap in caps if cap.window_hours is not None}

    def full_spans(self, cap: Cap) -> list[tuple[datetime, datetime]]:
        """First and last moment of every run of contacts that uses a sliding cap up and can still matter from now on."""
        return self._full[cap.id]

    def _spans(self, cap: Cap, window_hours: int) -> list[tuple[datetime, datetime]]:
        length = timedelta(hours=window_hours)
        counted = self._counted(cap)
        runs = zip(counted, counted[cap.limit - 1 :], strict=False)
        return [(first, last) for first, last in runs if last - first < length and self.now - first < length]

    @cached_property
    def _used(self) -> dict[str, Counter[date]]:
        zone, caps = self.zone, self.policy.contact_policy.caps
        if zone is None:
            return {}
        return {
            cap.id: Counter(period_of(moment, zone, cap.calendar) for moment in self._counted(cap))
            for cap in caps
            if cap.calendar is not None
        }

    def used_periods(self, cap: Cap) -> Counter[date]:
        """First day of a local calendar period -> contacts that a calendar cap counts there; empty without a time zone."""
        return self._used.get(cap.id, Counter())

    def _counted(self, cap: Cap) -> list[datetime]:
        """The moments of the contacts that a cap counts, in time order."""
        return [
            contact.sent_at
            for contact in self.contacts
            if contact.purpose == "marketing" and cap.counts(contact.journey, contact.channel)
        ]

    @cached_property
    def _rules(self) -> dict[str, bool | Unknown]:
        return {}

    def holds(self, rule: str) -> bool | Unknown:
        """A rule's answer for this customer; rules do not depend on the candidate, so each is asked once."""
        if rule not in self._rules:
            self._rules[rule] = compile_expression(rule)(self.context.features)
        return self._rules[rule]
