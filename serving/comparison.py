"""What another policy would change, over many recorded inputs: the blast radius. Pure.

Compared are favorites, what each policy holds for best, so that the dice of exploration do not count as change. Estimates, contacts
and consents stay as recorded; only the policy differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Any

from arbitration.domain import SILENCE
from arbitration.policy import Policy
from serving.favorites import Row, summaries
from serving.ledger.rows import Summary

EXAMPLES = 10
SAME_MONEY = 1e-9
"""Less is the rounding of sums: the value without the lever is a difference."""
_HELD_PRIORS = (
    "margin_rate", "basket_value_prior", "base_purchase_prior", "churn_risk_prior", "recency_value_prior", "attention_price_prior",
    "propensity_prior", "effect_window_days", "tier_value_prior",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One decision whose favorite changes."""

    decision_id: str
    customer_id: str
    before: str
    after: str
    net_before: float
    net_after: float


@dataclass(frozen=True, slots=True)
class Move:
    """All changes from one favorite to another: how many, and the sums of their expected money."""

    count: int = 0
    net_before: float = 0.0
    net_after: float = 0.0

    def __add__(self, other: Move) -> Move:
        return Move(
            self.count + other.count,
            _total((self.net_before, other.net_before)),
            _total((self.net_after, other.net_after)),
        )


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """What changes from one policy to another. Treatments are ids, silence is `silence`; money is of favorites, expected and net.

    `simulated`: some of the records rest on simulated rows. `moves` holds (before, after) of favorites that differ. Where the favorite stays, `retimed` have another send window and
    `revalued` another value. `stopped_before` and `stopped_after` count treatments that a gate stopped, by gate.
    """

    records: int = 0
    moves: Mapping[tuple[str, str], Move] = field(default_factory=dict)
    retimed: int = 0
    revalued: int = 0
    net_before: float = 0.0
    net_after: float = 0.0
    stopped_before: Mapping[str, int] = field(default_factory=dict)
    stopped_after: Mapping[str, int] = field(default_factory=dict)
    simulated: bool = False
    examples: tuple[Change, ...] = ()

    @property
    def changed(self) -> int:
        """Decisions whose favorite differs."""
        return sum(move.count for move in self.moves.values())

    @property
    def silence_gained(self) -> int:
        """Decisions that spoke and would be silent."""
        return sum(move.count for (_, after), move in self.moves.items() if after == SILENCE)

    @property
    def silence_lost(self) -> int:
        """Decisions that were silent and would speak."""
        return sum(move.count for (before, _), move in self.moves.items() if before == SILENCE)

    @property
    def gates(self) -> dict[str, tuple[int, int]]:
        """Gate -> treatments that it stopped before and after, where the two differ; the largest difference first."""
        codes = sorted({*self.stopped_before, *self.stopped_after})
        pairs = {code: (self.stopped_before.get(code, 0), self.stopped_after.get(code, 0)) for code in codes}
        differing = {code: pair for code, pair in pairs.items() if pair[0] != pair[1]}
        return dict(sorted(differing.items(), key=lambda it: -abs(it[1][1] - it[1][0])))

    def to_plain(self) -> dict[str, Any]:
        """The same as plain JSON values, for machines."""
        return {
            "records": self.records,
            "simulated": self.simulated,
            "changed": self.changed,
            "retimed": self.retimed,
            "revalued": self.revalued,
            "silence_gained": self.silence_gained,
            "silence_lost": self.silence_lost,
            "net_before": self.net_before,
            "net_after": self.net_after,
            "moves": [
                {"before": pair[0], "after": pair[1], "count": move.count, "net_before": move.net_before, "net_after": move.net_after}
                for pair, move in self.moves.items()
            ],
            "gates": {code: {"before": before, "after": after} for code, (before, after) in self.gates.items()},
            "examples": [{name: getattr(one, name) for name in Change.__slots__} for one in self.examples],
        }  # fmt: skip


