"""The simple references that models must beat: a customer's own mean or share, shrunk to everybody's; and reading any model back.

    expected = (n * own + rows * everybody) / (n + rows)

`own` is a feature in money times `scale`, n the feature that counts what it rests on (1 where none is named). `rows` says how many
observations everybody's mean counts for; it is chosen on training rows and may be 0. Of a share, `everybody` is a feature, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from arbitration.codec import decode
from training.booster import Booster
from training.calibration import IDENTITY, Calibration
from training.models import Coefficients, Fitted, FloatArray, Kind, LinearModel, Link, Model, TreeModel

LEAST = 0.01
"""Money: the logarithm of nothing is no number."""
LEAST_CHANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """The three numbers of the formula; `everybody` is in money, as `own` times `scale`."""

    scale: float
    everybody: float
    rows: float

    def __post_init__(self) -> None:
        numbers = (self.scale, self.everybody, self.rows)
        if not (all(np.isfinite(number) for number in numbers) and min(self.scale, self.everybody) > 0 <= self.rows):
            raise ValueError(f"a shrunk mean needs a scale and a mean above 0 and rows of at least 0, not {self}")


@dataclass(frozen=True)
class ShrunkMean(Fitted):
    """`features`: the customer's own mean and, if there is a second, what counts its observations. Expects amounts."""

    name: str
    features: tuple[str, ...]
    shrinkage: Shrinkage
    calibration: Calibration = IDENTITY
    kind: Kind = "mean"
    link: Link = "log"

    def __post_init__(self) -> None:
        if len(self.features) not in (1, 2):
            raise ValueError(f"{self.name}: a shrunk mean reads one or two columns, {len(self.features)} are named")

    def margins(self, rows: FloatArray) -> FloatArray:
        """Log money, shape (n,); everybody's mean where the own is not known."""
        self._check(rows)
        s = self.shrinkage
        own = rows[:, 0] * s.scale
        count = np.nan_to_num(rows[:, 1]) if len(self.features) == 2 else np.ones(len(rows))
        count = np.where(np.isnan(own), 0.0, np.clip(count, 0.0, 1e6))
        total = count + s.rows
        mean = (count * np.nan_to_num(own) + s.rows * s.everybody) / np.where(total > 0, total, 1.0)
        return np.asarray(np.log(np.maximum(np.where(total > 0, mean, s.everybody), LEAST)))

    def contributions(self, rows: FloatArray) -> FloatArray:
        """What knowing the own mean adds to everybody's, in log money, shape (n, k + 1); the count only weighs it, so it adds 0."""
        base = np.full(len(rows), np.log(max(self.shrinkage.everybody, LEAST)))
        rest = np.zeros((len(rows), len(self.features) - 1))
        return np.column_stack([self.margins(rows) - base, rest, base])

    def text(self) -> str:
        """The formula's numbers as JSON."""
        return json.dumps(asdict(self.shrinkage), allow_nan=False)


@dataclass(frozen=True)
class ShrunkShare(Fitted):
    """`features`: how many of the customer's n were so, n, and everybody's share. Expects a probability; `rows` is above 0."""

    name: str
    features: tuple[str, ...]
    rows: float
    calibration: Calibration = IDENTITY
    kind: Kind = "shares"
    link: Link = "logit"

    def __post_init__(self) -> None:
        if len(self.features) != 3 or not (np.isfinite(self.rows) and self.rows > 0):
            raise ValueError(f"{self.name}: a shrunk share reads three columns and needs rows above 0, not {self}")

    def margins(self, rows: FloatArray) -> FloatArray:
        """Log-odds, shape (n,); what is unknown counts as 0."""
        self._check(rows)
        own, count, everybody = np.nan_to_num(rows).T
        return _log_odds((own + self.rows * everybody) / (np.maximum(count, 0.0) + self.rows))

    def contributions(self, rows: FloatArray) -> FloatArray:
        """Everybody's log-odds, what the own share adds to them, 0 for n, which only weighs it, and the base 0; shape (n, 4)."""
        everybody, zeros = _log_odds(np.nan_to_num(rows[:, 2])), np.zeros(len(rows))
        return np.column_stack([self.margins(rows) - everybody, zeros, everybody, zeros])

    def text(self) -> str:
        """The formula's number as JSON."""
        return json.dumps({"rows": self.rows}, allow_nan=False)


def _log_odds(chances: FloatArray) -> FloatArray:
    safe = np.clip(chances, LEAST_CHANCE, 1 - LEAST_CHANCE)
    return np.asarray(np.log(safe) - np.log1p(-safe))


def read(
    name: str, kind: str, features: tuple[str, ...], text: str, calibration: Mapping[str, float], *, link: Link
) -> Model:
    """A model from its text; raises InputError, ValueError or TypeError where the text does not fit."""
    fitted = Calibration(**calibration)
    if link not in ("logit", "log"):
        raise ValueError(f"{name}: there is no link {link}")
    if kind == "tree":
        return TreeModel(name, features, Booster(text), fitted, link=link)
    if kind == "mean":
        return ShrunkMean(name, features, decode(Shrinkage, json.loads(text)), fitted, link=link)
    if kind == "shares":
        return ShrunkShare(name, features, float(json.loads(text)["rows"]), fitted, link=link)
    written: Kind = "rates" if kind == "rates" else "linear"
    return LinearModel(name, features, decode(Coefficients, json.loads(text)), fitted, written, link)
