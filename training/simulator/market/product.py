"""The policy of this project in the simulated market: effects against silence, shrunk, in money, after the price of attention.

The service's formula, on what this market's shop can see; the guard of moments (`shown_to_earn`) is this policy's alone:

    net(k, x) = tau_k(x) M(x) - cost_k - h_c W_c(x) - phi(x) g_c,    chosen on tau's mean - 1/2 sd, silence at 0

tau comes from `product_effects`. The prices of attention and reach are the example catalog's, as shares of its typical customer's
annual margin; nothing here was fitted to this market. Explores a fixed share by dice, with exact probabilities logged.
"""

from __future__ import annotations

import numpy as np

from training.contrasts import capped, effective, weighted
from training.simulator.market import laws as law
from training.simulator.market.laws import Floats
from training.simulator.market.log import Rows
from training.simulator.market.policies import allot, dice
from training.simulator.market.product_effects import (
    FOLDS,
    OFTEN,
    SPEND,
    Learned,
    expected,
    learn,
    moment_of,
)
from training.simulator.market.state import MENU, Choice, View

EXPLORED, REFIT_WEEKS, CAUTION = 0.04, 4, 0.5
CONFIDENCE, FEWEST_ROWS = 1.645, 50
# The example catalog (catalog/example): basket 29 at a margin of 0.25, bought with 0.7 in 14 days, make 132 a year.
ANNUAL = 29.0 * 0.25 * 0.7 * 365 / 14
ATTENTION = 0.05 / ANNUAL
PRESSURE: Floats = np.array([0.8, 1.0, 1.6])
REACH_VALUE: Floats = np.array([4.0, 9.0, 5.0]) / ANNUAL
OPT_OUT: Floats = np.array([0.002, 0.001, 0.004])


class Arbitrated:
    """The policy; `attention` scales the price of attention, for the sweep.

    At a moment it speaks only while the logged rows show, on customers it did not learn from, that speaking there earned more than
    silence: one-sided 95 %, clustered by customer, prices paid. Otherwise it goes on exploring.
    """

    def __init__(self, attention: float = 1.0) -> None:
        self._attention, self._fitted = attention, -law.HORIZON - REFIT_WEEKS
        self._learned: Learned | None = None
        self._speaks = np.zeros(len(law.MOMENTS), dtype=bool)

    def choose(self, view: View) -> Choice:
        """The candidate of the greatest cautious value for everybody, but for the explored share."""
        if self._learned is None or view.week - self._fitted >= REFIT_WEEKS:
            known = view.log.rows(view.week).known()
            self._learned, self._speaks, self._fitted = learn(known), shown_to_earn(known, self._attention), view.week
        reserved = view.quota // 5
        values = worth(self._learned, view.features, self._attention)
        values[~self._speaks[moment_of(view.features)], 1:] = -np.inf
        greedy = allot(values, view.admissible, view.quota - reserved)
        drawn, odds = dice(view.admissible, 0.5, reserved, view.rng)
        explores = view.rng.random(len(greedy)) < EXPLORED
        chosen = np.where(explores, drawn, greedy)
        rows = np.arange(len(chosen))
        probability = EXPLORED * odds[rows, chosen] + (1 - EXPLORED) * (chosen == greedy)
        return Choice(chosen, probability, np.ones(len(chosen), dtype=bool))


def due(features: Floats, attention: float) -> Floats:
    """Money (n, candidates) that a contact costs, now and later: its price, the channel's risk, attention. Silence 0."""
    annual = np.exp(features[:, SPEND]) * features[:, OFTEN] * 52
    price = ATTENTION * attention * PRESSURE + OPT_OUT * REACH_VALUE
    found = law.COST + np.concatenate([[0.0], price[law.CHANNEL_OF]]) * annual[:, None]
    found[:, law.SILENCE] = 0.0
    return np.asarray(found)


def worth(learned: Learned, features: Floats, attention: float) -> Floats:
    """Cautious net value (n, candidates), silence 0."""
    mean, sd = learned.effects(features)
    return np.asarray((mean - CAUTION * sd) * np.exp(features[:, [SPEND]]) - due(features, attention))


def shown_to_earn(rows: Rows, attention: float) -> law.Booleans:
    """Moments (moments,) at which what would be chosen earned more than silence, on the half of the customers not learned from."""
    half, moment = rows.customer % FOLDS, moment_of(rows.features)
    pick = np.zeros(len(half), dtype=np.int64)
    for one in range(FOLDS):
        values = worth(learn(rows.where(half != one)), rows.features[half == one], attention)
        pick[half == one] = np.where(MENU[moment[half == one]], values, -np.inf).argmax(axis=1)
    weight = effective(capped(rows.probability), rows.week, moment, rows.candidate)
    bought = rows.purchases.astype(float)
    error = bought - expected(rows.features, bought, weight, half, rows.candidate == law.SILENCE)
    money = error * np.exp(rows.features[:, SPEND])
    cost = due(rows.features, attention)[np.arange(len(pick)), pick]
    speaks = np.zeros(len(law.MOMENTS), dtype=bool)
    for one in range(len(law.MOMENTS)):
        wanted = (moment == one) & (pick != law.SILENCE)
        got, silent = wanted & (rows.candidate == pick), wanted & (rows.candidate == law.SILENCE)
        if min(got.sum(), silent.sum()) < FEWEST_ROWS:
            continue
        gain, own = weighted((money - cost)[got], weight[got])
        level, other = weighted(money[silent], weight[silent])
        count = int(rows.customer.max()) + 1
        by_customer = np.bincount(rows.customer[got], own, count) - np.bincount(rows.customer[silent], other, count)
        speaks[one] = gain - level > CONFIDENCE * float(np.sqrt((by_customer**2).sum()))
    return speaks
