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


@dataclass(frozen=True, slots=True)
class Worth:
    """Values of candidates: `parts` in the order of `PARTS`, sums, bounds, and P(engage)."""

    parts: tuple[Array, ...]
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
    """The value of a treatment for a row in a slot; `row`, `treatment` and `slot` are positions of one shape."""
    costs, channel = layout.costs, layout.channel_of[treatment]
    timed = layout.timed_of[treatment]
    factor = np.where(timed, believed.timing[row, slot], 1.0)
    sign, paid, granted = costs.sign[treatment], costs.paid[treatment], costs.granted[treatment]
    tau = sign * believed.effect[row, treatment] * factor
    base, money, stake = believed.base_purchase[row], believed.basket_margin[row], believed.recency_value[row]
    nearer = believed.tier_progress[row]
    parts = (
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
    net = np.zeros(tau.shape)
    for part in parts:
        net += part
    slope = money + stake + nearer + paid + granted
    spread = np.abs(believed.effect_sd[row, treatment] * factor * slope)
    chance = believed.propensity[row, treatment] * factor
    propensity = np.where(np.isfinite(chance), np.minimum(1.0, np.maximum(0.0, chance)), np.nan)
    return Worth(parts, net, net - spread, net + spread, net - CAUTION * spread, propensity)
