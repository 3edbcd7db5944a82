"""How one decision calls things in one language: journeys, channels, features, caps and rules by the names people know."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from arbitration.domain import SILENCE, Decision, FeatureValue, Treatment
from arbitration.errors import ExpressionError
from arbitration.explanation import Lang
from arbitration.expression import compile_expression
from arbitration.frames import CHANGES, FRAMES
from arbitration.policy import BusinessName, JourneyTreatment, Policy
from arbitration.texts import BASES, DEGRADED, MISSING
from arbitration.wording import localized, moment, money, plain, share

_MONEY = frozenset({"net", "decided_on", "lost_by", "stake", "plan_value"})
_SHARES = frozenset({"risk", "probability"})
_MOMENTS = frozenset({"send_at", "free_at"})
_SIGNS = (("<=", "≤"), (">=", "≥"), ("==", "="), ("!=", "≠"))
_WORD = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z_][A-Za-z_0-9.]*|[0-9.]+")
"""What is said otherwise within a rule: texts stay, names and numbers are put into the language."""


@dataclass(frozen=True, slots=True)
class Naming:
    """One decision and one language. `names` are business names of features, `features` the customer's own values."""

    decision: Decision
    policy: Policy
    names: Mapping[str, BusinessName]
    features: Mapping[str, FeatureValue]
    lang: Lang

    def say(self, name: BusinessName) -> str:
        """A name in this language."""
        return name.de if self.lang == "de" else name.en

    def frame(self, key: str, **facts: FeatureValue) -> str:
        """A text of `FRAMES` with its facts as people read them."""
        return self.say(FRAMES[key]).format(**{name: self.fact(name, value) for name, value in facts.items()})

    def fact(self, name: str, value: FeatureValue) -> str:
        """One fact as people read it; what kind of fact it is follows from its name."""
        if isinstance(value, (int, float)) and name in _MONEY:
            return self.money(value)
        if isinstance(value, (int, float)) and name in _SHARES:
            return share(value, self.lang)
        if isinstance(value, str) and name in _MOMENTS:
            return self.moment(value)
        finder = self._finders().get(name)
        return finder(value) if finder and isinstance(value, str) else plain(value, self.lang)

    def _finders(self) -> Mapping[str, Callable[[str], str]]:
        return {
            "journey": self.journey,
            "route_to": self.journey,
            "channel": self.channel,
            "basis": lambda basis: self.say(BASES[basis]) if basis in BASES else basis,
            "missing": lambda name: self.say(MISSING[name]) if name in MISSING else self.feature(name),
            "by": self.journey,
            "limit": self.cap,
            "resource": self.resource,
            "rule": self.rule,
            "names": self.degraded,
        }

    def money(self, amount: float) -> str:
        """An amount in the shop's currency."""
        return money(amount, self.policy.economics.currency, self.lang)

    def price(self, amount: float) -> str:
        """Money that people set, in whole cents where it is."""
        digits = 2 if round(amount, 2) == amount else None
        return money(amount, self.policy.economics.currency, self.lang, digits=digits)

    def moment(self, iso: str) -> str:
        """A moment on the customer's clock."""
        return moment(datetime.fromisoformat(iso), self.decision.time_zone, self.lang)

    def journey(self, journey: str) -> str:
        """A journey's name; the id where the catalog has none."""
        return self.say(self.policy.journeys[journey].name) if journey in self.policy.journeys else journey

    def channel(self, channel: str) -> str:
        """A channel's name; the id where the catalog has none."""
        return self.say(self.policy.channels[channel].name) if channel in self.policy.channels else channel

    def cap(self, cap: str) -> str:
        """A cap's name."""
        return next((self.say(one.name) for one in self.policy.contact_policy.caps if one.id == cap), cap)

    def resource(self, resource: str) -> str:
        """A scarce resource's name."""
        return self.say(self.policy.resources[resource].name) if resource in self.policy.resources else resource

    def degraded(self, names: str) -> str:
        """What a decision had to do without."""
        return ", ".join(self.say(DEGRADED[name]) if name in DEGRADED else name for name in names.split(", "))

    def feature(self, feature: str) -> str:
        """The business name; a channel's feature gets the channel's name behind it."""
        if feature in self.names:
            return self.say(self.names[feature])
        channel, _, name = feature.partition(".")
        return f"{self.say(self.names[name])}, {self.channel(channel)}" if name in self.names else feature

    def rule(self, rule: str) -> str:
        """A rule with the features' business names and signs that people read."""
        for sign, shown in _SIGNS:
            rule = rule.replace(sign, shown)

        def word(found: re.Match[str]) -> str:
            name = found[0]
            if name[0].isdigit():
                return localized(name, self.lang)
            return self.say(FRAMES[name]) if name in ("and", "or", "not") else self.feature(name)

        return _WORD.sub(word, rule)

    def here(self, rule: str) -> str:
        """The customer's own values of what the rule reads: one by itself, several with their names; empty if none is known."""
        try:
            read = compile_expression(rule).names
        except ExpressionError:
            return ""
        known = {name: plain(self.features[name], self.lang) for name in read if self.features.get(name) is not None}
        if len(read) == 1:
            return "".join(known.values())
        return ", ".join(f"{self.feature(name)} {value}" for name, value in known.items())

    def title(self, treatment: Treatment) -> str:
        """`journey, channel`; the template is added where a journey has several on one channel."""
        lines = self.lines(treatment.journey, treatment.channel)
        only = f" ({treatment.template})" if len(lines) > 1 else ""
        return f"{self.journey(treatment.journey)}, {self.channel(treatment.channel)}{only}"

    def choice(self, treatment_id: str) -> str:
        """A treatment, or silence, in the middle of a sentence."""
        if treatment_id == SILENCE:
            return self.say(CHANGES["choice_silence"])
        journey, channel, template = treatment_id.split("/", 2)
        only = f" ({template})" if len(self.lines(journey, channel)) > 1 else ""
        names = {"journey": self.journey(journey), "channel": self.channel(channel)}
        return self.say(CHANGES["choice"]).format(**names) + only

    def lines(self, journey: str, channel: str) -> list[JourneyTreatment]:
        """The catalog's lines of a journey on one channel."""
        known = self.policy.journeys.get(journey)
        return [line for line in known.treatments if line.channel == channel] if known else []
