"""What differs between two catalogs, in plain words, one line per change; things are called by their names, ids in brackets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from arbitration.codec import encode
from arbitration.policy import Policy
from catalog.naming import Names, money

PARTS = {"journeys": "journey", "channels": "channel", "resources": "resource"}
SETTINGS = {"contact_policy": "contact policy", "selection": "selection", "economics": "economics"}
MONEY = frozenset({
    "lever", "cost", "reach_value_prior", "face_value", "price", "exploration_budget", "basket_value_prior",
    "recency_value_prior", "attention_price_prior", "tier_value_prior", "point_value",
})  # fmt: skip
"""Settings that are amounts of money."""
NAMED = {
    "channels": "channel",
    "channel": "channel",
    "journeys": "journey",
    "journey": "journey",
    "route_to": "journey",
}
"""Settings that name other things by their ids."""


def changes(old: Policy, new: Policy) -> list[str]:
    """Every difference, journeys first; empty when the catalogs mean the same."""
    return list(_Telling(Names(old, new), old.economics.currency, new.economics.currency).of(encode(old), encode(new)))


@dataclass(frozen=True, slots=True)
class _Telling:
    """How both catalogs call things, and what their money is called before and after."""

    names: Names
    before: str
    after: str

    def of(self, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        for part, word in PARTS.items():
            yield from self._things(word, old[part], new[part])
        caps = [{cap["id"]: cap for cap in policy["contact_policy"].pop("caps")} for policy in (old, new)]
        yield from self._things("cap", *caps)
        for part, word in SETTINGS.items():
            yield from self._settings(word, old[part], new[part])

    def _things(self, word: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
        """Things with a key that came, went or changed."""
        yield from (f"{word} {self.names.of(word, key)} removed" for key in old if key not in new)
        for key in new:
            if key not in old:
                yield f"{word} {self.names.of(word, key)} added{self._about(new[key])}"
        for key in old:
            if key in new:
                yield from self._settings(f"{word} {self.names.of(word, key)}", old[key], new[key])

    def _about(self, thing: Mapping[str, Any]) -> str:
        """Where a new journey speaks."""
        channels = dict.fromkeys(line["channel"] for line in thing.get("treatments", ()))
        return f", on {', '.join(self.names.of('channel', key) for key in channels)}" if channels else ""

    def _settings(self, where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
        for name in (*old, *(name for name in new if name not in old)):
            before, after = old.get(name), new.get(name)
            if before == after:
                continue
            if name == "treatments":
                yield from self._treatments(where, before, after)
            elif isinstance(before, dict) and isinstance(after, dict):
                yield from self._settings(f"{where}: {name}", before, after)
            else:
                yield f"{where}: {name} {self._change(name, before, after)}"

    def _treatments(self, where: str, old: Any, new: Any) -> Iterator[str]:
        by_key = [{f"{line['channel']}/{line['template']}": line for line in lines} for lines in (old, new)]
        for line in self._things("treatment", *by_key):
            yield f"{where}: {line}"

    def _change(self, name: str, before: Any, after: Any) -> str:
        """From what to what; of two amounts in one currency it is named once."""
        shown = self._shown(name, before, self.before), self._shown(name, after, self.after)
        once = name in MONEY and self.before == self.after
        return f"{shown[0].removesuffix(f' {self.before}') if once else shown[0]} → {shown[1]}"

    def _shown(self, name: str, value: Any, currency: str) -> str:
        """A value as the YAML has it, money with its currency and things with their names."""
        if value is None:
            return "nothing"
        if name in MONEY:
            return money(value, currency)
        if isinstance(value, list):
            return f"[{', '.join(self._shown(name, one, currency) for one in value)}]"
        if isinstance(value, dict):
            given = (f"{key}: {self._shown(key, one, currency)}" for key, one in value.items() if one is not None)
            return "{" + ", ".join(given) + "}"
        if name in NAMED:
            return self.names.of(NAMED[name], value)
        return f"'{value}'" if isinstance(value, str) and " " in value else str(value)
