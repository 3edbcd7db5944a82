"""Who is still there: a beta-geometric / beta-Bernoulli model of buying by the week, on what the shop's features show.

Fader, Hardie, Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing Science 29(6): every week a
customer who is there leaves for good with probability theta ~ Beta(gamma, delta), and buys with probability p ~ Beta(alpha, beta). Unlike
there, the shop's frequency is a faded mean, so purchases and weeks up to the last purchase count as faded sums; the purchase with which
somebody joined counts as one (without it the fit foretells as well and takes far too many for present); nobody leaves within the
horizon; and the parameters are not the likeliest for whole histories but those that foretell best what silent customers buy next.

Somebody who rarely buys and somebody who left look alike, but only the one clicks: `checked` raises the chance of the long silent to
what their clicks on messages that arrived say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from training.simulator.market import laws as law
from training.simulator.market.laws import Booleans, Floats, Integers
from training.simulator.market.state import FEATURES, MEMORY

MOST = 8_000
"""Rows that are enough for four parameters."""
LONGEST = 120
"""Weeks without a purchase after which another one changes nothing."""
START = (0.6, 2.0, 0.5, 10.0)
SHRINK = 1e-3
"""Where the search starts, and the penalty on squared log parameters' distance from it: where rows say nothing, it stays."""
CART, OFTEN, RECENT, TENURE = (FEATURES.index(name) for name in ("cart", "frequency", "recency", "tenure"))
History = tuple[Floats, Floats, Floats, Floats]
"""Faded purchases and weeks up to the last purchase, the age in weeks then, and the weeks since, each (n,)."""


@dataclass(frozen=True)
class Presence:
    """Parameters of the population, and the share `floor` of those taken for gone who are there after all."""

    alpha: float
    beta: float
    gamma: float
    delta: float
    floor: float = 0.0

    def of(self, features: Floats) -> tuple[Floats, Floats]:
        """(chance to be still there, chance to buy in a week if so), each (n,); who just filled a cart is there."""
        there, bought, missed = self._posterior(history(features))
        there = self.floor + (1 - self.floor) * there
        return np.where(features[:, CART] > 0, 1.0, there), bought / (bought + missed)

    def loss(self, seen: History, later: Integers) -> float:
        """Mean negative log-likelihood of `later` (n,), how many of the horizon's weeks had a purchase."""
        there, bought, missed = self._posterior(seen)
        ways = gammaln(law.HORIZON + 1) - gammaln(later + 1) - gammaln(law.HORIZON - later + 1)
        chance = there * np.exp(ways + betaln(bought + later, missed + law.HORIZON - later) - betaln(bought, missed))
        return -float(np.log(np.maximum(chance + np.where(later == 0, 1 - there, 0.0), 1e-12)).mean())

    def _posterior(self, seen: History) -> tuple[Floats, Floats, Floats]:
        """Chance to be there, and the two parameters of p's distribution if so: week by week without a purchase, staying and not

        buying against leaving.
        """
        purchases, weeks, age, silent = seen
        bought, missed, lived = self.alpha + purchases, self.beta + weeks - purchases, self.delta + age
        stayed, left = np.ones(len(silent)), np.zeros(len(silent))
        for number in range(int(min(silent.max(initial=0), LONGEST))):
            waits = silent > number
            leaves = self.gamma / (self.gamma + lived + number)
            quiet = (missed + number) / (bought + missed + number)
            left += np.where(waits, stayed * leaves, 0.0)
            stayed *= np.where(waits, (1 - leaves) * quiet, 1.0)
        return stayed / (stayed + left), bought, missed + silent


def history(features: Floats) -> History:
    """What the features say of a customer's purchases."""
    silent = np.asarray(np.round(np.expm1(features[:, RECENT])), dtype=np.float64)
    age = np.maximum(features[:, TENURE] * 52 - silent, 0.0)
    weeks: Floats = (1 - MEMORY**age) / (1 - MEMORY)
    purchases: Floats = np.minimum(features[:, OFTEN] / MEMORY**silent / (1 - MEMORY), weeks)
    return purchases, weeks, age, silent


def fit_presence(features: Floats, later: Integers) -> Presence:
    """What foretells `later` (n,) best, on at most MOST silent rows, evenly taken; START without any."""
    if not len(later):
        return Presence(*START)
    step, start = -(-len(later) // MOST), np.log(START)
    seen, later = history(features[::step]), later[::step]

    def penalized(logs: Floats) -> float:
        return Presence(*np.exp(logs)).loss(seen, later) + SHRINK * float(((logs - start) ** 2).sum())

    return Presence(*map(float, np.exp(minimize(penalized, start, method="L-BFGS-B", bounds=[(-5.0, 6.0)] * 4).x)))


def checked(presence: Presence, features: Floats, clicked: Booleans) -> Presence:
    """`presence`, held against who clicked on messages that arrived: the clicks of those taken for gone, as a share of the others'."""
    there, _ = presence.of(features)
    design = np.column_stack([there, 1 - there])
    here, gone = np.linalg.solve(design.T @ design + np.eye(2), design.T @ clicked.astype(float))
    return replace(presence, floor=float(np.clip(gone / here, 0.0, 1.0)) if here > 0 else 0.0)
