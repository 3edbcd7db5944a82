"""What a shop in the simulated market can learn of effects: purchases within the horizon that a contact adds to silence.

    y = m0(x) + 1[contact k] * tau_k(x) + noise,    tau_k(x) = tau(moment, k) * open(x) * (1 + slope * beta' z(x))

open(x) is the chance that a contact finds somebody (`presence`), and a week in which they would not buy anyway; z are
standardized features of how somebody listens. Everything is weighted by the inverse of the noise's variance. m0 is learned from all
silent rows; contacts are compared with silence only where dice decided between the two, since a policy's own choice has next to no
silence beside it and shows m0's error as an effect. tau is a normal posterior over all cells at once, drawn together by moment,
journey and channel; beta is a ridge regression of relative effects, and the slope says how far it comes true on customers it was
not learned from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.effects import TINY, Slope
from training.simulator.market import laws as law
from training.simulator.market.laws import Floats, Integers
from training.simulator.market.log import Rows
from training.simulator.market.presence import Presence, checked, fit_presence
from training.simulator.market.state import FEATURES
from training.uplift import fit_slope

FOLDS, RIDGE, PASSES = 2, 10.0, 2
RELATIVE = (-1.0, 3.0)
"""How far a customer's effect may lie from its cell's, relative to it."""
RELATIVE_SD = 0.15
"""Before data: one standard deviation of a feature moves the effect by 15 % of its cell's, up or down."""
MAIL, MAIL_SD = 0.005, 0.0026
"""Purchases that one everyday mail causes: mean and sd of Hillstrom's two e-mails, 0.0031 and 0.0068 (minethatdata.com, 2008)."""
OWN_SD = 0.12
"""Before data: sd of what an e-mail of a journey causes at its own moment, of which no public experiment is known."""
REACHES = (0.0, 2.0)
LEAST_ROOM, LEAST_VARIANCE, LEAST_MONEY = 0.05, 0.03, 0.5
MOMENTS = slice(FEATURES.index("cart"), FEATURES.index("lapsing") + 1)
Z = np.array([FEATURES.index(name) for name in ("clicks", "opens", "pressure", "profile_1", "profile_2", "profile_3")])
"""What may tell apart how customers listen; how they buy is in open(x)."""
OFTEN, RECENT, SPEND = (FEATURES.index(name) for name in ("frequency", "recency", "spend"))
CELLS = np.argwhere(np.column_stack([np.zeros(len(law.MOMENTS)), law.FIT[:, law.JOURNEY_OF]]) > 0)
"""Moment and candidate of every cell that applies."""


@dataclass(frozen=True)
class Learned:
    """`mean` and `sd` (moments, candidates) of every cell's tau per unit of openness, silence and what never applies 0, `covariance`

    (cells, cells) in the order of CELLS; `relative` coefficients of the standardized features `(x - center) / scale`; `slope` how far
    they are followed; `silence` and `amount` coefficients of m0 and of a purchase's margin; `presence` says who is still there.
    """

    mean: Floats
    sd: Floats
    covariance: Floats
    relative: Floats
    center: Floats
    scale: Floats
    slope: Slope
    silence: Floats
    amount: Floats
    presence: Presence

    def money(self, features: Floats) -> Floats:
        """Margin expected of a purchase (n,)."""
        return np.asarray(np.maximum(amounts(features) @ self.amount, LEAST_MONEY))

    def expected(self, features: Floats) -> Floats:
        """m0: purchases expected in silence (n,)."""
        return np.asarray(np.clip(curves(features) @ self.silence, 0.0, law.HORIZON))

    def effects(self, features: Floats) -> tuple[Floats, Floats]:
        """(mean, sd) of tau, each (n, candidates)."""
        moment, free = moment_of(features), open_to(features, self.presence)[:, None]
        beyond = relative((features[:, Z] - self.center) / self.scale, self.relative)[:, None]
        factor = free * (1 + self.slope.used * beyond)
        mean, sd = self.mean[moment], self.sd[moment]
        return mean * factor, np.hypot(sd * factor, mean * free * beyond * self.slope.sd * (self.slope.used > 0))


