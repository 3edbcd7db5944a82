"""What people call the columns that training makes of features, beside the business names of the features themselves."""

from __future__ import annotations

from features.registry import FEATURES

MADE = {
    "slot_pooled": "How well the slot works for everybody",
    "own_block": "Active at this time of day",
    "own_weekday": "Active on this weekday",
}


def readable(column: str) -> str:
    """English name of a model's column, for pictures and tables."""
    kind, _, value = column.partition("=")
    if value:
        return f"{kind.capitalize()}: {value.replace('_', ' ')}"
    return MADE.get(column) or (FEATURES[column].en if column in FEATURES else column)
