"""Policies as shops build them: propensity times value, myopic uplift, and an epsilon-greedy bandit. None knows of pressure's price.

All learn from the log's rows whose reward is complete; they start with the history before week 0.
"""

from __future__ import annotations

import numpy as np

from training.dataset import Dataset
from training.fitting import Recipe, fit_tree
from training.models import TreeModel
from training.simulator.market import laws as law
from training.simulator.market.laws import Floats, Integers
from training.simulator.market.log import Rows
from training.simulator.market.policies import allot, certain, dice
from training.simulator.market.state import FEATURES, Choice, View

RECIPE = Recipe(leaves=15, learning_rate=0.1, trees=40, min_rows=50)
REFIT_WEEKS = 8
RIDGE = 100.0


class PropensityValue:
    """Who is most likely to buy after a contact, times the money of a purchase: pays for those who would have bought anyway.

    One boosted model over features and candidate, fitted on every contact of the log; it never asks what silence would have brought.
    """

    def __init__(self, every: int = 2) -> None:
        self._every, self._fitted = every, -REFIT_WEEKS
        self._model: TreeModel | None = None

    def choose(self, view: View) -> Choice:
        """The candidate with the greatest P(purchase) * margin - cost, silence at 0."""
        if view.week - self._fitted >= REFIT_WEEKS:
            rows, self._fitted = view.log.rows(view.week, self._every), view.week
            self._model = _purchase_model(rows)
        values = np.zeros(view.admissible.shape)
        for candidate in np.flatnonzero(view.admissible[:, 1:].any(axis=0)) + 1:
            who = np.flatnonzero(view.admissible[:, candidate])
            rows_of = _with_candidate(view.features[who], np.full(len(who), candidate))
            margins = self._model.margins(rows_of) if self._model else np.zeros(len(who))
            values[who, candidate] = view.money[who] / (1 + np.exp(-margins)) - law.COST[candidate]
        return certain(allot(values, view.admissible, view.quota))


def _purchase_model(rows: Rows) -> TreeModel | None:
    """P(purchase within the horizon | features, candidate) on contacts; None before anything was learned."""
    contacted = rows.candidate > 0
    labels = (rows.purchases[contacted] > 0).astype(float)
    if len(labels) == 0 or labels.min() == labels.max():
        return None
    data = Dataset(
        (*FEATURES, "journey", "channel"),
        _with_candidate(rows.features[contacted], rows.candidate[contacted]),
        labels,
        rows.week[contacted].astype("datetime64[W]"),
        rows.customer[contacted].astype(str),
        np.full(len(labels), "simulated"),
    )
    return fit_tree("purchase", data, RECIPE)


def _with_candidate(features: Floats, candidate: Integers) -> Floats:
    return np.column_stack([features, law.JOURNEY_OF[candidate - 1], law.CHANNEL_OF[candidate - 1]])


class MyopicUplift:
    """The contrast to silence, by linear models on the randomized rows weighted by 1 / probability; taken at its word.

    tau_k(x) is a ridge regression of reward - m0(x) on x among those who got k, m0 a ridge regression among the silent. No
    shrinkage between candidates, no doubt, no attention price: whatever looks positive is sent. Fitted on the history alone.
    """

    def __init__(self) -> None:
        self._effects: Floats | None = None

    def choose(self, view: View) -> Choice:
        """The candidate with the greatest estimated effect, silence at 0."""
        if self._effects is None:
            self._effects = _contrasts(view.log.rows(view.week))
        return certain(allot(_design(view.features) @ self._effects, view.admissible, view.quota))


def _contrasts(rows: Rows) -> Floats:
    """Coefficients (features + 1, candidates) of each candidate's effect on the reward; 0 for silence and what never ran."""
    design, known = _design(rows.features), rows.randomized & (rows.probability > 0)
    silent = known & (rows.candidate == law.SILENCE)
    found = np.zeros((design.shape[1], law.CANDIDATES))
    baseline = design @ _ridge(design[silent], rows.reward[silent], 1 / rows.probability[silent])
    for candidate in range(1, law.CANDIDATES):
        got = known & (rows.candidate == candidate)
        found[:, candidate] = _ridge(design[got], (rows.reward - baseline)[got], 1 / rows.probability[got])
    return found


class EpsilonGreedy:
    """A linear bandit: ridge regressions of the reward on features, one per candidate and silence; explores with probability epsilon.

    Probabilities are exact: explorers get one fifth of the scarce channel, the greedy the rest. Updated every week.
    """

    def __init__(self, epsilon: float = 0.05) -> None:
        self._epsilon = epsilon
        columns = len(FEATURES) + 1
        self._moments = np.zeros((law.CANDIDATES, columns, columns))
        self._sums = np.zeros((law.CANDIDATES, columns))
        self._learned: set[int] = set()

    def choose(self, view: View) -> Choice:
        """The candidate with the greatest expected reward, or one drawn."""
        self._learn(view)
        ridge = RIDGE * np.eye(self._sums.shape[1])
        weights = np.stack([np.linalg.solve(m + ridge, s) for m, s in zip(self._moments, self._sums, strict=True)])
        reserved = view.quota // 5
        greedy = allot(_design(view.features) @ weights.T, view.admissible, view.quota - reserved)
        drawn, odds = dice(view.admissible, 1 / law.CANDIDATES, reserved, view.rng)
        explores = view.rng.random(len(greedy)) < self._epsilon
        chosen = np.where(explores, drawn, greedy)
        rows = np.arange(len(chosen))
        probability = self._epsilon * odds[rows, chosen] + (1 - self._epsilon) * (chosen == greedy)
        return Choice(chosen, probability, np.ones(len(chosen), dtype=bool))

    def _learn(self, view: View) -> None:
        """Add the weeks whose reward has become complete."""
        for entry in view.log.entries:
            if entry.week + law.HORIZON > view.week or entry.week in self._learned:
                continue
            self._learned.add(entry.week)
            design = _design(entry.features)
            for candidate in range(law.CANDIDATES):
                rows = design[entry.candidate == candidate]
                self._moments[candidate] += rows.T @ rows
                self._sums[candidate] += rows.T @ entry.reward[entry.candidate == candidate]


def _design(features: Floats) -> Floats:
    """Features with a column of ones (n, features + 1); they are of similar size by construction."""
    return np.column_stack([np.ones(len(features)), features])


def _ridge(design: Floats, target: Floats, weights: Floats) -> Floats:
    """Weighted ridge regression; zeros where there are no rows. Weights are scaled to mean 1."""
    if len(target) == 0:
        return np.zeros(design.shape[1])
    weighted = design * (weights / weights.mean())[:, None]
    return np.asarray(np.linalg.solve(weighted.T @ design + RIDGE * np.eye(design.shape[1]), weighted.T @ target))
