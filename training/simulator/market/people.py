"""The latent people of the simulated market: traits drawn once from the seed, and the random streams all policies share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulator import truth
from training.simulator.market import laws as law
from training.simulator.market.laws import Booleans, Floats, Integers, Laws

STREAMS = ("people", "leave", "buy", "spend", "moment", "intent", "reach", "click", "opt_out", "policy", "history")
FIRST_WEEK = 1000  # a stream's number must not be negative; weeks before the judged ones are


def stream(seed: int, name: str, week: int = 0) -> np.random.Generator:
    """The generator of one purpose in one week: the same numbers for every policy (common random numbers)."""
    return np.random.default_rng([seed, STREAMS.index(name), FIRST_WEEK + week])


@dataclass(frozen=True)
class People:
    """Arrays over n customers: `buying` (n,) chance of a purchase per week while attached, `leaving` (n,) chance to leave for good

    per week, `margin` (n,) mean margin of a week with a purchase in money, `persuasion` (n, journeys) and `taste` (n, channels)
    factors on the effect of a contact, `dog` (n,) sleeping dogs, `machine` (n,) mail programs that open by themselves, `regular`
    (n,), `joined` (n,) first week, `profile` (n, 3) what the shop knows about each, `consent` (n, channels) at the start.
    """

    buying: Floats
    leaving: Floats
    margin: Floats
    persuasion: Floats
    taste: Floats
    dog: Booleans
    machine: Booleans
    regular: Booleans
    joined: Integers
    profile: Floats
    consent: Booleans

    def __len__(self) -> int:
        return len(self.buying)

    def effect(self, journey_effect: Floats) -> Floats:
        """Purchases a message causes if it arrives at its right moment in a rested customer, (n, candidates); silence 0."""
        arrived = (journey_effect * self.persuasion)[:, law.JOURNEY_OF] * self.taste[:, law.CHANNEL_OF]
        return np.column_stack([np.zeros(len(self)), np.clip(arrived, -1.0, 1.0)])


@dataclass(frozen=True)
class Scene:
    """Who, under which laws, in which week; `seed` fixes every draw of it."""

    people: People
    laws: Laws
    seed: int
    week: int

    def draws(self, name: str) -> np.random.Generator:
        """The week's numbers for one purpose."""
        return stream(self.seed, name, self.week)

    @property
    def season(self) -> float:
        """Factor on the base purchase chance."""
        return self.laws.season(self.week)


def draw_people(laws: Laws, customers: int, seed: int, *, joining: tuple[int, int]) -> People:
    """Draw everybody; they join evenly in weeks [`joining`). Most of what makes a person persuadable shows in the profile."""
    rng = stream(seed, "people")
    n = customers
    profile = rng.standard_normal((n, 3))
    regular = rng.random(n) < laws.regular
    often = rng.beta(*law.REGULAR_BUYING, n)
    rate = rng.gamma(law.OCCASIONAL_BUYING[0], 1 / law.OCCASIONAL_BUYING[1], n)
    goes = rng.gamma(law.OCCASIONAL_LEAVING[0], 1 / law.OCCASIONAL_LEAVING[1], n)
    spend_mean, spend_sd = np.where(regular[:, None], law.REGULAR_SPEND, law.OCCASIONAL_SPEND).T
    spend = spend_mean * np.exp(spend_sd * rng.standard_normal(n) - spend_sd**2 / 2)
    dog = rng.random(n) < np.clip(laws.dogs * np.exp(0.8 * profile[:, 2] - 0.32), 0, 1)
    persuasion = np.exp(0.6 * profile[:, :1] - 0.18 + 0.3 * rng.standard_normal((n, len(law.JOURNEYS))) - 0.045)
    persuasion[dog] *= law.DOG_EFFECT
    app = profile[:, 1:2] * np.array([0.5, -0.3, 0.0])
    taste = law.CHANNEL_EFFECT * np.exp(app + 0.3 * rng.standard_normal((n, len(law.CHANNELS))) - 0.1)
    return People(
        buying=np.where(regular, often, 1 - np.exp(-rate)),
        leaving=np.where(regular, law.REGULAR_LEAVING, 1 - np.exp(-goes)),
        margin=law.MARGIN * spend,
        persuasion=persuasion,
        taste=taste,
        dog=dog,
        machine=rng.random(n) < truth.MACHINE_OPEN_SHARE,
        regular=regular,
        joined=rng.integers(*joining, n),
        profile=profile,
        consent=rng.random((n, len(law.CHANNELS))) < law.CONSENT,
    )