def blast_radius(rows: Sequence[Row], old: Policy, new: Policy, *, examples: int = EXAMPLES) -> BlastRadius:
    """What `new` changes against `old` for the customers and moments of `rows`; the first changes are named as examples."""
    return compared(rows, summaries(rows, old), summaries(rows, new), examples=examples)


def compared(
    rows: Sequence[Row], before: Sequence[Summary], after: Sequence[Summary], *, examples: int = EXAMPLES
) -> BlastRadius:
    """The blast radius between the favorites of two policies, given per row."""
    moves: dict[tuple[str, str], list[Change]] = {}
    changes: list[Change] = []
    retimed = revalued = 0
    for row, was, now in zip(rows, before, after, strict=True):
        if was.favorite == now.favorite:
            retimed += was.opens_at != now.opens_at
            revalued += was.opens_at == now.opens_at and abs(was.net - now.net) > SAME_MONEY
            continue
        ends = (was.favorite or SILENCE, now.favorite or SILENCE)
        change = Change(row["decision_id"], row["context"]["customer_id"], *ends, was.net, now.net)
        moves.setdefault(ends, []).append(change)
        changes.append(change)
    return BlastRadius(
        records=len(rows),
        moves=_ordered({ends: _move(found) for ends, found in moves.items()}),
        retimed=retimed,
        revalued=revalued,
        net_before=_total(one.net for one in before),
        net_after=_total(one.net for one in after),
        stopped_before=_counted(one.stopped for one in before),
        stopped_after=_counted(one.stopped for one in after),
        simulated=any(row.get("simulated", False) for row in rows),
        examples=tuple(changes[:examples]),
    )


def together(parts: Iterable[BlastRadius], *, examples: int = EXAMPLES) -> BlastRadius:
    """One blast radius over several sets of rows, in the order in which they are given."""
    found = list(parts)
    moves: dict[tuple[str, str], Move] = {}
    for part in found:
        for ends, move in part.moves.items():
            moves[ends] = moves.get(ends, Move()) + move
    return BlastRadius(
        records=sum(part.records for part in found),
        moves=_ordered(moves),
        retimed=sum(part.retimed for part in found),
        revalued=sum(part.revalued for part in found),
        net_before=_total(part.net_before for part in found),
        net_after=_total(part.net_after for part in found),
        stopped_before=_counted(part.stopped_before for part in found),
        stopped_after=_counted(part.stopped_after for part in found),
        simulated=any(part.simulated for part in found),
        examples=tuple(change for part in found for change in part.examples)[:examples],
    )


def hidden(old: Policy, new: Policy) -> frozenset[str]:
    """Settings that differ and that estimates are made from: recorded estimates hold what the old ones came to."""
    found = {name for name in _HELD_PRIORS if getattr(old.economics, name) != getattr(new.economics, name)}
    pairs: tuple[tuple[Mapping[str, Any], Mapping[str, Any], tuple[str, ...]], ...] = (
        (old.channels, new.channels, ("opt_out_prior", "reach_value_prior")),
        (old.journeys, new.journeys, ("effect_prior", "effect_prior_sd")),
    )
    for before, after, names in pairs:
        shared = before.keys() & after.keys()
        found |= {name for name in names for it in shared if getattr(before[it], name) != getattr(after[it], name)}
    return frozenset(found)


def _total(amounts: Iterable[float]) -> float:
    """The exact sum; where that is beyond all numbers, as in a damaged ledger, whatever plain addition makes of it."""
    found = list(amounts)
    try:
        return fsum(found)
    except (OverflowError, ValueError):
        return sum(found)


def _move(changes: Sequence[Change]) -> Move:
    return Move(len(changes), _total(one.net_before for one in changes), _total(one.net_after for one in changes))


def _ordered(moves: Mapping[tuple[str, str], Move]) -> dict[tuple[str, str], Move]:
    """The most frequent first."""
    return dict(sorted(moves.items(), key=lambda it: (-it[1].count, it[0])))


def _counted(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for part in parts:
        counted.update(part)
    return dict(sorted(counted.items()))
