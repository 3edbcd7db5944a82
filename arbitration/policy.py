"""What a shop configures: channels, journeys, contact policy and selection, as plain frozen values.

`catalog/` reads these from YAML and checks them; nothing here knows about files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from arbitration.domain import Consequence, Kind, Offer, Purpose, Treatment


@dataclass(frozen=True, slots=True)
class BusinessName:
    """How people call a thing, in both languages."""

    en: str
    de: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach a customer.

    `cost` is money per contact, `pressure` the attention it takes (g, 1.0 = one e-mail), `wait_hours` how long a plan
    waits before the next step, `timing` whether a send window is chosen ("scheduled") or the contact happens while the
    customer is present ("immediate"). `opt_out_prior` and `reach_value_prior` serve until models know better.
    `hour_matters`: people react differently by hour of sending; false for a letter, which arrives whenever it does.
    `available` is an expression over features: the channel can be used only when it holds (an open session, a visit).
    `held` is one, too: while it holds, the channel waits, because the customer is spoken to elsewhere (in a store).
    """

    id: str
    name: BusinessName
    cost: float
    pressure: float
    wait_hours: float
    timing: Literal["scheduled", "immediate"]
    needs_consent: bool
    opt_out_prior: float
    reach_value_prior: float
    available: str = "True"
    hour_matters: bool = True
    held: str = "False"


@dataclass(frozen=True, slots=True)
class JourneyTreatment:
    """One line of a journey: the channel it may use, the template it shows there, the offer it carries, what it does, and what must
    not become final on a model's word (`arbitration.situation.Consequence`).
    """

    channel: str
    template: str
    offer: Offer | None = None
    kind: Kind = "message"
    route_to: str | None = None
    consequence: Consequence = "none"


@dataclass(frozen=True, slots=True)
class Journey:
    """A named, goal-directed sequence of contacts.

    The three expressions are boolean, over feature names: `eligible` (hard rule), `applicable` (relevant now),
    `suitable` (in the customer's interest). `needs_trigger`: it speaks only when its trigger is in the context.
    `effect_prior` and `effect_prior_sd` are tau, incremental purchases per contact, before any data. `hourly_plan` is how many
    contacts per hour it is planned for, over all customers; far beyond that (`ContactPolicy.stop_factor`) it is stopped.
    """

    id: str
    name: BusinessName
    goal: BusinessName
    purpose: Purpose
    eligible: str
    applicable: str
    suitable: str
    needs_trigger: bool
    horizon_hours: int
    cooldown_hours: int
    exclusive_group: str | None
    lever: float
    effect_prior: float
    effect_prior_sd: float
    treatments: tuple[JourneyTreatment, ...]
    hourly_plan: int | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """A number that a cap keeps in every window or period: at most `limit` contacts, of marketing alone or `with_service`."""

    limit: int
    with_service: bool = False


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` marketing contacts in any sliding `window_hours`, or in each local `calendar` period; exactly one is given.

    It counts contacts on `channels` (none named: every channel) of `journeys` (none named: every journey). Weeks begin on Monday.
    `reserve` units are kept for service messages, which no cap stops: marketing fits only while its own contacts and the larger of
    `reserve` and the service contacts stay within the limit. Without a reserve service messages are not counted at all.
    """

    id: str
    name: BusinessName
    limit: int
    window_hours: int | None = None
    calendar: Literal["day", "week", "month"] | None = None
    channels: tuple[str, ...] = ()
    journeys: tuple[str, ...] = ()
    reserve: int = 0

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """What marketing must keep to; marketing + max(service, reserve) <= limit is the same as both of these."""
        if self.reserve <= 0:
            return (Bound(self.limit),)
        return Bound(self.most), Bound(self.limit, with_service=True)

    @property
    def most(self) -> int:
        """The most marketing contacts that can ever fit."""
        return self.limit - max(0, self.reserve)

    def counts(self, journey: str, channel: str) -> bool:
        """Whether a contact of this journey on this channel is counted."""
        return (not self.channels or channel in self.channels) and (not self.journeys or journey in self.journeys)


@dataclass(frozen=True, slots=True)
class Resource:
    """Something scarce over all customers: at most `limit` uses within any `per_days` (None: no end, only a price).

    A treatment uses one unit if it fits every one of `channel`, `journey` and `offer` that is given. `price` is the
    shadow price lambda: money one unit would earn elsewhere.
    """

    id: str
    name: BusinessName
    channel: str | None = None
    journey: str | None = None
    offer: str | None = None
    limit: int | None = None
    per_days: int = 28
    price: float = 0.0

    def used_by(self, treatment: Treatment) -> bool:
        """Whether one contact with this treatment uses a unit."""
        offer = treatment.offer.id if treatment.offer else None
        pairs = ((self.channel, treatment.channel), (self.journey, treatment.journey), (self.offer, offer))
        return all(wanted in (None, given) for wanted, given in pairs)


@dataclass(frozen=True, slots=True)
class ContactPolicy:
    """Caps and quiet hours. Quiet hours run from `quiet_from` to `quiet_to`, local hours; they may cross midnight.

    A journey that makes more than `stop_factor` times its `hourly_plan` of contacts within an hour is stopped by the ledger.
    """

    caps: tuple[Cap, ...]
    quiet_from: int
    quiet_to: int
    stop_factor: float = 10.0


@dataclass(frozen=True, slots=True)
class Selection:
    """How the winner is drawn: exploration and silence are bounded, the holdout is permanent by salted hash.

    `exploration` is the most that is not the favorite, silence included; `exploration_budget` the expected money that trying other
    candidates may cost per decision, beside what the silence floor costs.
    """

    exploration: float
    silence_floor: float
    holdout: float
    greed: float
    exploration_budget: float
    salt_id: str
    strategy: Literal["inverse_gap", "epsilon", "greedy", "uniform"] = "inverse_gap"


@dataclass(frozen=True, slots=True)
class Economics:
    """Priors in money that hold until a model knows better.

    `tier_value_prior` is what it is worth that a customer reaches the next loyalty tier. A point costs `point_value` when it is
    redeemed; the share `breakage` never is.
    """

    currency: str
    margin_rate: float
    basket_value_prior: float
    base_purchase_prior: float
    churn_risk_prior: float
    recency_value_prior: float
    attention_price_prior: float
    propensity_prior: float
    effect_window_days: int
    tier_value_prior: float = 0.0
    point_value: float = 0.0
    breakage: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Versioned rule from context and values to a probability for each candidate. `version` is the catalog's digest."""

    version: str
    channels: Mapping[str, Channel]
    journeys: Mapping[str, Journey]
    contact_policy: ContactPolicy
    selection: Selection
    economics: Economics
    resources: Mapping[str, Resource] = field(default_factory=dict)
