"""Policies that know the latent traits: the oracle pays the attention price, the myopic oracle looks at this message alone."""

from __future__ import annotations

import numpy as np

from training.simulator.market import laws as law
from training.simulator.market.laws import Floats
from training.simulator.market.policies import allot, certain
from training.simulator.market.state import Choice, Truth, View
from training.simulator.market.week import opt_out_hazard
from training.simulator.market.worth import Prices, benefit, prices


class MyopicOracle:
    """Sends whatever earns more than it costs now, knowing every effect exactly and caring for no later week."""

    _truth: Truth

    def see(self, truth: Truth) -> None:
        """Keep the truth for this week's choice."""
        self._truth = truth

    def choose(self, view: View) -> Choice:
        """The candidate with the greatest true value, silence at 0."""
        return certain(allot(self._gains(view) - law.COST, view.admissible, view.quota))

    def _gains(self, view: View) -> Floats:
        """Money (n, candidates) the message itself earns, before its cost."""
        state, people, laws = self._truth.state, self._truth.scene.people, self._truth.scene.laws
        worn = np.exp(-laws.fatigue * law.WEAR * state.pressure) * state.attached * state.alive
        fit = np.column_stack([np.zeros(len(people)), law.FIT[state.moment][:, law.JOURNEY_OF]])
        reach = np.concatenate([[0.0], law.REACH[law.CHANNEL_OF]])
        return np.asarray(benefit(people, laws, view.week) * fit * reach * worn[:, None])


class Oracle(MyopicOracle):
    """The myopic oracle, less the attention price and the value of the channels it risks; `weeks` are those that are judged."""

    def __init__(self, weeks: int) -> None:
        self._weeks = weeks
        self._prices: Prices | None = None

    def _gains(self, view: View) -> Floats:
        """Money (n, candidates) the message earns over all weeks to come."""
        state, people, laws = self._truth.state, self._truth.scene.people, self._truth.scene.laws
        if self._prices is None:
            self._prices = prices(people, laws, self._weeks)
        risk = opt_out_hazard(people, laws, state.pressure) * self._prices.channel[view.week]
        price = (risk + self._prices.phi(view.week, state.pressure)[:, None]) * (state.attached * state.alive)[:, None]
        due = np.column_stack([np.zeros(len(people)), (price * law.REACH)[:, law.CHANNEL_OF]])
        return np.asarray(super()._gains(view) - due)
