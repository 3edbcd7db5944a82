"""The policy of this project in the simulated market: effects against silence, shrunk, in money, after the price of attention.

The service's formula, on what this market's shop can see:

    net(k, x) = tau_k(x) M(x) - cost_k - h_c W_c(x) - phi(x) g_c,    chosen on tau's mean - 1/2 sd, silence at 0

tau and M come from `product_effects`. The prices of attention and reach are the example catalog's, as shares of its typical
customer's annual margin. Explores a share by dice among those whose attention is cheapest, with exact probabilities logged. That
the other half is not explored, and that all is silent while what would be sent is not surely expected to gain (`surely`), is this
policy's alone.
"""

from __future__ import annotations

import numpy as np

from training.attention import PRIOR_SPREAD
from training.effects import TINY
from training.simulator.market import laws as law
from training.simulator.market.laws import Booleans, Floats, Integers
from training.simulator.market.log import Rows
from training.simulator.market.policies import allot, dice
from training.simulator.market.product_effects import CELLS, Learned, learn, moment_of
from training.simulator.market.state import Choice, View

EXPLORED, REFIT_WEEKS, CAUTION = 0.04, 4, 0.5
CONFIDENCE, AGAIN = 1.28, 2.0
"""Standard deviations, one-sided 90 %, by which all that would be sent must be expected to gain before anything is; 98 % for one who has

fallen silent: asked every week, chance would find its week.
"""
COMMON = 0.25
"""Share of everybody's mean in the price of one customer's attention: who seems lost is not written to for nothing."""
# The example catalog (catalog/example): basket 29 at a margin of 0.25, bought with 0.7 in 14 days, make 132 a year.
ANNUAL = 29.0 * 0.25 * 0.7 * 365 / 14
ATTENTION = 0.05 / ANNUAL * (1 + CAUTION * PRIOR_SPREAD)
"""The catalog's price and half a standard deviation of it, which `training.attention` takes to be as large as the price."""
PRESSURE: Floats = np.array([0.8, 1.0, 1.6])
REACH_VALUE: Floats = np.array([4.0, 9.0, 5.0]) / ANNUAL
OPT_OUT: Floats = np.array([0.002, 0.001, 0.004])


class Arbitrated:
    """The policy; `attention` scales the price of attention, for the sweep. It remembers whom its dice decided for."""

    def __init__(self, attention: float = 1.0) -> None:
        self._attention, self._fitted = attention, -law.HORIZON - REFIT_WEEKS
        self._learned: Learned | None = None
        self._drawn: dict[int, Booleans] = {}
        self._speaks = True

    def choose(self, view: View) -> Choice:
        """The candidate of the greatest cautious value for everybody, but for the explored share."""
        if self._learned is None or view.week - self._fitted >= REFIT_WEEKS:
            known = view.log.rows(view.week).known()
            self._learned, self._fitted = learn(known, self._by_dice(known)), view.week
        reserved = view.quota // 5
        values = worth(self._learned, view.features, self._attention)
        greedy = allot(values, view.admissible, view.quota - reserved)
        needed = CONFIDENCE if self._speaks else AGAIN
        self._speaks = surely(self._learned, view.features, greedy, self._attention) >= needed
        if not self._speaks:
            greedy[:] = law.SILENCE
        drawn, odds = dice(view.admissible, 0.5, reserved, view.rng)
        share = explored(due(self._learned, view.features, self._attention)[:, 1:].min(axis=1))
        self._drawn[view.week] = view.rng.random(len(greedy)) < share
        chosen = np.where(self._drawn[view.week], drawn, greedy)
        rows = np.arange(len(chosen))
        probability = share * odds[rows, chosen] + (1 - share) * (chosen == greedy)
        return Choice(chosen, probability, np.ones(len(chosen), dtype=bool))

    def _by_dice(self, rows: Rows) -> Booleans:
        """Whether dice alone decided (r,): before this policy's time always, since then where it explored."""
        found = np.ones(len(rows.week), dtype=bool)
        for week, drawn in self._drawn.items():
            found[rows.week == week] = drawn[rows.customer[rows.week == week]]
        return found


def due(learned: Learned, features: Floats, attention: float) -> Floats:
    """Money (n, candidates) that a contact costs, now and later: its price, the channel's risk, attention. Silence 0."""
    own = learned.money(features) * learned.expected(features) * 52 / law.HORIZON
    annual = (1 - COMMON) * own + COMMON * (own.mean() if len(own) else 0.0)
    price = ATTENTION * attention * PRESSURE + OPT_OUT * REACH_VALUE
    found = law.COST + np.concatenate([[0.0], price[law.CHANNEL_OF]]) * annual[:, None]
    found[:, law.SILENCE] = 0.0
    return np.asarray(found)


def surely(learned: Learned, features: Floats, chosen: Integers, attention: float) -> float:
    """Standard deviations by which the gain expected of everything `chosen` (n,) lies above 0; the cells' doubts are added up jointly.

    0 where nobody was ever seen in silence: what attention costs is then unknown.
    """
    if not learned.silence.any():
        return 0.0
    rows, moment, sent = np.arange(len(chosen)), moment_of(features), chosen != law.SILENCE
    mean, _ = learned.effects(features)
    tau = learned.mean[moment, chosen]
    gained = mean[rows, chosen] * learned.money(features)
    net = float((gained - due(learned, features, attention)[rows, chosen])[sent].sum())
    scale = gained / np.where(np.abs(tau) > 0, tau, 1.0)
    place = np.zeros(learned.mean.shape)
    np.add.at(place, (moment[sent], chosen[sent]), scale[sent])
    total = place[tuple(CELLS.T)]
    return net / max(float(np.sqrt(total @ learned.covariance @ total)), TINY)


def explored(price: Floats) -> Floats:
    """Chance (n,) to be explored: the half whose attention is cheapest, so that EXPLORED is explored on average."""
    rank = np.argsort(np.argsort(price, kind="stable"), kind="stable")
    return np.where(rank < (len(price) + 1) // 2, 2 * EXPLORED, 0.0)


def worth(learned: Learned, features: Floats, attention: float) -> Floats:
    """Cautious net value (n, candidates), silence 0."""
    mean, sd = learned.effects(features)
    return np.asarray((mean - CAUTION * sd) * learned.money(features)[:, None] - due(learned, features, attention))
