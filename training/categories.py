"""The next category: of which product category the customer's next purchase will mostly be, if there is one.

    P(category c | customer x) = pooled(row(x, c)),    c among x's own categories and the shop's most bought

One pooled model reads what x did in c and how often anybody's purchase is mostly c; it knows no category by name, so one that is new
to the shop is treated like any other with such numbers. The chances of one customer's candidates sum to at most 1: if they sum to
more, each is divided by the sum. What is left belongs to all other categories.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arbitration.domain import Attribution
from training.models import Model

FloatArray = NDArray[np.float64]
HISTORY = "category_history"
"""The feature that says what was bought (`features.views.category`)."""
CANDIDATES = 6
"""The shop's most bought categories that compete beside a customer's own."""
_LISTS = ("money_28d_own", "money_182d_own", "baskets_28d_own", "baskets_182d_own", "most", "days", "gap")
_WHOLE = ("money_28d", "money_182d", "baskets_182d", "recency")
OWN_MOST, BASKETS, SHOP_SHARE = "category_most_182d", "category_purchases_182d", "category_shop_share"
FEATURES = (
    "category_money_share_28d", "category_money_share_182d", "category_baskets_28d", "category_basket_share_182d", OWN_MOST,
    "category_most_share_182d", "category_days", "category_gap_days", "category_gap_ratio", SHOP_SHARE, BASKETS,
    "category_basket_money", "category_recency_days",
)  # fmt: skip


@dataclass(frozen=True)
class Pairs:
    """Customers and candidate categories, flat: `owner` (n,) numbers the texts, `names` (n,), `rows` (n, k) in the order of FEATURES."""

    owner: NDArray[np.int64]
    names: NDArray[np.str_]
    rows: FloatArray


@dataclass(frozen=True)
class Shares:
    """How many of all purchases were mostly of a category: category -> share, the largest first."""

    of: Mapping[str, float]

    def __post_init__(self) -> None:
        if not all(np.isfinite(share) and 0 <= share <= 1 for share in self.of.values()):
            raise ValueError("shares of categories are not all from 0 to 1")

    @cached_property
    def leading(self) -> tuple[str, ...]:
        """The shop's candidates."""
        return tuple(sorted(self.of, key=lambda name: (-self.of[name], name))[:CANDIDATES])

    def pairs(self, texts: Sequence[str], beside: Iterable[str] | None = None) -> Pairs:
        """Every customer's own categories, then those of `beside` (the shop's leading ones) that are not among them.

        `texts` are values of the feature HISTORY, none unknown.
        """
        told = [json.loads(text) for text in texts]
        more = self.leading if beside is None else tuple(dict.fromkeys(beside))
        others = [[name for name in more if name not in one["category"]] for one in told]
        own_counts, counts = [len(one["category"]) for one in told], [len(names) for names in others]
        own = np.column_stack([_flat(told, name) for name in _LISTS]) if told else np.empty((0, len(_LISTS)))
        strange = np.tile([0.0, 0.0, 0.0, 0.0, 0.0, np.nan, 0.0], (sum(counts), 1))
        owner = np.concatenate([np.repeat(np.arange(len(told)), own_counts), np.repeat(np.arange(len(told)), counts)])
        names = [*chain.from_iterable(one["category"] for one in told), *chain.from_iterable(others)]
        order = np.argsort(owner, kind="stable")  # own before others, as told
        whole = np.array([[one[name] for name in _WHOLE] for one in told], dtype=np.float64).reshape(-1, len(_WHOLE))
        shares = np.array([self.of.get(name, 0.0) for name in names])
        rows = _described(np.concatenate([own, strange]), whole[owner], shares)
        return Pairs(owner[order], np.array(names, dtype=str)[order], rows[order])


def _flat(told: Sequence[Mapping[str, Any]], name: str) -> FloatArray:
    return np.array(list(chain.from_iterable(one[name] for one in told)), dtype=np.float64)


def _described(own: FloatArray, whole: FloatArray, shares: FloatArray) -> FloatArray:
    """Rows in the order of FEATURES from columns in the order of _LISTS and _WHOLE."""
    money_28d, money_182d, baskets_28d, baskets_182d, most, days, gap = own.T
    gap = np.where(baskets_182d > 1, gap, np.nan)  # one purchase has no rhythm
    all_28d, all_182d, baskets, recency = whole.T
    return np.column_stack([
        money_28d / np.where(all_28d > 0, all_28d, np.nan), money_182d / np.maximum(all_182d, 0.01), baskets_28d,
        baskets_182d / np.maximum(baskets, 1.0), most, most / np.maximum(baskets, 1.0), days, gap, days / np.maximum(gap, 0.5), shares,
        baskets, all_182d / np.maximum(baskets, 1.0), recency,
    ])  # fmt: skip


def summing_to_one(chances: FloatArray, owner: NDArray[np.int64]) -> FloatArray:
    """Chances divided by their customer's sum where that is above 1."""
    sums = np.bincount(owner, weights=chances) if len(owner) else np.empty(0)
    return np.asarray(chances / np.maximum(sums, 1.0)[owner])


@dataclass(frozen=True)
class NextCategory:
    """The shop's shares and the pooled model."""

    shares: Shares
    pooled: Model

    @cached_property
    def version(self) -> str:
        """The pooled model's version and a digest of the shares."""
        told = json.dumps(dict(self.shares.of), sort_keys=True).encode()
        return f"{self.pooled.version}-{hashlib.sha256(told).hexdigest()[:6]}"

    def chances(self, text: str) -> list[tuple[str, float]]:
        """Each candidate category with its probability, the likeliest first; the feature's order decides among equals."""
        pairs = self.shares.pairs([text])
        found = summing_to_one(self.pooled.predict(_columns(self.pooled, pairs)), pairs.owner)
        told = [(str(name), float(chance)) for name, chance in zip(pairs.names, found, strict=True)]
        return sorted(told, key=lambda one: -one[1])

    def attribute(self, text: str, category: str) -> Attribution | None:
        """The pooled model's row of one candidate taken apart; None where the category is no candidate."""
        pairs = self.shares.pairs([text])
        at = np.flatnonzero(pairs.names == category)
        return self.pooled.attribute(_columns(self.pooled, pairs)[at[0]]) if len(at) else None


def _columns(model: Model, pairs: Pairs) -> FloatArray:
    return np.asarray(pairs.rows[:, [FEATURES.index(name) for name in model.features]])
