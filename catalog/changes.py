"""What differs between two catalogs, in plain words, one line per change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from arbitration.codec import encode
from arbitration.policy import Policy

PARTS = {"journeys": "journey", "channels": "channel", "resources": "resource"}
SETTINGS = {"contact_policy": "contact policy", "selection": "selection", "economics": "economics"}


def changes(old: Policy, new: Policy) -> list[str]:
    """Every difference, journeys first; empty when the catalogs mean the same."""
    before, after = encode(old), encode(new)
    found = [line for part, word in PARTS.items() for line in _things(word, before[part], after[part])]
    caps = [_by_key(policy["contact_policy"].pop("caps"), ("id",)) for policy in (before, after)]
    found += _things("cap", *caps)
    for part, word in SETTINGS.items():
        found += _settings(word, before[part], after[part])
    return found


def _about(thing: Mapping[str, Any]) -> str:
    """What is new, at a glance: its name, and where a journey speaks."""
    name = f": {thing['name']['en']}" if "name" in thing else ""
    channels = dict.fromkeys(line["channel"] for line in thing.get("treatments", ()))
    return f"{name}, on {', '.join(channels)}" if channels else name


def _things(word: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Things with a key that came, went or changed."""
    yield from (f"{word} {key} removed" for key in old if key not in new)
    yield from (f"{word} {key} added{_about(new[key])}" for key in new if key not in old)
    for key in old:
        if key in new:
            yield from _settings(f"{word} {key}", old[key], new[key])


def _settings(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in (*old, *(name for name in new if name not in old)):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if name == "treatments":
            keys = ("channel", "template")
            yield from _things(f"{where}: treatment", _by_key(before, keys), _by_key(after, keys))
        elif isinstance(before, dict) and isinstance(after, dict):
            yield from _settings(f"{where}: {name}", before, after)
        else:
            yield f"{where}: {name} {_shown(before)} → {_shown(after)}"


def _by_key(items: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    return {"/".join(item[key] for key in keys): item for item in items}


def _shown(value: Any) -> str:
    """A value as the YAML has it."""
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(one)}" for key, one in value.items() if one is not None) + "}"
    return f"'{value}'" if isinstance(value, str) and " " in value else str(value)
