"""The value of many candidates at once: the terms of `arbitration.value`, added in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arbitration.batch.layout import Layout
from arbitration.batch.tables import Believed
from arbitration.value import CAUTION, LARGEST

Array = npt.NDArray[Any]
BLOCK = 1 << 14
"""Candidates that are valued at once: their columns fit into the processor's cache."""


@dataclass(frozen=True, slots=True)
class Worth:
    """Values of candidates: sums of the parts, bounds, and P(engage)."""

    net: Array
    low: Array
    high: Array
    decided_on: Array
    propensity: Array

    @property
    def sound(self) -> Array:
        """Whether the value can be reckoned."""
        return (self.low > -LARGEST) & (self.high < LARGEST) & np.isfinite(self.propensity)


def worth_of(believed: Believed, layout: Layout, row: Array, treatment: Array, slot: Array) -> Worth:
    """The value of a treatment for a row in a slot; `row`, `treatment` and `slot` are positions of one length."""
    if len(row) <= BLOCK:
        return _worth_of(believed, layout, row, treatment, slot)
    parts = [slice(begin, begin + BLOCK) for begin in range(0, len(row), BLOCK)]
    blocks = [_worth_of(believed, layout, row[it], treatment[it], slot[it]) for it in parts]
    return Worth(*(np.concatenate([getattr(it, name) for it in blocks]) for name in Worth.__slots__))


def parts_of(believed: Believed, layout: Layout, row: Array, treatment: Array, slot: Array) -> tuple[Array, ...]:
    """The parts of the value in the order of `PARTS`."""
    factor = _factor(believed, layout, row, treatment, slot)
    return _terms(
        believed, layout, row, treatment, layout.costs.sign[treatment] * believed.effect[row, treatment] * factor
    )


def _factor(believed: Believed, layout: Layout, row: Array, treatment: Array, slot: Array) -> Array:
    factor: Array = np.where(layout.timed_of[treatment], believed.timing[row, slot], 1.0)
    return factor


def _worth_of(believed: Believed, layout: Layout, row: Array, treatment: Array, slot: Array) -> Worth:
    costs = layout.costs
    factor = _factor(believed, layout, row, treatment, slot)
    tau = costs.sign[treatment] * believed.effect[row, treatment] * factor
    net = np.zeros(len(row))
    for part in _terms(believed, layout, row, treatment, tau):
        net += part
    money, stake, nearer = believed.basket_margin[row], believed.recency_value[row], believed.tier_progress[row]
    slope = money + stake + nearer + costs.paid[treatment] + costs.granted[treatment]
    spread = np.abs(believed.effect_sd[row, treatment] * factor * slope)
    chance = believed.propensity[row, treatment] * factor
    propensity = np.where(np.isfinite(chance), np.minimum(1.0, np.maximum(0.0, chance)), np.nan)
    return Worth(net, net - spread, net + spread, net - CAUTION * spread, propensity)


def _terms(believed: Believed, layout: Layout, row: Array, treatment: Array, tau: Array) -> tuple[Array, ...]:
    costs, channel = layout.costs, layout.channel_of[treatment]
    sign, paid, granted = costs.sign[treatment], costs.paid[treatment], costs.granted[treatment]
    base, money, stake = believed.base_purchase[row], believed.basket_margin[row], believed.recency_value[row]
    nearer = believed.tier_progress[row]
    return (
        tau * money,
        tau * stake,
        tau * nearer,
        costs.channel[treatment],
        paid * tau,
        paid * base,
        granted * (base + tau),
        sign * (-believed.opt_out[row, channel] * believed.reach_value[row, channel]),
        sign * (-believed.attention_price[row] * costs.pressure[treatment]),
        costs.shadow[treatment],
        costs.lever[treatment],
    )
