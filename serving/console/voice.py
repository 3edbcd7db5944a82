"""How one page speaks: names of journeys, channels and features in business words, and values with their unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from arbitration.domain import FeatureValue
from arbitration.policy import BusinessName, Policy
from features.registry import FEATURES
from serving.console.formats import Formats, Lang
from serving.console.texts import Words
from training.names import PAIR_NAMES

UNKNOWN = BusinessName(en="unknown", de="unbekannt")
YES, NO = BusinessName(en="yes", de="ja"), BusinessName(en="no", de="nein")
UNITS: Mapping[str, tuple[BusinessName, BusinessName]] = {
    "cases": (BusinessName("case", "Fall"), BusinessName("cases", "Fälle")),
    "categories": (BusinessName("category", "Warengruppe"), BusinessName("categories", "Warengruppen")),
    "contacts": (BusinessName("contact", "Kontakt"), BusinessName("contacts", "Kontakte")),
    "days": (BusinessName("day", "Tag"), BusinessName("days", "Tage")),
    "departments": (BusinessName("department", "Abteilung"), BusinessName("departments", "Abteilungen")),
    "events": (BusinessName("event", "Ereignis"), BusinessName("events", "Ereignisse")),
    "hours": (BusinessName("hour", "Stunde"), BusinessName("hours", "Stunden")),
    "items": (BusinessName("item", "Artikel"), BusinessName("items", "Artikel")),
    "points": (BusinessName("point", "Punkt"), BusinessName("points", "Punkte")),
    "purchases": (BusinessName("purchase", "Einkauf"), BusinessName("purchases", "Einkäufe")),
    "returns": (BusinessName("return", "Rückgabe"), BusinessName("returns", "Rückgaben")),
    "sessions": (BusinessName("session", "Besuch"), BusinessName("sessions", "Besuche")),
    "stores": (BusinessName("store", "Filiale"), BusinessName("stores", "Filialen")),
    "weeks": (BusinessName("week", "Woche"), BusinessName("weeks", "Wochen")),
}
"""Units that are said as a word, singular and plural; the other units have a form of their own."""
DEGRADED: Mapping[str, BusinessName] = {
    "unknown_customer": BusinessName(
        "nothing is known of this customer yet", "über diese Person ist noch nichts bekannt"
    ),
    "missing": BusinessName("no data for: {view}", "keine Daten für: {view}"),
    "stale": BusinessName("data too old for: {view}", "Daten zu alt für: {view}"),
}
VIEW_NAMES: Mapping[str, BusinessName] = {
    "customer": BusinessName("purchases and points", "Einkäufe und Punkte"),
    "channel": BusinessName("contacts and reactions", "Kontakte und Reaktionen"),
    "timing": BusinessName("times of activity", "Zeiten der Aktivität"),
    "context": BusinessName("the situation right now", "die Lage in diesem Moment"),
    "category": BusinessName("product categories bought", "gekaufte Warengruppen"),
}


@dataclass(frozen=True, slots=True)
class Voice:
    """Texts, formats and names for one decision in one language."""

    policy: Policy
    words: Words
    formats: Formats

    @classmethod
    def of(cls, policy: Policy, lang: Lang, time_zone: str | None) -> Voice:
        """The voice of a page; `time_zone` is the customer's."""
        return cls(policy, Words(lang), Formats(lang, policy.economics.currency, time_zone))

    def journey(self, journey: str) -> str:
        """What people call a journey; the id where the catalog has no name for it."""
        return self.words.of(self.policy.journeys[journey].name) if journey in self.policy.journeys else journey

    def channel(self, channel: str) -> str:
        """What people call a channel; the id where the catalog has no name for it."""
        return self.words.of(self.policy.channels[channel].name) if channel in self.policy.channels else channel

    def feature(self, feature: str) -> str:
        """The business name; of a channel's feature with the channel, of the treatment's own journey and channel the word."""
        if feature in FEATURES:
            return self.words.of(BusinessName(FEATURES[feature].en, FEATURES[feature].de))
        if feature in PAIR_NAMES:
            return self.words.of(PAIR_NAMES[feature])
        if feature in ("journey", "channel"):
            return self.words(feature)
        channel, _, name = feature.partition(".")
        return f"{self.feature(name)}, {self.channel(channel)}" if name in FEATURES else feature

    def value(self, feature: str, value: FeatureValue) -> str:
        """A feature's value as people say it: with its unit, money and shares localized, unknown said in words."""
        if value is None:
            return self.words.of(UNKNOWN)
        if isinstance(value, str):
            return {"journey": self.journey, "channel": self.channel}.get(feature, str)(value)
        known = FEATURES.get(feature) or FEATURES.get(feature.partition(".")[2])
        unit = "flag" if isinstance(value, bool) else known.unit if known else ""
        if unit in UNITS:
            shown = self.formats.number(value, 1)
            return f"{shown} {self.words.of(UNITS[unit][0 if shown == '1' else 1])}"
        own: Mapping[str, Callable[[float], str]] = {
            "money": self.formats.money,
            "share": lambda share: self.formats.percent(share, 0),
            "flag": lambda flag: self.words.of(YES if flag else NO),
            "hour": lambda hour: f"{int(hour):02d}:00",
        }
        return own.get(unit, self.formats.number)(value)

    def degraded(self, code: str) -> str:
        """What was missing or stale; a code that is not known here stands for itself."""
        kind, _, view = code.partition("_")
        if code in DEGRADED:
            return self.words.of(DEGRADED[code])
        if kind in DEGRADED and view in VIEW_NAMES:
            return self.words.of(DEGRADED[kind]).format(view=self.words.of(VIEW_NAMES[view]))
        return code
