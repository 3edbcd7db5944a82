"""From a request to a `Context`: profile, consents and contacts from the ledger, features from the store, the caller's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from arbitration.domain import Context, CustomerId, FeatureValue, Trigger
from arbitration.policy import Policy
from arbitration.selection import in_holdout
from features.online import OnlineStoreAway
from features.registry import VIEWS
from features.schema import Feature
from serving.ledger.history import reach_of
from serving.ledger.reading import Reading
from serving.ledger.rows import Profile, Standing
from serving.logs import log
from serving.problems import FieldError, field_path, invalid
from serving.schemas import CustomerRef, DecisionRequest

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

SITUATION = {feature.name: feature for feature in VIEWS["context"].features}
_LARGEST = 1e9


def check(request: DecisionRequest, policy: Policy) -> None:
    """What the schema cannot know: journeys and channels of this catalog, features of this shop. Raises `Problem` (422)."""
    errors = [
        FieldError(f"triggers[{at}].journey", f"one of {', '.join(sorted(policy.journeys))}")
        for at, trigger in enumerate(request.triggers)
        if trigger.journey not in policy.journeys
    ]
    errors += [
        FieldError(f"channels[{at}]", f"one of {', '.join(sorted(policy.channels))}")
        for at, channel in enumerate(request.channels)
        if channel not in policy.channels
    ]
    for name, value in request.context.items():
        expected = _expected(SITUATION.get(name), value)
        if expected:
            errors.append(FieldError(field_path(["context", name]), expected))
    if errors:
        raise invalid(errors)


def _expected(feature: Feature | None, value: float | bool | str) -> str | None:
    """What a feature of the context view would accept in place of `value`, or None when it fits."""
    if feature is None:
        return f"one of {', '.join(sorted(SITUATION))}"
    if feature.dtype == "string":
        return None if isinstance(value, str) else "text"
    low = -_LARGEST if feature.low is None else feature.low
    high = _LARGEST if feature.high is None else feature.high
    kind = "a whole number" if feature.dtype == "int64" else "a number"
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if fits and (feature.dtype != "int64" or float(value).is_integer()):
        return None
    return f"{kind} from {low:g} to {high:g} ({feature.unit})"


def standing_of(reading: Reading, runtime: Runtime, customer_id: str, now: datetime) -> Standing:
    """Rights, consents, contacts as far back as any cap, cool-down or horizon of the policy reaches, and what is left of each stock."""
    policy = runtime.policy
    standing = reading.standing(customer_id, now - reach_of(policy), now, runtime.settings.brand)
    return replace(standing, stock=reading.stock(policy.resources.values(), now))


def build_context(
    runtime: Runtime, reading: Reading, request: DecisionRequest, now: datetime
) -> tuple[Context, Standing]:
    """All that is known of the customer now, and what of it the ledger may change. A stranger gets a context that knows nothing, not an
    error.
    """
    customer_id = customer_of(reading, request.customer, now)
    profile = reading.profile(customer_id)
    standing = standing_of(reading, runtime, customer_id, now)
    context = Context(
        customer_id=CustomerId(customer_id),
        known=profile is not None,
        time_zone=profile.time_zone if profile else None,
        locale=profile.locale if profile else "en",
        features={},
        triggers=tuple(Trigger(one.journey, one.occurred_at, one.expires_at, one.event_id) for one in request.triggers),
        channels=tuple(dict.fromkeys(request.channels)),
    )
    context = standing.put_into(context)
    if barred(context):
        return context, standing
    held_out = in_holdout(runtime.salt, CustomerId(customer_id), runtime.policy.selection.holdout)
    features, degraded = _features(runtime, profile, now)
    told = {name: _typed(name, value) for name, value in request.context.items()}
    found = replace(context, features=features | told, degraded=degraded, holdout=held_out)
    return found, standing


def barred(context: Context) -> bool:
    """Who objected or is suppressed is not evaluated at all: no features, no models, no attributions."""
    return context.objected or context.suppressed


def customer_of(reading: Reading, customer: CustomerRef, now: datetime) -> str:
    """The customer's id. An alias that nobody has is a customer of its own, named `alias_type:alias`."""
    if customer.alias is None:
        return str(customer.id)  # the schema asks for exactly one of the two
    if known := reading.customer_of(customer.alias.type, customer.alias.value, now):
        return known
    return f"{customer.alias.type}:{customer.alias.value}"


def _features(
    runtime: Runtime, profile: Profile | None, now: datetime
) -> tuple[dict[str, FeatureValue], tuple[str, ...]]:
    """Values that are young enough for their view, and what is missing: a view that is absent or too old is left out.

    An online store that does not answer leaves every view out: the decision goes on with what the ledger and the caller know.
    """
    if profile is None:
        return {}, ("unknown_customer",)
    try:
        online = runtime.features.online(profile.customer_id, runtime.policy.channels)
    except OnlineStoreAway as away:
        if away.asked:  # once per attempt, not once per decision
            log.warning("features away", what=str(away))
        return {}, tuple(f"missing_{view}" for view in VIEWS)
    values, stale = online.fresh(now)
    return values, tuple(f"stale_{view}" if online.written.get(view) else f"missing_{view}" for view in stale)


def _typed(name: str, value: float | bool | str) -> FeatureValue:
    return int(value) if SITUATION[name].dtype == "int64" else value
