"""Invented histories of categories, and a model of the next one."""

from __future__ import annotations

import json
from collections.abc import Mapping

from training.categories import BASKETS, OWN_MOST, SHOP_SHARE, NextCategory, Shares
from training.references import ShrunkShare

Own = tuple[float, float, int, int, int, float, float]
"""Money in 28 and 182 days, baskets in 28 and 182 days, baskets it was most of, days since the last, usual gap (0 after one)."""
LISTS = ("money_28d_own", "money_182d_own", "baskets_28d_own", "baskets_182d_own", "most", "days", "gap")
SHARES = Shares({"milk": 0.2, "beer": 0.15, "bread": 0.1, "tea": 0.05, "soap": 0.04, "rice": 0.03, "salt": 0.01})
LIKELY = NextCategory(SHARES, ShrunkShare("next_category", (OWN_MOST, BASKETS, SHOP_SHARE), 4.0))


def text(own: Mapping[str, Own], *, money: tuple[float, float], baskets: int, recency: float) -> str:
    """A value of the feature `category_history`."""
    columns = {name: [one[at] for one in own.values()] for at, name in enumerate(LISTS)}
    whole = {"recency": recency, "baskets_182d": baskets, "money_28d": money[0], "money_182d": money[1]}
    return json.dumps({**whole, "category": list(own), **columns})
