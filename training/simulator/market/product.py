"""The policy of this project in the simulated market: effects against silence, shrunk, in money, after the price of attention.

The service's formula, on what this market's shop can see; the guard (`come_true`) is this policy's alone:

    net(k, x) = lambda tau_k(x) M(x) - cost_k - h_c W_c(x) - phi(x) g_c,    chosen on tau's mean - 1/2 sd, silence at 0

tau comes from `product_effects`, lambda is how far the chosen effects come true. The prices of attention and reach are the example
catalog's, as shares of its typical customer's annual margin. Explores a fixed share by dice, with exact probabilities logged.
"""

from __future__ import annotations

import numpy as np

from training.effects import Slope, shrink_slope
from training.simulator.market import laws as law
from training.simulator.market.laws import Floats
from training.simulator.market.log import Rows
from training.simulator.market.policies import allot, dice
from training.simulator.market.product_effects import (
    FOLDS,
    OFTEN,
    SPEND,
    Learned,
    learn,
    moment_of,
    precision,
    through_origin,
)
from training.simulator.market.state import MENU, Choice, View

EXPLORED, REFIT_WEEKS, CAUTION = 0.04, 4, 0.5
CONFIDENCE = 1.645
COMMON = 0.25
"""Share of everybody's mean in the price of one customer's attention: who seems lost is not written to for nothing."""
# The example catalog (catalog/example): basket 29 at a margin of 0.25, bought with 0.7 in 14 days, make 132 a year.
ANNUAL = 29.0 * 0.25 * 0.7 * 365 / 14
ATTENTION = 0.05 / ANNUAL
PRESSURE: Floats = np.array([0.8, 1.0, 1.6])
REACH_VALUE: Floats = np.array([4.0, 9.0, 5.0]) / ANNUAL
OPT_OUT: Floats = np.array([0.002, 0.001, 0.004])


class Arbitrated:
    """The policy; `attention` scales the price of attention, for the sweep.

    It speaks only while the logged rows show, on customers it did not learn from, that contacts it would choose have an effect
    (one-sided 95 %, clustered by customer), and follows effects as far as they came true there. Otherwise it goes on exploring.
    """

    def __init__(self, attention: float = 1.0) -> None:
        self._attention, self._fitted = attention, -law.HORIZON - REFIT_WEEKS
        self._learned: Learned | None = None
        self._followed = 0.0

    def choose(self, view: View) -> Choice:
        """The candidate of the greatest cautious value for everybody, but for the explored share."""
        if self._learned is None or view.week - self._fitted >= REFIT_WEEKS:
            known = view.log.rows(view.week).known()
            self._learned, self._fitted = learn(known), view.week
            self._followed = follow(come_true(known, self._attention))
        reserved = view.quota // 5
        values = worth(self._learned, view.features, self._attention, self._followed)
        greedy = allot(values, view.admissible, view.quota - reserved)
        drawn, odds = dice(view.admissible, 0.5, reserved, view.rng)
        explores = view.rng.random(len(greedy)) < EXPLORED
        chosen = np.where(explores, drawn, greedy)
        rows = np.arange(len(chosen))
        probability = EXPLORED * odds[rows, chosen] + (1 - EXPLORED) * (chosen == greedy)
        return Choice(chosen, probability, np.ones(len(chosen), dtype=bool))


def due(features: Floats, attention: float) -> Floats:
    """Money (n, candidates) that a contact costs, now and later: its price, the channel's risk, attention. Silence 0."""
    own = np.exp(features[:, SPEND]) * features[:, OFTEN] * 52
    annual = (1 - COMMON) * own + COMMON * (own.mean() if len(own) else 0.0)
    price = ATTENTION * attention * PRESSURE + OPT_OUT * REACH_VALUE
    found = law.COST + np.concatenate([[0.0], price[law.CHANNEL_OF]]) * annual[:, None]
    found[:, law.SILENCE] = 0.0
    return np.asarray(found)


def worth(learned: Learned, features: Floats, attention: float, followed: float = 1.0) -> Floats:
    """Cautious net value (n, candidates) when effects are `followed` so far, silence 0."""
    mean, sd = learned.effects(features)
    money = np.exp(features[:, [SPEND]])
    return np.asarray(followed * (mean - CAUTION * sd) * money - due(features, attention))


def come_true(rows: Rows, attention: float) -> Slope:
    """How much of the effects that would be chosen comes true on the half of the customers that they were not learned from.

    Least squares through the origin of what was bought beyond m0, on the chosen candidate's effect: among those who got it, less
    the same among the silent for whom it would be chosen too. `raw` is 1 for effects that are right, 0 where there are none.
    """
    half, moment = rows.customer % FOLDS, moment_of(rows.features)
    pick, tau, expected = np.zeros(len(half), dtype=np.int64), np.zeros(len(half)), np.zeros(len(half))
    for one in range(FOLDS):
        here = half == one
        learned, features = learn(rows.where(~here)), rows.features[here]
        values = np.where(MENU[moment[here]], worth(learned, features, attention), -np.inf)
        pick[here], expected[here] = values.argmax(axis=1), learned.expected(features)
        tau[here] = learned.effects(features)[0][np.arange(len(features)), pick[here]]
    error, weight, wanted = rows.purchases - expected, precision(expected), pick != law.SILENCE
    count = int(rows.customer.max()) + 1 if len(half) else 0
    found = []
    for mask in (wanted & (rows.candidate == pick), wanted & (rows.candidate == law.SILENCE)):
        if not mask.any():
            return Slope()
        slope, part = through_origin(error[mask], tau[mask], weight[mask])
        found.append((slope, np.bincount(rows.customer[mask], part, count)))
    (got, shares), (usual, others) = found
    return shrink_slope(got - usual, float(np.sqrt(((shares - others) ** 2).sum())))


def follow(slope: Slope) -> float:
    """The shrunk slope where it is surely above 0, else nothing."""
    return slope.used if slope.raw > CONFIDENCE * slope.sd > 0 else 0.0