def moment_of(features: Floats) -> Integers:
    """0 ordinary, 1 cart, 2 expiring, 3 lapsing, (n,)."""
    flags = features[:, MOMENTS]
    return np.asarray(np.where(flags.any(axis=1), flags.argmax(axis=1) + 1, 0))


def curves(features: Floats) -> Floats:
    """What m0 is linear in (n, terms): features, their squares and products with the frequency, and cubes of rate and recency."""
    often, recent = features[:, [OFTEN]], features[:, [RECENT]]
    bent = [often**3, recent**3, recent**2 * often, often**2 * recent]
    return np.column_stack([np.ones(len(features)), features, features**2, features * often, *bent])


def amounts(features: Floats) -> Floats:
    """What a purchase's margin is linear in (n, terms): the usual spend, how often, and both."""
    spend, often = np.exp(features[:, [SPEND]]), features[:, [OFTEN]]
    return np.column_stack([spend, spend * often, np.ones(len(features)), often])


def amount_of(rows: Rows) -> Floats:
    """Coefficients of the margin of a purchase, from the rows with one: least squares relative to the usual spend, which they start at."""
    bought, start = rows.purchases > 0, np.array([1.0, 0.0, 0.0, 0.0])
    margin = (rows.reward + law.COST[rows.candidate]) / np.maximum(rows.purchases, 1)
    design, weight = amounts(rows.features), np.exp(-2 * rows.features[:, SPEND])
    return start + ridge(design, margin - design @ start, weight, bought, RIDGE)


def relative(z: Floats, beta: Floats) -> Floats:
    """The relative effects beta' z (n,), kept within RELATIVE."""
    return np.asarray(np.clip(z @ beta, *RELATIVE))


def open_to(features: Floats, presence: Presence) -> Floats:
    """Share (n,) of a contact's effect that finds somebody, and a week in which they would not buy anyway."""
    there, buying = presence.of(features)
    return np.asarray(there * np.maximum(1 - buying, LEAST_ROOM))


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


def learn(rows: Rows, drawn: law.Booleans) -> Learned:
    """Everything from rows whose probability is known; `drawn` (r,) are those in which dice decided between silence and a contact."""
    fold, everybody = rows.customer // FOLDS % FOLDS, np.ones(len(rows.customer), dtype=bool)
    expected = np.zeros(len(fold))
    for one in range(FOLDS):
        here, found = fold == one, silence_of(rows, fold != one)
        expected[here] = np.clip(curves(rows.features[here]) @ found, 0.0, law.HORIZON)
    presence = presence_of(rows)
    free = open_to(rows.features, presence)
    silence, amount = silence_of(rows, everybody), amount_of(rows)
    rows, expected, free = rows.where(drawn), expected[drawn], free[drawn]
    seen, error, weight = rows.features[:, Z], rows.purchases - expected, precision(expected)
    center, scale = (seen.mean(axis=0), np.maximum(seen.std(axis=0), 1e-9)) if len(seen) else (np.zeros(len(Z)), np.ones(len(Z)))  # fmt: skip
    z, beta, slope = (seen - center) / scale, np.zeros(len(Z)), Slope(1.0, 1.0, 0.0)
    prior = believed(float(free.mean()) if len(free) else 1.0, reach_of(rows))
    for _ in range(PASSES):
        measured = contrasts(rows, error, free * (1 + slope.used * relative(z, beta)), weight)
        mean, sd, covariance = posterior(*prior, *measured[:2])
        usual = mean[moment_of(rows.features), rows.candidate] * free
        beta, slope = _relative(rows, z, usual, error - measured[2], weight)
    return Learned(mean, sd, covariance, beta, center, scale, slope, silence, amount, presence)


def presence_of(rows: Rows) -> Presence:
    """Who is still there: from the purchases of the silent and the clicks of all whom a message reached.

    Those whom the policy chose to reach are among them, since clicks are rare: a rule of thumb, for pressure and channel move clicks, too.
    """
    silent = rows.candidate == law.SILENCE
    found = fit_presence(rows.features[silent], rows.purchases[silent])
    return checked(found, rows.features[rows.arrived], rows.clicked[rows.arrived])


