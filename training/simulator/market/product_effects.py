"""What a shop in the simulated market can learn of effects: purchases within the horizon that a contact adds to silence.

    y = m0(x) + 1[contact k] * tau_k(x) + noise,    tau_k(x) = tau(moment, k) * room(x) * (1 + slope * beta' z(x))

room(x) = 1 - m0(x) / horizon is the share of weeks that still lack a purchase; z are standardized features. Everything is weighted by the
inverse of the noise's variance, so that customers who rarely buy, in whom an added purchase shows best, count most. tau is shrunk cell ->
journey and moment -> all -> prior (`training.effects.hierarchy`), beta is a ridge regression of relative effects, and the slope says
how far it comes true on customers it was not learned from. Rows are compared given x and are not weighted by 1 / probability: chance
chose them given x, and the few explored rows of a policy that is nearly sure would drown all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.contrasts import sample
from training.effects import TINY, Beliefs, Sample, Slope, hierarchy
from training.simulator.market import laws as law
from training.simulator.market.laws import Floats, Integers
from training.simulator.market.log import Rows
from training.simulator.market.state import FEATURES
from training.uplift import TAU_PRIOR, fit_slope

FOLDS, RIDGE, PASSES = 2, 10.0, 2
RELATIVE = (-1.0, 3.0)
"""How far a customer's effect may lie from its cell's, relative to it."""
RELATIVE_SD = 0.4
"""Before data: one standard deviation of a feature moves the effect by 40 % of its cell's, up or down."""
LEAST_ROOM, LEAST_VARIANCE = 0.05, 0.03
MOMENTS = slice(FEATURES.index("cart"), FEATURES.index("lapsing") + 1)
Z = np.array([FEATURES.index(name) for name in FEATURES if name not in ("cart", "expiring", "lapsing", "season")])
OFTEN, RECENT, SPEND = (FEATURES.index(name) for name in ("frequency", "recency", "spend"))


@dataclass(frozen=True)
class Learned:
    """`tau` (moments, candidates) mean and sd of every cell per unit of room, silence and what never applies 0; `relative` coefficients

    of the standardized features `(x - center) / scale`; `slope` how far they are followed; `silence` coefficients of m0.
    """

    mean: Floats
    sd: Floats
    relative: Floats
    center: Floats
    scale: Floats
    slope: Slope
    silence: Floats

    def expected(self, features: Floats) -> Floats:
        """m0: purchases expected in silence (n,)."""
        return np.asarray(np.clip(curves(features) @ self.silence, 0.0, law.HORIZON))

    def effects(self, features: Floats) -> tuple[Floats, Floats]:
        """(mean, sd) of tau, each (n, candidates)."""
        moment, free = moment_of(features), room(self.expected(features))[:, None]
        beyond = relative((traits(features) - self.center) / self.scale, self.relative)[:, None]
        factor = free * (1 + self.slope.used * beyond)
        mean, sd = self.mean[moment], self.sd[moment]
        return mean * factor, np.hypot(sd * factor, mean * free * beyond * self.slope.sd * (self.slope.used > 0))


def moment_of(features: Floats) -> Integers:
    """0 ordinary, 1 cart, 2 expiring, 3 lapsing, (n,)."""
    flags = features[:, MOMENTS]
    return np.asarray(np.where(flags.any(axis=1), flags.argmax(axis=1) + 1, 0))


def traits(features: Floats) -> Floats:
    """What may tell customers apart (n, traits): features, and how often and how lately they buy in curves."""
    often, recent = features[:, [OFTEN]], features[:, [RECENT]]
    return np.column_stack([features[:, Z], often**2, often * recent])


def curves(features: Floats) -> Floats:
    """What m0 is linear in (n, terms): features, their squares and products with the frequency, and cubes of rate and recency."""
    often, recent = features[:, [OFTEN]], features[:, [RECENT]]
    bent = [often**3, recent**3, recent**2 * often, often**2 * recent]
    return np.column_stack([np.ones(len(features)), features, features**2, features * often, *bent])


def relative(z: Floats, beta: Floats) -> Floats:
    """The relative effects beta' z (n,), kept within RELATIVE."""
    return np.asarray(np.clip(z @ beta, *RELATIVE))


def room(expected: Floats) -> Floats:
    """Share (n,) of the horizon's weeks in which nothing would be bought in silence."""
    return np.asarray(np.clip(1 - expected / law.HORIZON, LEAST_ROOM, 1.0))


def precision(expected: Floats) -> Floats:
    """1 / variance (n,) of the purchases in the horizon: a binomial's, and something for what m0 does not know."""
    mean = np.clip(expected, 0.0, law.HORIZON)
    return np.asarray(1 / (1.2 * mean * (1 - mean / law.HORIZON) + LEAST_VARIANCE))


def silence_of(rows: Rows, within: law.Booleans) -> Floats:
    """Coefficients of m0 from the silent rows `within`: least squares, then once more weighted by the precision that follows from it."""
    design, bought = curves(rows.features), rows.purchases.astype(float)
    silent = within & (rows.candidate == law.SILENCE)
    first = ridge(design, bought, np.ones(len(bought)), silent, RIDGE)
    return ridge(design, bought, precision(design @ first), silent, RIDGE)


