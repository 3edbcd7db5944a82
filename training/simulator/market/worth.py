"""What an unpressed customer is worth to one who knows everything: backward induction over the weeks and the pressure felt.

V_t(p) = m_t + C_t(p) + E_moment[ max(0, max_k Q_k) ],   C_t(p) = gamma * stay * (1 - e*p) * V_{t+1}(f*p)
Q_k    = reach * ( tau_k * exp(-w*p) * M - h(p) * W - phi_t(p) ) - cost_k,   phi_t(p) = C_t(p) - C_t(p+1)

per unit of attachment, for a customer who is still there (e erosion, f fading, w wear, h opt-out hazard, W what the channel's later
messages are worth). phi is the attention price: what one more message takes from all later weeks. Two approximations: moments
come independently by their stationary chances, and W is the channel's share of the customer's value over silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulator.market import laws as law
from training.simulator.market.laws import Floats, Laws
from training.simulator.market.people import People
from training.simulator.market.state import MENU
from training.simulator.market.week import cart_chance, lost_share, opt_out_hazard

GRID: Floats = np.linspace(0.0, law.FADING / (1 - law.FADING), 7)  # no one can feel more before a week's message
KEPT = law.DISCOUNT


def afterwards(people: People) -> Floats:
    """Discounted margin (n,) of the weeks after the end for an attached, rested customer who hears nothing more."""
    kept = KEPT * (1 - people.leaving)
    return np.asarray(people.buying * people.margin * (1 - kept**law.AFTERWARDS) / (1 - kept))


def gain_per_purchase(people: People, season: float) -> tuple[Floats, Floats]:
    """Money (n,) per unit of effect of a message that arrives now: of effects that win purchases, and of those that prevent them."""
    base = np.minimum(people.buying * season, 0.97)
    later = (law.LAGS * (KEPT * (1 - people.leaving))[:, None] ** np.arange(law.HORIZON)).sum(axis=1) * people.margin
    return (1 - base) * later, base * later


@dataclass(frozen=True)
class Prices:
    """`attention` (weeks, n, GRID) money per message that arrives, `channel` (weeks, n, channels) money lost with a channel."""

    attention: Floats
    channel: Floats

    def phi(self, week: int, pressure: Floats) -> Floats:
        """The attention price (n,) at `pressure` (n,), linear between the grid's points."""
        return _between(self.attention[week], pressure)


def prices(people: People, laws: Laws, weeks: int) -> Prices:
    """Attention prices and channel values of everybody in every week, by backward induction from the last week."""
    harm, kept = lost_share(people, laws), KEPT * (1 - people.leaving)
    end = afterwards(people)[:, None] * np.maximum(0, 1 - harm[:, None] * GRID / (1 - law.FADING))
    best, silent = end, end
    attention, channel = np.zeros((weeks, *end.shape)), np.zeros((weeks, len(people), len(law.CHANNELS)))
    for week in reversed(range(weeks)):
        stays, tires = _carry(best, GRID, harm, kept), _carry(best, GRID + 1, harm, kept)
        attention[week] = stays - tires
        strength = benefit(people, laws, week)
        channel[week] = _channel_shares(strength) * (kept * (best - silent)[:, 0])[:, None]
        margin = (np.minimum(people.buying * laws.season(week), 0.97) * people.margin)[:, None]
        best = margin + stays + _planned(people, laws, strength, attention[week], channel[week])
        silent = margin + _carry(silent, GRID, harm, kept)
    return Prices(attention, channel)


def benefit(people: People, laws: Laws, week: int) -> Floats:
    """Money (n, candidates) from a message that arrives at its right moment in a rested, attached customer; silence 0."""
    effect = people.effect(laws.journey_effect(week))
    won, kept_away = gain_per_purchase(people, laws.season(week))
    return np.asarray(effect * np.where(effect > 0, won[:, None], kept_away[:, None]))


def _planned(people: People, laws: Laws, strength: Floats, phi: Floats, channel: Floats) -> Floats:
    """Mean over the moments of what the best candidate adds (n, GRID)."""
    chance = _moment_chances(people)
    planned = np.zeros_like(phi)
    for point, pressure in enumerate(GRID):
        hazard = opt_out_hazard(people, laws, np.full(len(people), pressure))
        price = phi[:, point : point + 1] + (hazard * channel)
        worn = strength * np.exp(-laws.fatigue * law.WEAR * pressure)
        for moment in range(len(law.MOMENTS)):
            value = np.zeros(len(people))
            for k in np.flatnonzero(MENU[moment])[1:]:
                j, c = law.JOURNEY_OF[k - 1], law.CHANNEL_OF[k - 1]
                gain = law.REACH[c] * (law.FIT[moment, j] * worn[:, k] - price[:, c]) - law.COST[k]
                value = np.maximum(value, np.where(people.consent[:, c], gain, 0.0))
            planned[:, point] += chance[:, moment] * value
    return planned


def _carry(value: Floats, pressure: Floats, harm: Floats, kept: Floats) -> Floats:
    """What is left of next week's value (n, GRID) if this week's pressure is `pressure` (GRID,) after the message."""
    below, share = _weights(law.FADING * pressure)
    later = value[:, below] * (1 - share) + value[:, below + 1] * share
    return np.asarray(kept[:, None] * np.maximum(0, 1 - harm[:, None] * pressure) * later)


def _between(table: Floats, pressure: Floats) -> Floats:
    """Row-wise linear interpolation of `table` (n, GRID) at `pressure` (n,)."""
    below, share = _weights(pressure)
    rows = np.arange(len(table))
    return np.asarray(table[rows, below] * (1 - share) + table[rows, below + 1] * share)


def _weights(pressure: Floats) -> tuple[law.Integers, Floats]:
    """The grid point below each pressure, and how far it is to the next."""
    place = np.clip(pressure / GRID[1], 0, len(GRID) - 1)
    below = np.minimum(place.astype(np.int64), len(GRID) - 2)
    return below, place - below


def _moment_chances(people: People) -> Floats:
    """Stationary chances (n, moments) for a customer who is still there."""
    cart = cart_chance(people)
    expiring = law.EXPIRY_CHANCE * (1 - cart)
    lapsing = (1 - people.buying) ** law.LAPSED_WEEKS * (1 - cart - expiring)
    return np.column_stack([1 - cart - expiring - lapsing, cart, expiring, lapsing])


def _channel_shares(strength: Floats) -> Floats:
    """Each channel's share (n, channels) of what messages can bring a customer."""
    useful = np.maximum(0, strength[:, 1:]).reshape(len(strength), len(law.JOURNEYS), len(law.CHANNELS))
    total = useful.mean(axis=1) * law.REACH
    return np.asarray(total / np.maximum(total.sum(axis=1, keepdims=True), 1e-12))
