"""A catalog small enough to decide by in well under a millisecond: three journeys on three channels, with every kind of cap."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from arbitration.policy import BusinessName, Cap, Policy
from catalog.loading import EXAMPLE, load_catalog

CHANNELS = ("push", "email", "in_app")
JOURNEYS = {"welcome": ("in_app", "push"), "churn_recovery": ("email", "push"), "care": ("email",)}
_NAME = BusinessName("simulated", "simuliert")
CAPS = (
    Cap("push_one_in_four_hours", _NAME, 1, window_hours=4, channels=("push",)),
    Cap("messages_two_a_day", _NAME, 2, calendar="day", channels=("push", "email")),
    Cap("messages_three_in_a_week", _NAME, 4, window_hours=168, channels=("push", "email"), reserve=1),
    Cap("email_three_a_month", _NAME, 3, calendar="month", channels=("email",)),
    Cap("welcome_two_a_week", _NAME, 2, calendar="week", journeys=("welcome",)),
    Cap("app_two_in_a_day", _NAME, 2, window_hours=24, channels=("in_app",)),
)


@cache
def small_policy() -> Policy:
    """The catalog of the simulated shop, made of lines of the example catalog. Cool-downs are short, so that caps decide."""
    whole = load_catalog(EXAMPLE)
    channels = {name: replace(whole.channels[name], held="False", available="True") for name in CHANNELS}
    journeys = {}
    for name, asked in JOURNEYS.items():
        one = whole.journeys[name]
        lines = tuple(line for channel in asked for line in one.treatments if line.channel == channel)
        journeys[name] = replace(
            one, eligible="True", applicable="True", suitable="True", treatments=lines, cooldown_hours=2, exclusive_group=None,
            horizon_hours=240, effect_prior=0.2, effect_prior_sd=0.01, lever=1.0,
        )  # fmt: skip
    rules = replace(whole.contact_policy, caps=CAPS, stop_factor=1000.0)
    selection = replace(whole.selection, exploration=0.2, silence_floor=0.01, holdout=0.02, exploration_budget=1.0)
    found = replace(
        whole, version="simulated", channels=channels, journeys=journeys, contact_policy=rules, selection=selection
    )
    return replace(found, resources={})
