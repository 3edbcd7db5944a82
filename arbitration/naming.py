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
from arbitration.gates.ageing import aged
from arbitration.policy import BusinessName, JourneyTreatment, Policy
from arbitration.texts import BASES, DEGRADED, MISSING
from arbitration.thresholds import FLAGS
from arbitration.wording import localized, moment, money, plain, share

_MONEY = frozenset({"net", "decided_on", "lost_by", "stake", "plan_value"})
_SHARES = frozenset({"risk", "probability"})
_MOMENTS = frozenset({"send_at", "free_at", "first_at", "ask_at"})
STAFF = frozenset({"pos_note", "call_hint"})
"""Channels on which an associate reads and the customer does not."""
UNSHOWN = frozenset({"suppress", "route"})
"""Kinds of treatment that show nothing to anybody."""
REACTION_MODELS = frozenset({"channel_propensity", "send_time"})
"""Models of how people react to what they are shown."""
_AMOUNTS = ("money_", "cart_value", "reward_value", "basket_value")
"""How features begin that hold money."""
_UNITS = (("_days", "days", "day_word"), ("_hours", "hours", "hour_word"))
"""How features end that hold a time, and its unit."""
_SIGNS = {"<=": "≤", ">=": "≥", "==": "=", "!=": "≠"}
_BEFORE = re.compile(r"([A-Za-z_][A-Za-z_0-9.]*)\s*(?:[<>=!]=|[<>])\s*$")
_BEHIND = re.compile(r"\s*(?:[<>=!]=|[<>])\s*([A-Za-z_][A-Za-z_0-9.]*)")
"""The feature that a number is compared with."""
_WORD = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z_][A-Za-z_0-9.]*|[0-9.]+|<=|>=|==|!=")
"""What is said otherwise within a rule: texts stay, names and numbers are put into the language."""


def way_of(kind: str, channel: str, route_to: str, say: Callable[[BusinessName], str]) -> str:
    """What is done where, of names that are in a language already: the channel alone for what is said or shown."""
    known = CHANGES.get(f"way_{kind}")
    return say(known).format(channel=channel, route_to=route_to) if known else channel


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
            "purpose": self.frame,
            "channel": self.channel,
            "basis": lambda basis: self.say(BASES[basis]) if basis in BASES else basis,
            "missing": lambda name: self.say(MISSING[name]) if name in MISSING else self.feature(name),
            "by": self.journey,
            "limit": self.cap,
            "resource": self.resource,
            "unknown_stock": self.resource,
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

        def word(found: re.Match[str]) -> str:
            name = found[0]
            if name in _SIGNS:
                return _SIGNS[name]
            if name[0].isdigit() or name[0] == ".":
                feature = _BEFORE.search(rule, 0, found.start()) or _BEHIND.match(rule, found.end())
                number = float(name) if "." in name else int(name)
                return self.value(feature[1], number) if feature else localized(name, self.lang)
            return self.say(FRAMES[name]) if name in ("and", "or", "not") else self.feature(name)

        return _WORD.sub(word, rule)

    def here(self, rule: str, hours: float = 0.0) -> str:
        """The customer's own values, hours on, of what the rule reads: one by itself, several with their names; empty if none is
        known.
        """
        try:
            read = compile_expression(rule).names
        except ExpressionError:
            return ""
        values = {name: aged(name, self.features.get(name), hours) for name in read}
        known = {name: self.value(name, value) for name, value in values.items() if value is not None}
        if len(read) == 1:
            return "".join(known.values())
        return ", ".join(f"{self.feature(name)} {value}" for name, value in known.items())

    def value(self, feature: str, value: FeatureValue) -> str:
        """A feature's value with its unit; a time's unit only where the feature's name does not say it already."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return plain(value, self.lang)
        if feature in FLAGS and value in (0, 1):
            return self.frame("yes" if value else "no")
        if feature.startswith(_AMOUNTS):
            return self.price(value) if value % 1 else money(value, self.policy.economics.currency, self.lang, digits=0)
        shown = plain(value, self.lang)
        for ending, unit, word in _UNITS:
            if feature.endswith(ending) and self.frame(word).lower() not in self.feature(feature).lower():
                return self.frame(unit, count=shown)
        return shown

    def title(self, treatment: Treatment) -> str:
        """`journey, way`; the template is added where a journey has several on one channel."""
        if treatment.journey not in self.policy.journeys and treatment.channel not in self.policy.channels:
            return self.journey(treatment.journey)  # a trigger's own word; no channel was proposed
        lines = self.lines(treatment.journey, treatment.channel)
        only = f" ({treatment.template})" if len(lines) > 1 else ""
        return f"{self.journey(treatment.journey)}, {self.way(treatment)}{only}"

    def way(self, treatment: Treatment) -> str:
        """What is done where: the channel alone for what is said or shown."""
        route_to = self.journey(treatment.route_to or "")
        return way_of(treatment.kind, self.channel(treatment.channel), route_to, self.say)

    def choice(self, treatment_id: str) -> str:
        """A treatment, or silence, in the middle of a sentence."""
        if treatment_id == SILENCE:
            return self.say(CHANGES["choice_silence"])
        journey, channel, template = treatment_id.split("/", 2)
        lines = self.lines(journey, channel)
        only = f" ({template})" if len(lines) > 1 else ""
        line = next((line for line in lines if line.template == template), None)
        names = {"journey": self.journey(journey), "channel": self.channel(channel)}
        route_to = self.journey(line.route_to) if line and line.route_to else names["journey"]
        return self.say(CHANGES[f"choice_{self.manner(channel, line)}"]).format(route_to=route_to, **names) + only

    def manner(self, channel: str, line: JourneyTreatment | None) -> str:
        """`message` for what is sent, `placed` for what is shown where the customer is; else the kind of treatment."""
        if line is not None and line.kind not in ("message", "module"):
            return line.kind
        return "placed" if self.placed(channel) else "message"

    def placed(self, channel: str) -> bool:
        """Whether it is shown where the customer is, instead of being sent."""
        known = self.policy.channels.get(channel)
        return known is not None and known.timing == "immediate"

    def seen(self, kind: str, channel: str) -> bool:
        """Whether the customer sees anything of it."""
        return kind not in UNSHOWN and channel not in STAFF

    def lines(self, journey: str, channel: str) -> list[JourneyTreatment]:
        """The catalog's lines of a journey on one channel."""
        known = self.policy.journeys.get(journey)
        return [line for line in known.treatments if line.channel == channel] if known else []
