"""What people call the columns that training makes of features, beside the business names of the features themselves."""

from __future__ import annotations

from collections.abc import Mapping

from arbitration.policy import BusinessName
from features.registry import FEATURES

MADE = {
    "slot_pooled": "How well the slot works for everybody",
    "own_block": "Active at this time of day",
    "own_weekday": "Active on this weekday",
}

PAIR_NAMES: Mapping[str, BusinessName] = {
    name: BusinessName(en, de)
    for name, en, de in (
        ("category_money_share_28d", "Share of spend on this category, 4 weeks", "Anteil der Warengruppe am Umsatz, 4 Wochen"),
        ("category_money_share_182d", "Share of spend on this category", "Anteil der Warengruppe am Umsatz"),
        ("category_baskets_28d", "Purchases with this category, 4 weeks", "Einkäufe mit der Warengruppe, 4 Wochen"),
        ("category_basket_share_182d", "Share of purchases with this category", "Anteil der Einkäufe mit der Warengruppe"),
        ("category_most_182d", "Purchases mostly of this category", "Einkäufe vor allem aus der Warengruppe"),
        ("category_most_share_182d", "Share of purchases mostly of this category", "Anteil der Einkäufe vor allem aus der Warengruppe"),
        ("category_days", "Days since this category was bought", "Tage seit dem letzten Kauf der Warengruppe"),
        ("category_gap_days", "Usual days between purchases of this category", "Übliche Tage zwischen Käufen der Warengruppe"),
        ("category_gap_ratio", "This category is due by its own rhythm", "Die Warengruppe ist nach eigenem Rhythmus fällig"),
        ("category_shop_share", "How many of all purchases are mostly of it", "Anteil aller Einkäufe vor allem daraus"),
        ("category_purchases_182d", "Purchases that name categories", "Einkäufe mit Warengruppen"),
        ("category_basket_money", "Spend per purchase", "Umsatz je Einkauf"),
        ("category_recency_days", "Days since last purchase", "Tage seit letztem Einkauf"),
    )
}  # fmt: skip
"""A customer's moment and one candidate category (`training.categories.FEATURES`)."""


def readable(column: str) -> str:
    """English name of a model's column, for pictures and tables."""
    kind, _, value = column.partition("=")
    if value:
        return f"{kind.capitalize()}: {value.replace('_', ' ')}"
    if column in PAIR_NAMES:
        return PAIR_NAMES[column].en
    return MADE.get(column) or (FEATURES[column].en if column in FEATURES else column)
