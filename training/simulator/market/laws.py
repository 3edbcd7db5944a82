"""The simulated market's laws: every constant, where it comes from, and the named worlds.

Measured (`python -m benchmarks.quality.base_rates` prints the observed rates beside the simulated):

- occasional buyers: purchase rate ~ Gamma(0.553, 10.578), departure rate ~ Gamma(0.606, 11.669), per week: the Pareto/NBD
  estimates for CDNOW of Fader, Hardie & Lee (2005), "Counting your customers the easy way", Marketing Science 24;
- regular buyers: chance of a purchase in a week ~ Beta(0.95, 0.68), chosen so that the share of weeks with a purchase has the
  mean and quartiles of Complete Journey's 2,469 households; they leave with 0.0008 per week;
- spend of a week with a purchase: mean 39.4 (CDNOW) and 65.8 (Complete Journey), log sd between customers 0.67 and 0.71;
- effect of one mailing: Hillstrom's two e-mails raised purchases within two weeks by 0.31 and 0.68 points; one everyday e-mail does
  so by 0.28 in the weak world and by 0.79 in the strong.

Assumed, because no public data set shows it: everything about pressure, opt-outs, reach, consent, costs and sleeping dogs, and how much
more a journey does at its own moment. The size of the fatigue is swept by the benchmark for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.simulator import truth

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

JOURNEYS = ("earn_to_redeem", "cart_recovery", "reward_expiry", "churn_recovery")
CHANNELS = ("push", "email", "sms")
MOMENTS = ("ordinary", "cart", "expiring", "lapsing")
SCARCE = CHANNELS.index("sms")
EMAIL = CHANNELS.index("email")

SILENCE = 0
CANDIDATES = 1 + len(JOURNEYS) * len(CHANNELS)
"""Candidate 0 is silence; the others run through the journeys, and within a journey through the channels."""
JOURNEY_OF: Integers = np.repeat(np.arange(len(JOURNEYS)), len(CHANNELS))
CHANNEL_OF: Integers = np.tile(np.arange(len(CHANNELS)), len(JOURNEYS))
"""Journey and channel of candidate 1 + n."""
NAMES = ("silence", *(f"{JOURNEYS[j]}/{CHANNELS[c]}" for j, c in zip(JOURNEY_OF, CHANNEL_OF, strict=True)))

# How much of a journey's effect is left at each moment; 0: the journey does not apply.
FIT: Floats = np.array([[1.0, 0.0, 0.0, 0.3], [0.6, 1.0, 0.0, 0.0], [0.5, 0.0, 1.0, 0.0], [0.6, 0.0, 0.0, 1.0]])
JOURNEY_EFFECT: Floats = np.array([0.04, 0.24, 0.15, 0.10])  # purchases caused by a message that arrives, strong world
JOURNEY_COST: Floats = np.array([0.0, 0.0, 0.0, 0.10])  # churn recovery carries a gift
CHANNEL_EFFECT: Floats = np.array([0.7, 1.0, 1.4])
CHANNEL_COST: Floats = np.array([0.0, 0.002, 0.06])
REACH: Floats = np.array([0.50, 0.85, 0.95])
CONSENT: Floats = np.array([truth.GRANTED[channel] for channel in CHANNELS])
OPT_OUT: Floats = np.array([truth.OPT_OUT[channel] for channel in CHANNELS])
COST: Floats = np.concatenate([[0.0], JOURNEY_COST[JOURNEY_OF] + CHANNEL_COST[CHANNEL_OF]])
QUOTA_SHARE = 0.05  # text messages a week, per customer of the market

CART_CHANCE, EXPIRY_CHANCE, LAPSED_WEEKS = 0.10, 1 / 13, 8
LAGS: Floats = np.array([0.5, 0.3, 0.2])  # share of an effect that comes in the week itself, one and two weeks later
HORIZON = len(LAGS)
MARGIN = 0.3
DISCOUNT = 0.998  # per week: 10 % a year
AFTERWARDS = 52  # weeks after the end whose base margin counts: V+ of those who are still there
SEASON_HEIGHT = 0.03  # spread of Complete Journey's weeks around their mean
INTENT = 0.4  # log sd of a customer's purchase intent from week to week, which no feature shows
SPEND_SD = 0.6  # log sd of spend within a customer

FADING = 0.6  # share of the pressure left after a week
WEAR = 0.25  # effect lost per unit of pressure (log)
EROSION = 0.0003  # share of the attachment lost per unit of pressure and week, for good
IRRITATION = 0.5  # log growth of the opt-out hazard per unit of pressure
DOG_HARM = 4.0  # sleeping dogs: so much more erosion and opt-outs
DOG_EFFECT = -0.7  # ... and an effect that keeps them from buying

OCCASIONAL_BUYING, OCCASIONAL_LEAVING = (0.553, 10.578), (0.606, 11.669)
REGULAR_BUYING, REGULAR_LEAVING = (0.95, 0.68), 0.0008
OCCASIONAL_SPEND, REGULAR_SPEND = (39.4, 0.67), (65.8, 0.71)


@dataclass(frozen=True)
class Laws:
    """One world: `effect` scales every effect of a contact on purchases, `fatigue` every harm of pressure (wear, erosion, growth of

    opt-outs), `dogs` is the share of sleeping dogs, `drift_week` the week from which the journeys' effects have changed places,
    `confounded` says that the history was made by marketers who see the week's purchase intent, one part in five at random.
    """

    name: str
    effect: float = 1.0
    fatigue: float = 1.0
    dogs: float = truth.SLEEPING_DOGS
    regular: float = 0.4
    drift_week: int | None = None
    confounded: bool = False

    def journey_effect(self, week: int) -> Floats:
        """Purchases caused per message that arrives, by journey (journeys,); from the drift week on the order is turned around."""
        drifted = self.drift_week is not None and week >= self.drift_week
        return self.effect * (JOURNEY_EFFECT[::-1] if drifted else JOURNEY_EFFECT)

    def season(self, week: int) -> float:
        """Factor on the base purchase chance; highest at year's end if week 0 is the first of October."""
        return float(1 + SEASON_HEIGHT * np.cos(2 * np.pi * (week - 12) / 52))


WORLDS = {
    "strong": Laws("strong"),
    "weak": Laws("weak", effect=0.4),
    "zero-effect": Laws("zero-effect", effect=0.0),
    "confounded log": Laws("confounded log", confounded=True),
}
