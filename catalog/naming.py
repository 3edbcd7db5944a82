"""How the people of a shop call the things of its catalogs, and how money is written."""

from __future__ import annotations

from collections.abc import Mapping

from arbitration.domain import SILENCE
from arbitration.policy import Policy


class Names:
    """The names of all things of some catalogs, each with its id in brackets; of the last catalog that has the thing."""

    def __init__(self, *policies: Policy) -> None:
        self._names: Mapping[str, dict[str, str]] = {"journey": {}, "channel": {}, "resource": {}, "cap": {}}
        for policy in policies:
            for word, things in (
                ("journey", policy.journeys.values()),
                ("channel", policy.channels.values()),
                ("resource", policy.resources.values()),
                ("cap", policy.contact_policy.caps),
            ):
                self._names[word].update({thing.id: thing.name.en for thing in things})

    def of(self, word: str, key: str) -> str:
        """The name with the id in brackets; `word` is journey, channel, resource, cap or treatment, whose key is channel/template."""
        if word == "treatment":
            channel = key.split("/", 1)[0]
            return f"{self._names['channel'].get(channel, channel)} ({key})"
        name = self._names[word].get(key)
        return key if name is None else f"{name} ({key})"

    def favorite(self, treatment: str) -> str:
        """A treatment's journey and channel by name, its id (journey/channel/template) in brackets; silence is silence."""
        if treatment == SILENCE:
            return treatment
        journey, channel, _ = treatment.split("/", 2)
        name = self._names["journey"].get(journey, journey)
        return f"{name}, {self._names['channel'].get(channel, channel)} ({treatment})"


def money(amount: float, currency: str) -> str:
    """An amount with its currency: cents, and as many digits more as it has."""
    short = f"{amount:.2f}"
    return f"{short if float(short) == amount else f'{amount:.10g}'} {currency}"
