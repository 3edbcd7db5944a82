"""The shape of catalog files. Field names are those of `arbitration.policy`; unknown keys are refused.

`python -m catalog.schema` writes `catalog.schema.json`, which editors use to complete and check the files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from arbitration.domain import Consequence, Kind

SCHEMA_FILE = Path(__file__).parent / "catalog.schema.json"

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Rule = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Share = Annotated[float, Field(ge=0, le=1)]
Money = Annotated[float, Field(ge=0, le=1e6)]
Hours = Annotated[int, Field(ge=0, le=24 * 366)]
HourOfDay = Annotated[int, Field(ge=0, le=23)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class NamePart(_Part):
    """How people call a thing, in both languages."""

    en: Text
    de: Text


class ChannelPart(_Part):
    """A way to reach a customer."""

    name: NamePart
    cost: Money = Field(description="money per contact")
    pressure: Annotated[float, Field(ge=0, le=100)] = Field(description="attention it takes; 1.0 is one e-mail")
    wait_hours: Hours = Field(description="how long a plan waits for a reaction before its next step")
    timing: Literal["scheduled", "immediate"] = Field(description="immediate: only while the customer is present")
    needs_consent: bool = Field(description="marketing needs an opt-in; an objection holds on every channel")
    opt_out_prior: Share = Field(
        description="chance that one contact makes the customer opt out, until data says better"
    )
    reach_value_prior: Money = Field(description="money lost when the channel is lost, until data says better")
    available: Rule = Field(
        "True",
        description="rule over features; the channel is used only when it holds, or when a caller names an immediate channel",
    )
    held: Rule = Field(
        "False",
        description="rule over features; while it holds, or is unknown, the channel waits (customer in a store)",
    )
    hour_matters: bool = Field(True, description="people react differently by hour of sending; false for a letter")


class OfferPart(_Part):
    """The benefit inside a treatment."""

    id: Id
    face_value: Money = Field(description="money it costs when used")
    redemption: Share = Field(1.0, description="share of buyers who use it")
    points: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = Field(
        0, description="points that using it grants (above 0) or redeems (below 0)"
    )


class TreatmentPart(_Part):
    """What a journey does on one channel."""

    channel: Id
    template: Id
    offer: OfferPart | None = None
    kind: Kind = Field(
        "message",
        description="message, module (of web or app), reward, route (another journey takes over), suppress (a contact that would be made otherwise)",
    )
    route_to: Id | None = Field(None, description="for kind route: the journey that takes over")
    consequence: Consequence = Field(
        "none",
        description="price, benefit_loss, denial: what it does to the customer that a person must look at before it becomes final",
    )


class JourneyPart(_Part):
    """A named, goal-directed sequence of contacts."""

    name: NamePart
    goal: NamePart
    purpose: Literal["marketing", "service"] = "marketing"
    eligible: Rule = Field("True", description="hard rule: may the customer have it")
    applicable: Rule = Field(description="is it relevant now")
    suitable: Rule = Field("True", description="is it in the customer's interest")
    needs_trigger: bool = Field(False, description="speaks only when the caller brings its trigger")
    horizon_hours: Annotated[int, Field(ge=1, le=24 * 14)] = Field(description="how far ahead it plans")
    cooldown_hours: Hours = Field(description="rest after a run before it may start again")
    exclusive_group: Id | None = Field(None, description="journeys of one group never run at the same time")
    lever: Annotated[float, Field(ge=-1e6, le=1e6)] = Field(
        0.0, description="a marketer's weight, in money, shown as such"
    )
    effect_prior: Annotated[float, Field(ge=-1, le=1)] = Field(
        description="incremental purchases per contact before data"
    )
    effect_prior_sd: Annotated[float, Field(ge=0, le=1)] = Field(
        description="how unsure that is: one standard deviation"
    )
    treatments: list[TreatmentPart] = Field(min_length=1, max_length=40)
    hourly_plan: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        None, description="contacts per hour it is planned for, over all customers; far beyond it is stopped"
    )


class CapPart(_Part):
    """At most `limit` marketing contacts in any `window_hours`, or in each calendar period of the customer; one of the two."""

    id: Id
    name: NamePart
    limit: Annotated[int, Field(ge=1, le=1000)]
    window_hours: Annotated[int, Field(ge=1, le=24 * 366)] | None = Field(None, description="any sliding window")
    calendar: Literal["day", "week", "month"] | None = Field(
        None, description="local calendar period; weeks begin on Monday"
    )
    channels: list[Id] = Field([], max_length=60, description="leave out to count every channel")
    journeys: list[Id] = Field([], max_length=300, description="leave out to count every journey")
    reserve: Annotated[int, Field(ge=0, le=999)] = Field(
        0,
        description="units of the limit kept for service messages, below it; 0 does not count service messages",
    )


class ResourcePart(_Part):
    """Something scarce over all customers; a treatment uses one unit if it fits each of channel, journey and offer that is given."""

    name: NamePart
    channel: Id | None = None
    journey: Id | None = None
    offer: Id | None = None
    limit: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        None, description="most uses within per_days; leave out for a price alone"
    )
    per_days: Annotated[int, Field(ge=1, le=366)] = 28
    price: Money = Field(0.0, description="shadow price: money that one unit would earn elsewhere")


class ContactPolicyPart(_Part):
    """Caps and quiet hours, in the customer's own time zone."""

    caps: list[CapPart] = Field(max_length=200)
    quiet_from: HourOfDay
    quiet_to: HourOfDay
    stop_factor: Annotated[float, Field(ge=1, le=1000)] = Field(
        10.0, description="a journey is stopped beyond so many times its hourly_plan within an hour"
    )


