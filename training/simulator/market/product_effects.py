"""What a shop in the simulated market can learn of effects: purchases within the horizon that a contact adds to silence.

From rows with logged probabilities alone: what a contact did beyond what the same kind of customer did in silence, by moment, journey
and channel, shrunk cell -> journey and moment -> all -> prior (`training.effects.hierarchy`). How far customers differ is a linear
model of relative effects, followed as far as a cross-fitted slope says, shrunk into [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.contrasts import capped, effective, sample, weighted
from training.effects import TINY, Beliefs, Sample, Slope, hierarchy
from training.simulator.market import laws as law
from training.simulator.market.laws import Floats, Integers
from training.simulator.market.log import Rows
from training.simulator.market.state import FEATURES
from training.uplift import TAU_PRIOR, fit_slope

FOLDS, RIDGE = 2, 100.0
RELATIVE = (-1.0, 3.0)
"""How far a customer's effect may lie from its cell's, relative to it."""
MOMENTS = slice(FEATURES.index("cart"), FEATURES.index("lapsing") + 1)
Z = np.array([FEATURES.index(name) for name in FEATURES if name not in ("cart", "expiring", "lapsing", "season")])
OFTEN, RECENT, SPEND = (FEATURES.index(name) for name in ("frequency", "recency", "spend"))
RELATIVE_SD = 0.4
"""Before data: one standard deviation of a feature moves the effect by 40 % of its cell's, up or down."""


@dataclass(frozen=True)
class Learned:
    """`tau` (moments, candidates) mean and sd of every cell, silence and what never applies 0; `relative` coefficients of the

    standardized features `(x - center) / scale`; `slope` how far they are followed.
    """

    mean: Floats
    sd: Floats
    relative: Floats
    center: Floats
    scale: Floats
    slope: Slope

    def effects(self, features: Floats) -> tuple[Floats, Floats]:
        """(mean, sd) of tau, each (n, candidates)."""
        moment = moment_of(features)
        beyond = np.clip(((traits(features) - self.center) / self.scale) @ self.relative, *RELATIVE)[:, None]
        factor = 1 + self.slope.used * beyond
        mean, sd = self.mean[moment], self.sd[moment]
        return mean * factor, np.hypot(sd * factor, mean * beyond * self.slope.sd * (self.slope.used > 0))


def moment_of(features: Floats) -> Integers:
    """0 ordinary, 1 cart, 2 expiring, 3 lapsing, (n,)."""
    flags = features[:, MOMENTS]
    return np.asarray(np.where(flags.any(axis=1), flags.argmax(axis=1) + 1, 0))


def learn(rows: Rows) -> Learned:
    """Everything from rows whose probability is known; without any the prior alone. Folds are of customers, in another order than halves."""
    features, candidate, customer = rows.features, rows.candidate, rows.customer
    moment, fold, bought = moment_of(features), customer // FOLDS % FOLDS, rows.purchases.astype(float)
    weight = effective(capped(rows.probability), rows.week, moment, candidate)
    error = bought - expected(features, bought, weight, fold, candidate == law.SILENCE)
    samples, gained = _cells(error, weight, candidate, moment, customer)
    mean, sd = _tables(hierarchy(samples, TAU_PRIOR))
    shown = candidate != law.SILENCE
    tau, seen = mean[moment, candidate][shown], traits(features)
    center, scale = seen.mean(axis=0), np.maximum(seen.std(axis=0), 1e-9)
    design = (seen[shown] - center) / scale * tau[:, None]
    target, ridge = gained[shown] - tau, float(error.var()) / RELATIVE_SD**2
    crossed = np.zeros(len(tau))
    for one in range(FOLDS):
        here = fold[shown] == one
        crossed[here] = design[here] @ _ridge(design, target, weight[shown], ~here, ridge)
    keys, people = (moment * law.CANDIDATES + candidate)[shown].astype(str), customer[shown].astype(str)
    slope = fit_slope(keys, target, crossed, weights=weight[shown], customers=people) if len(tau) else Slope()
    everybody = np.ones(len(tau), dtype=bool)
    return Learned(mean, sd, _ridge(design, target, weight[shown], everybody, ridge), center, scale, slope)


def traits(features: Floats) -> Floats:
    """What may tell customers apart (n, traits): features, and how often and how lately they buy in curves."""
    often, recent = features[:, [OFTEN]], features[:, [RECENT]]
    return np.column_stack([features[:, Z], often**2, often * recent])


def expected(features: Floats, bought: Floats, weight: Floats, fold: Integers, silent: law.Booleans) -> Floats:
    """m0: purchases expected in silence (n,), by ridge regression on features, their squares and products with the frequency."""
    often = features[:, [FEATURES.index("frequency")]]
    design = np.column_stack([np.ones(len(features)), features, features**2, features * often])
    found = np.zeros(len(features))
    for one in range(FOLDS):
        found[fold == one] = design[fold == one] @ _ridge(design, bought, weight, silent & (fold != one))
    return found


def _cells(
    error: Floats, weight: Floats, candidate: Integers, moment: Integers, customer: Integers
) -> tuple[dict[str, Sample], Floats]:
    """Samples by cell against the silent of the same moment, and what each row gained over them."""
    samples: dict[str, Sample] = {}
    gained = error.copy()
    count = int(customer.max()) + 1 if len(customer) else 0
    for one, name in enumerate(law.MOMENTS):
        silent = (moment == one) & (candidate == law.SILENCE)
        level, part = weighted(error[silent], weight[silent])
        control = np.bincount(customer[silent], part, count)
        gained[moment == one] -= level
        for k in np.flatnonzero(law.FIT[one][law.JOURNEY_OF] > 0) + 1:
            inside = (moment == one) & (candidate == k)
            key = f"{law.JOURNEYS[law.JOURNEY_OF[k - 1]]}@{name}/{law.CHANNELS[law.CHANNEL_OF[k - 1]]}"
            if not inside.any() or not silent.any():
                samples[key] = Sample()
                continue
            mean, own = weighted(error[inside], weight[inside])
            share = np.asarray(np.bincount(customer[inside], own, count) - control)
            samples[key] = sample(mean - level, share, int(inside.sum()))
    return samples, gained


def _tables(beliefs: Beliefs) -> tuple[Floats, Floats]:
    """Means and sds of the cells as tables (moments, candidates)."""
    mean, sd = np.zeros((2, len(law.MOMENTS), law.CANDIDATES))
    for key, belief in beliefs.cells.items():
        journey, rest = key.split("@")
        name, channel = rest.split("/")
        place = law.MOMENTS.index(name), law.NAMES.index(f"{journey}/{channel}")
        mean[place], sd[place] = belief.mean, belief.sd
    return mean, sd


def _ridge(design: Floats, target: Floats, weight: Floats, within: law.Booleans, ridge: float = RIDGE) -> Floats:
    """Weighted ridge regression on the rows `within`, weights of mean 1; zeros without rows."""
    if not within.any():
        return np.zeros(design.shape[1])
    rows = design[within]
    scaled = rows * (weight[within] / max(weight[within].mean(), TINY))[:, None]
    return np.asarray(np.linalg.solve(scaled.T @ rows + ridge * np.eye(rows.shape[1]), scaled.T @ target[within]))