def reach_of(rows: Rows) -> Floats:
    """How much more or less each channel's contacts arrive than e-mail's (channels,), within REACHES; 1 where one of the two was never used."""
    sent = rows.candidate != law.SILENCE
    channel = law.CHANNEL_OF[rows.candidate[sent] - 1]
    arrived, used = (np.bincount(channel, one, len(law.CHANNELS)) for one in (rows.arrived[sent], None))
    share = (arrived + 1) / (used + 2)
    return np.where((used > 0) & (used[law.EMAIL] > 0), np.clip(share / share[law.EMAIL], *REACHES), 1.0)


def believed(free: float, reach: Floats) -> tuple[Floats, Floats]:
    """Prior mean (cells,) and covariance (cells, cells) of tau, per unit of openness, of which the average mail finds `free`.

    Every mail is expected to do what a public experiment's did; only the everyday mail is believed to be as near to it as that
    experiment's two are to each other, and so is any journey away from its own moment; at it, hardly anything is (OWN_SD). Half of a
    journey's variance is common to its moments; channels and cells differ by half of an everyday mail's sd. Another channel than e-mail
    is believed to do as much more or less as it arrives, `reach` (channels,).
    """
    journey, channel = law.JOURNEY_OF[CELLS[:, 1] - 1], law.CHANNEL_OF[CELLS[:, 1] - 1]
    sd = np.where(CELLS[:, 0] == journey, OWN_SD, MAIL_SD / free)
    sd[journey == 0] = MAIL_SD / free
    alike = [one[:, None] == one for one in (journey, journey * len(law.MOMENTS) + CELLS[:, 0], channel)]
    small = (MAIL_SD / free / 2) ** 2
    covariance = np.outer(sd, sd) * (alike[0] + alike[1].astype(float)) / 2 + small * (alike[2] + np.eye(len(CELLS)))
    arrives = reach[channel]
    return MAIL / free * arrives, covariance * np.outer(arrives, arrives)


def contrasts(rows: Rows, error: Floats, shape: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Every cell's effect per unit of `shape` against the silent of its moment, NaN where nothing was tried, and their covariance,

    clustered by customer; and each row's share (r,) of what the silent did beyond m0.
    """
    level, moment, count = np.zeros(len(error)), moment_of(rows.features), int(rows.customer.max(initial=-1)) + 1
    found, shares = np.full(len(CELLS), np.nan), np.zeros((len(CELLS), count))
    for number, (one, candidate) in enumerate(CELLS):
        silent, inside = ((moment == one) & (rows.candidate == k) for k in (law.SILENCE, candidate))
        if not silent.any() or not inside.any():
            continue
        usual, part = through_origin(error[silent], shape[silent], weight[silent])
        mean, own = through_origin(error[inside], shape[inside], weight[inside])
        level[moment == one] = usual * shape[moment == one]
        found[number] = mean - usual
        shares[number] = np.bincount(rows.customer[inside], own, count) - np.bincount(
            rows.customer[silent], part, count
        )
    return found, shares @ shares.T, level


def posterior(mean: Floats, covariance: Floats, found: Floats, noise: Floats) -> tuple[Floats, Floats, Floats]:
    """The normal prior given what was measured with its noise: the cells' means and sds as tables (moments, candidates), and their

    covariance (cells, cells).
    """
    known = np.flatnonzero(~np.isnan(found))
    least = 1e-6 * np.eye(len(known))
    gain = np.linalg.solve(covariance[np.ix_(known, known)] + noise[np.ix_(known, known)] + least, covariance[known]).T
    means, sds = np.zeros((2, len(law.MOMENTS), law.CANDIDATES))
    means[tuple(CELLS.T)] = mean + gain @ (found - mean)[known]
    covariance = covariance - gain @ covariance[known]
    sds[tuple(CELLS.T)] = np.sqrt(np.diag(covariance))
    return means, sds, covariance


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
