"""One week of the simulated market: messages go out, some arrive, people click, buy, tire, opt out, and leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulator.market import laws as law
from training.simulator.market.laws import Booleans, Floats, Integers, Laws
from training.simulator.market.people import People, Scene
from training.simulator.market.state import MEMORY, State
from training.simulator.world import logistic

CLICK, OPEN_ABOVE_CLICK = -2.9, 1.4  # log-odds of a click, and how many more open than click, as in `truth`


@dataclass(frozen=True)
class Week:
    """What happened, over n customers: `expected` (n,) mean margin given everything latent, `margin` (n,) as it was drawn,

    `arrived` (n,) messages, `clicked` (n,) of them, `opted_out` (n,).
    """

    expected: Floats
    margin: Floats
    arrived: Booleans
    clicked: Booleans
    opted_out: Booleans


def begin(state: State, scene: Scene) -> None:
    """Draw this week's purchase intent and moment. Those who left open no carts; the lapsed are those without purchase for weeks."""
    people = scene.people
    u, v = scene.draws("moment").random((2, len(people)))
    state.intent = np.exp(law.INTENT * scene.draws("intent").standard_normal(len(people)) - law.INTENT**2 / 2)
    state.moment = np.where(state.recency >= law.LAPSED_WEEKS, law.MOMENTS.index("lapsing"), 0)
    state.moment[v < law.EXPIRY_CHANCE] = law.MOMENTS.index("expiring")
    state.moment[(u < cart_chance(people)) & state.alive & (people.joined < scene.week)] = law.MOMENTS.index("cart")


def cart_chance(people: People) -> Floats:
    """P(open cart) per week (n,): those who buy more often open more carts."""
    return law.CART_CHANCE * (1 - (1 - people.buying) ** 3)


def buying_chance(state: State, people: People, season: float) -> Floats:
    """P(purchase this week) without any contact (n,), joined customers."""
    chance = people.buying * season * state.attached * state.intent
    return np.asarray(np.minimum(chance, 0.97) * state.alive)


def end(state: State, scene: Scene, candidate: Integers) -> Week:
    """Let `candidate` (n,) act on `state` in place. The same seed and week draw the same numbers whatever the candidates are."""
    people, week = scene.people, scene.week
    arrived, clicked = _send(state, scene, candidate)
    left = _opt_outs(state, scene, candidate, arrived)
    state.pressure += arrived
    base, boost = buying_chance(state, people, scene.season), state.pending[:, 0] * state.attached * state.alive
    chance = np.where(people.joined == week, 1.0, base + boost * np.where(boost > 0, 1 - base, base)) * (
        people.joined <= week
    )
    bought = scene.draws("buy").random(len(people)) < chance
    noise = np.exp(law.SPEND_SD * scene.draws("spend").standard_normal(len(people)) - law.SPEND_SD**2 / 2)
    margin = people.margin * noise * bought
    _remember(state, bought, margin)
    harm = lost_share(people, scene.laws)
    state.attached *= np.maximum(0.0, 1 - harm * state.pressure)
    state.pressure *= law.FADING
    state.pending = np.column_stack([state.pending[:, 1:], np.zeros(len(people))])
    state.alive &= (scene.draws("leave").random(len(people)) >= people.leaving) | (people.joined > week)
    return Week(chance * people.margin, margin, arrived, clicked, left)


def _send(state: State, scene: Scene, candidate: Integers) -> tuple[Booleans, Booleans]:
    """Who is reached, and who clicked; their effects are spread over this week and the next, their opens and clicks remembered."""
    people, laws, sent = scene.people, scene.laws, np.flatnonzero(candidate)
    journey, channel = law.JOURNEY_OF[candidate[sent] - 1], law.CHANNEL_OF[candidate[sent] - 1]
    arrived = np.zeros(len(people), dtype=bool)
    arrived[sent] = scene.draws("reach").random(len(people))[sent] < law.REACH[channel]
    worn = np.exp(-laws.fatigue * law.WEAR * state.pressure[sent])
    strength = laws.journey_effect(scene.week)[journey] * people.persuasion[sent, journey] * people.taste[sent, channel]
    effect = np.clip(strength, -1.0, 1.0) * law.FIT[state.moment[sent], journey] * worn * arrived[sent]
    state.pending[sent] += effect[:, None] * law.LAGS
    state.pending.clip(-1.0, 1.0, out=state.pending)
    draw = scene.draws("click").random(len(people))[sent]
    log_odds = CLICK + np.log(people.taste[sent, channel]) + 0.5 * people.profile[sent, 0] - 0.3 * state.pressure[sent]
    here = arrived[sent] & state.alive[sent]
    opened = (draw < logistic(log_odds + OPEN_ABOVE_CLICK)) & here
    opened |= people.machine[sent] & (channel == law.EMAIL) & arrived[sent]
    state.clicks *= MEMORY
    state.opens *= MEMORY
    clicked = np.zeros(len(people), dtype=bool)
    clicked[sent] = (draw < logistic(log_odds)) & here
    state.clicks += clicked
    state.opens[sent] += opened
    return arrived, clicked


def lost_share(people: People, laws: Laws) -> Floats:
    """Share of the attachment lost per unit of pressure and week (n,)."""
    return np.asarray(laws.fatigue * law.EROSION * np.where(people.dog, law.DOG_HARM, 1.0))


def opt_out_hazard(people: People, laws: Laws, pressure: Floats) -> Floats:
    """P(opt-out) per message that arrives (n, channels), rising with the pressure already felt."""
    growth = np.exp(laws.fatigue * law.IRRITATION * pressure) * np.where(people.dog, law.DOG_HARM, 1.0)
    return np.asarray(np.minimum(0.5, growth[:, None] * law.OPT_OUT))


def _opt_outs(state: State, scene: Scene, candidate: Integers, arrived: Booleans) -> Booleans:
    """Withdraw the channel's consent of those who have had enough; nobody opts in again."""
    who = np.flatnonzero(arrived & state.alive)
    channel = law.CHANNEL_OF[candidate[who] - 1]
    hazard = opt_out_hazard(scene.people, scene.laws, state.pressure)[who, channel]
    leaves = scene.draws("opt_out").random(len(arrived))[who] < hazard
    state.reachable[who[leaves], channel[leaves]] = False
    left = np.zeros(len(arrived), dtype=bool)
    left[who[leaves]] = True
    return left


def _remember(state: State, bought: Booleans, margin: Floats) -> None:
    """Update what the shop sees of purchases."""
    state.recency = np.where(bought, 0.0, state.recency + 1)
    state.frequency = MEMORY * state.frequency + (1 - MEMORY) * bought
    state.spend = np.where(bought, 0.8 * state.spend + 0.2 * margin, state.spend)