def learn(rows: Rows) -> Learned:
    """Everything from rows that dice decided; without any the prior alone. Folds are of customers, in another order than halves."""
    fold, everybody = rows.customer // FOLDS % FOLDS, np.ones(len(rows.customer), dtype=bool)
    expected = np.zeros(len(fold))
    for one in range(FOLDS):
        found = silence_of(rows, fold != one)
        expected[fold == one] = np.clip(curves(rows.features[fold == one]) @ found, 0.0, law.HORIZON)
    seen = traits(rows.features)
    center, scale = (seen.mean(axis=0), np.maximum(seen.std(axis=0), 1e-9)) if len(seen) else np.tile([[0.0], [1.0]], seen.shape[1])  # fmt: skip
    z, free, weight = (seen - center) / scale, room(expected), precision(expected)
    error, beta, slope = rows.purchases - expected, np.zeros(seen.shape[1]), Slope(1.0, 1.0, 0.0)
    for _ in range(PASSES):
        shape = free * (1 + slope.used * relative(z, beta))
        samples, level = _cells(rows, error, shape, weight)
        mean, sd = _tables(hierarchy(samples, TAU_PRIOR))
        beta, slope = _relative(rows, z, mean[moment_of(rows.features), rows.candidate] * free, error - level, weight)
    return Learned(mean, sd, beta, center, scale, slope, silence_of(rows, everybody))


def _cells(rows: Rows, error: Floats, shape: Floats, weight: Floats) -> tuple[dict[str, Sample], Floats]:
    """Samples by cell per unit of `shape`, less the silent's of the same moment, and each row's share of the latter (n,)."""
    samples: dict[str, Sample] = {}
    level, moment, customer = np.zeros(len(error)), moment_of(rows.features), rows.customer
    count = int(customer.max()) + 1 if len(customer) else 0
    for one, name in enumerate(law.MOMENTS):
        silent = (moment == one) & (rows.candidate == law.SILENCE)
        usual, part = through_origin(error[silent], shape[silent], weight[silent])
        control = np.bincount(customer[silent], part, count)
        level[moment == one] = usual * shape[moment == one]
        for k in np.flatnonzero(law.FIT[one][law.JOURNEY_OF] > 0) + 1:
            inside = (moment == one) & (rows.candidate == k)
            key = f"{law.JOURNEYS[law.JOURNEY_OF[k - 1]]}@{name}/{law.CHANNELS[law.CHANNEL_OF[k - 1]]}"
            if not inside.any() or not silent.any():
                samples[key] = Sample()
                continue
            mean, own = through_origin(error[inside], shape[inside], weight[inside])
            share = np.asarray(np.bincount(customer[inside], own, count) - control)
            samples[key] = sample(mean - usual, share, int(inside.sum()))
    return samples, level


def _relative(rows: Rows, z: Floats, usual: Floats, gained: Floats, weight: Floats) -> tuple[Floats, Slope]:
    """Coefficients of relative effects, and their cross-fitted slope; `usual` (n,) is what the row's cell gains with its room."""
    shown, fold = rows.candidate != law.SILENCE, rows.customer // FOLDS % FOLDS
    if not shown.any():
        return np.zeros(z.shape[1]), Slope()
    design, target = z * usual[:, None], gained - usual
    noise = float((weight[shown] * gained[shown] ** 2).sum() / weight[shown].sum())
    strength = noise / RELATIVE_SD**2
    crossed = np.zeros(len(usual))
    for one in range(FOLDS):
        here = shown & (fold == one)
        crossed[here] = relative(z[here], ridge(design, target, weight, shown & (fold != one), strength)) * usual[here]
    keys = (moment_of(rows.features) * law.CANDIDATES + rows.candidate)[shown].astype(str)
    slope = fit_slope(
        keys, target[shown], crossed[shown], weights=weight[shown], customers=rows.customer[shown].astype(str)
    )
    return ridge(design, target, weight, shown, strength), slope


def _tables(beliefs: Beliefs) -> tuple[Floats, Floats]:
    """Means and sds of the cells as tables (moments, candidates)."""
    mean, sd = np.zeros((2, len(law.MOMENTS), law.CANDIDATES))
    for key, belief in beliefs.cells.items():
        journey, rest = key.split("@")
        name, channel = rest.split("/")
        place = law.MOMENTS.index(name), law.NAMES.index(f"{journey}/{channel}")
        mean[place], sd[place] = belief.mean, belief.sd
    return mean, sd


def through_origin(values: Floats, shape: Floats, weight: Floats) -> tuple[float, Floats]:
    """Weighted least squares of `values` on `shape` alone, and each row's share in its error; 0 and no error without rows."""
    total = float((weight * shape**2).sum())
    if total <= TINY:
        return 0.0, np.zeros(len(values))
    slope = float((weight * shape * values).sum()) / total
    return slope, weight * shape * (values - slope * shape) / total


def ridge(design: Floats, target: Floats, weight: Floats, within: law.Booleans, strength: float) -> Floats:
    """Weighted ridge regression on the rows `within`, weights of mean 1; zeros without rows."""
    if not within.any():
        return np.zeros(design.shape[1])
    rows = design[within]
    scaled = rows * (weight[within] / max(weight[within].mean(), TINY))[:, None]
    return np.asarray(np.linalg.solve(scaled.T @ rows + strength * np.eye(rows.shape[1]), scaled.T @ target[within]))
