"""A customer's features as the rows that models read: one per customer, or one per treatment for the channel model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from arbitration.domain import Attribution, Contribution, FeatureValue, Treatment
from features.registry import VIEWS

if TYPE_CHECKING:
    from training.models import FloatArray, Model

CHANNEL_FEATURES = frozenset(feature.name for feature in VIEWS["channel"].features)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the channel model's columns come from: `shared` per customer, `own` per channel, `flags` per treatment."""

    shared: tuple[tuple[int, str], ...]
    own: tuple[tuple[int, str], ...]
    flags: Mapping[str, int]
    width: int


def as_number(value: FeatureValue) -> float:
    """A feature as the models read it; NaN is unknown."""
    return math.nan if value is None or isinstance(value, str) else float(value)


def customer_row(model: Model, features: Mapping[str, FeatureValue]) -> FloatArray:
    """What a model of the customer reads, shape (k,)."""
    return np.array([as_number(features.get(name)) for name in model.features])


def spoken(model: Model, treatment: Treatment) -> bool:
    """Whether the channel model learned from this journey and this channel."""
    flags = _layout(model.features).flags
    return f"journey={treatment.journey}" in flags and f"channel={treatment.channel}" in flags


def treatment_rows(model: Model, features: Mapping[str, FeatureValue], asked: tuple[Treatment, ...]) -> FloatArray:
    """The channel model's rows, shape (len(asked), k)."""
    rows = channel_rows(model, features, tuple(one.channel for one in asked))
    flags = _layout(model.features).flags
    for at, one in enumerate(asked):
        rows[at, flags[f"journey={one.journey}"]] = 1.0
    return rows


def channel_rows(model: Model, features: Mapping[str, FeatureValue], channels: tuple[str, ...]) -> FloatArray:
    """One row per channel that the model has seen, shape (len(channels), k)."""
    layout = _layout(model.features)
    rows = np.zeros((len(channels), layout.width))
    for column, name in layout.shared:
        rows[:, column] = as_number(features.get(name))
    for channel in dict.fromkeys(channels):
        at = [place for place, one in enumerate(channels) if one == channel]
        for column, name in layout.own:
            rows[at, column] = as_number(features.get(f"{channel}.{name}"))
        rows[at, layout.flags[f"channel={channel}"]] = 1.0
    return rows


def channel_known(features: Mapping[str, FeatureValue], channel: str) -> bool:
    """Whether anything of the channel's view is known."""
    return any(features.get(f"{channel}.{name}") is not None for name in CHANNEL_FEATURES)


@lru_cache(maxsize=8)
def _layout(names: tuple[str, ...]) -> Layout:
    flags = {name: column for column, name in enumerate(names) if "=" in name}
    own = tuple((column, name) for column, name in enumerate(names) if name in CHANNEL_FEATURES)
    rest = tuple(
        (column, name) for column, name in enumerate(names) if "=" not in name and name not in CHANNEL_FEATURES
    )
    return Layout(rest, own, flags, len(names))


def gather(found: Attribution, treatment: Treatment) -> Attribution:
    """One contribution for the journey and one for the channel instead of one per column; the sum stays the same."""
    sums = {"journey": 0.0, "channel": 0.0}
    parts = []
    for part in found.contributions:
        kind, flag, _ = part.feature.partition("=")
        if flag:
            sums[kind] += part.margin
        else:
            name = f"{treatment.channel}.{part.feature}" if part.feature in CHANNEL_FEATURES else part.feature
            parts.append(Contribution(name, part.value, part.margin))
    parts += [
        Contribution("journey", treatment.journey, sums["journey"]),
        Contribution("channel", treatment.channel, sums["channel"]),
    ]
    return Attribution(found.model, found.base, tuple(parts), found.margin, found.probability)