class SelectionPart(_Part):
    """How the winner is drawn."""

    exploration: Annotated[float, Field(ge=0, le=0.5)] = Field(
        description="most that is not the favorite, silence included"
    )
    silence_floor: Annotated[float, Field(ge=0, le=0.5)] = Field(description="silence is chosen at least this often")
    holdout: Annotated[float, Field(ge=0, le=0.5)] = Field(
        description="share of customers in the permanent control group"
    )
    greed: Annotated[float, Field(ge=0)] = Field(description="how fast exploration falls with the money it may lose")
    exploration_budget: Money = Field(description="most money that exploration may cost per decision, on average")
    salt_id: Id = Field(description="name of the secret that draws and holdout depend on")
    strategy: Literal["inverse_gap", "epsilon", "greedy", "uniform"] = Field(
        "inverse_gap", description="how what is not the favorite is explored"
    )


class EconomicsPart(_Part):
    """Priors in money that hold until a model knows better."""

    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    margin_rate: Share
    basket_value_prior: Money
    base_purchase_prior: Share
    churn_risk_prior: Share
    recency_value_prior: Money
    attention_price_prior: Money
    propensity_prior: Share
    effect_window_days: Annotated[int, Field(ge=1, le=366)]
    tier_value_prior: Money = Field(0.0, description="what it is worth that a customer reaches the next loyalty tier")
    point_value: Annotated[float, Field(ge=0, le=1000)] = Field(0.0, description="money a point costs when redeemed")
    breakage: Share = Field(0.0, description="share of points that is never redeemed")


class Catalog(_Part):
    """All files of one catalog together; each top-level key stands in one file."""

    channels: dict[Id, ChannelPart] = Field(min_length=1, max_length=60)
    journeys: dict[Id, JourneyPart] = Field(min_length=1, max_length=300)
    contact_policy: ContactPolicyPart
    selection: SelectionPart
    economics: EconomicsPart
    resources: dict[Id, ResourcePart] = Field({}, max_length=200)


def json_schema() -> dict[str, Any]:
    """JSON Schema of one catalog file: any part of the catalog, so nothing on top is required."""
    schema = Catalog.model_json_schema()
    schema.pop("required")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Dirigent catalog file"}


def schema_text() -> str:
    """The text of `catalog.schema.json`."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
