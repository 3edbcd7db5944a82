"""BG/NBD: the reference that knows nothing but how often, how recently and how long a customer has bought.

Fader, Hardie, Lee (2005), "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing Science 24(2).
While alive a customer buys as a Poisson process with rate from Gamma(r, alpha) and leaves after a purchase with probability from
Beta(a, b). What is predicted is no purchase in a horizon h, not 1 - P(alive): the living also stay away,

    P(none in h) = 1 - P(alive) (1 - ((alpha + T) / (alpha + T + h)) ^ (r + x)),

because nobody leaves between purchases and the rate of the living is Gamma(r + x, alpha + T).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln

FloatArray = NDArray[np.float64]
SHRINK = 1e-3
"""Penalty on squared log parameters per customer: keeps them finite where the data say nothing about them."""
MOST = 20_000
"""Customers that are enough for four parameters."""


@dataclass(frozen=True)
class Purchasing:
    """Parameters of a population: time is in weeks."""

    r: float
    alpha: float
    a: float
    b: float

    def no_purchase(self, repeats: FloatArray, last: FloatArray, age: FloatArray, horizon: float) -> FloatArray:
        """P(no purchase in the next `horizon` weeks), (n,): `repeats` after the first purchase, `last` and `age` weeks since it."""
        odds_of_death = self._odds_of_death(repeats, last, age)
        stay_away = np.exp((self.r + repeats) * (np.log(self.alpha + age) - np.log(self.alpha + age + horizon)))
        return np.asarray(1.0 - (1.0 - stay_away) / (1.0 + odds_of_death), dtype=np.float64)

    def alive(self, repeats: FloatArray, last: FloatArray, age: FloatArray) -> FloatArray:
        """P(alive), (n,); 1 for who bought once, because one leaves only after a repeat purchase in this model."""
        return np.asarray(1.0 / (1.0 + self._odds_of_death(repeats, last, age)), dtype=np.float64)

    def _odds_of_death(self, repeats: FloatArray, last: FloatArray, age: FloatArray) -> FloatArray:
        again = repeats > 0
        waited = (self.r + repeats) * (np.log(self.alpha + age) - np.log(self.alpha + last))
        odds = self.a / (self.b + np.where(again, repeats, 1.0) - 1.0) * np.exp(np.minimum(waited, 500.0))
        return np.asarray(np.where(again, odds, 0.0), dtype=np.float64)


def fit_purchasing(repeats: FloatArray, last: FloatArray, age: FloatArray) -> Purchasing:
    """Maximum likelihood over at most MOST customers, evenly taken; the same customers give the same parameters."""
    step = max(1, len(repeats) // MOST)
    table = np.column_stack([repeats[::step], last[::step], age[::step]])
    unique, weights = np.unique(table, axis=0, return_counts=True)
    x, t, total = unique[:, 0], unique[:, 1], unique[:, 2]

    def loss(logs: FloatArray) -> float:
        penalty = SHRINK * float(np.sum(logs**2))
        return -float(weights @ log_likelihood(np.exp(logs), x, t, total)) / float(weights.sum()) + penalty

    start = np.log([0.5, float(np.median(total)) / 2 + 1.0, 0.8, 2.5])
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(-7.0, 7.0)] * 4)
    r, alpha, a, b = np.exp(found.x)
    return Purchasing(float(r), float(alpha), float(a), float(b))


def log_likelihood(parameters: FloatArray, repeats: FloatArray, last: FloatArray, age: FloatArray) -> FloatArray:
    """Each customer's log-likelihood (n,), equation 6 of the paper in logarithms; `parameters` are r, alpha, a, b."""
    r, alpha, a, b = parameters
    counted = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha)
    stayed = betaln(a, b + repeats) - betaln(a, b) - (r + repeats) * np.log(alpha + age)
    left = betaln(a + 1.0, b + np.maximum(repeats, 1.0) - 1.0) - betaln(a, b) - (r + repeats) * np.log(alpha + last)
    return np.asarray(counted + np.where(repeats > 0, np.logaddexp(stayed, left), stayed), dtype=np.float64)


def log_odds(probabilities: FloatArray) -> FloatArray:
    """ln(p / (1 - p)), kept finite."""
    p = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p) - np.log1p(-p), dtype=np.float64)


def probabilities(margins: FloatArray) -> FloatArray:
    """The inverse of `log_odds`."""
    return np.asarray(expit(margins), dtype=np.float64)
