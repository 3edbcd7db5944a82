"""What serving knows of a model: named features in, calibrated expectations and contributions out.

Every kind loads from text (LightGBM's own format, or JSON) and needs no training library. What is expected is a probability
(link `logit`: the margin is log-odds) or an amount of money (link `log`: the margin is log money), each before calibration.
Contributions are exact on the margin: base + sum of contributions = margin, within 1e-6.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from arbitration.domain import Attribution, Contribution
from training.booster import Booster
from training.calibration import IDENTITY, Calibration

FloatArray = NDArray[np.float64]
Kind = Literal["tree", "linear", "mean", "rates", "shares"]
Link = Literal["logit", "log"]


class Model(Protocol):
    """The contract of every model. `rows` are float64 with shape (n, len(features)), NaN where a value is unknown."""

    @property
    def name(self) -> str:
        """What is predicted, such as `churn_risk`."""

    @property
    def kind(self) -> Kind:
        """`tree` (LightGBM), `linear` (a regression on signed logarithms), or a reference: `mean` (money), `rates`, `shares` (chances)."""

    @property
    def link(self) -> Link:
        """`logit` where a probability is expected, `log` where an amount is."""

    @property
    def version(self) -> str:
        """Kind and digest of the bytes that define the model."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns, in order."""

    @property
    def calibration(self) -> Calibration:
        """From margin to what is expected."""

    def margins(self, rows: FloatArray) -> FloatArray:
        """Raw log-odds, or log money, shape (n,)."""

    def predict(self, rows: FloatArray) -> FloatArray:
        """Calibrated probabilities, or amounts, shape (n,)."""

    def contributions(self, rows: FloatArray) -> FloatArray:
        """What each feature adds to the margin, shape (n, k + 1); the last column is the base."""

    def attribute(self, row: FloatArray) -> Attribution:
        """One row, shape (k,), taken apart."""

    def text(self) -> str:
        """The file the model is kept in."""


class Fitted(ABC):
    """What every model does alike once its margins are known. Models are frozen dataclasses with these fields and one of their own."""

    name: str
    features: tuple[str, ...]
    calibration: Calibration
    kind: Kind
    link: Link

    @cached_property
    def version(self) -> str:
        """Kind and digest of what is learned, feature order and calibration."""
        return version_of(self)

    @abstractmethod
    def margins(self, rows: FloatArray) -> FloatArray:
        """Raw log-odds, or log money, shape (n,)."""

    @abstractmethod
    def contributions(self, rows: FloatArray) -> FloatArray:
        """What each feature adds to the margin, shape (n, k + 1); the last column is the base."""

    @abstractmethod
    def text(self) -> str:
        """The file the model is kept in."""

    def predict(self, rows: FloatArray) -> FloatArray:
        """Calibrated probabilities, or amounts, shape (n,)."""
        return self.calibration.expected(self.margins(rows), self.link)

    def attribute(self, row: FloatArray) -> Attribution:
        """One row, shape (k,), taken apart."""
        return attribution(self, row)

    def _check(self, rows: FloatArray) -> None:
        if rows.ndim != 2 or rows.shape[1] != len(self.features):
            raise ValueError(f"rows have shape {rows.shape}, the model reads (n, {len(self.features)})")


@dataclass(frozen=True)
class TreeModel(Fitted):
    """A LightGBM ensemble."""

    name: str
    features: tuple[str, ...]
    booster: Booster
    calibration: Calibration = IDENTITY
    kind: Kind = "tree"
    link: Link = "logit"

    def __post_init__(self) -> None:
        if self.booster.columns != len(self.features):
            raise ValueError(
                f"{self.name}: the trees read {self.booster.columns} columns, {len(self.features)} are named"
            )

    def margins(self, rows: FloatArray) -> FloatArray:
        """Raw log-odds, shape (n,)."""
        return self.booster.margins(rows)

    def contributions(self, rows: FloatArray) -> FloatArray:
        """TreeSHAP values and the base, shape (n, k + 1)."""
        return self.booster.contributions(rows)

    def text(self) -> str:
        """LightGBM's text format."""
        return self.booster.text


@dataclass(frozen=True)
class Coefficients:
    """Regression on z = (t - mean) / scale, t = sign(x) log(1 + |x|), unknown x replaced by `median` (of t)."""

    median: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    intercept: float


@dataclass(frozen=True)
class LinearModel(Fitted):
    """Logistic regression, or Tweedie regression for amounts, on signed logarithms; the intercept is the base, because z has mean 0."""

    name: str
    features: tuple[str, ...]
    coefficients: Coefficients
    calibration: Calibration = IDENTITY
    kind: Kind = "linear"
    link: Link = "logit"

    def __post_init__(self) -> None:
        c = self.coefficients
        if {len(c.median), len(c.mean), len(c.scale), len(c.weight)} != {len(self.features)}:
            raise ValueError(f"{self.name}: coefficients do not match {len(self.features)} features")

    @cached_property
    def _arrays(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        c = self.coefficients
        return np.array(c.median), np.array(c.mean), np.array(c.weight) / np.array(c.scale)

    def margins(self, rows: FloatArray) -> FloatArray:
        """Raw log-odds, shape (n,)."""
        self._check(rows)
        return np.asarray(self._shares(rows).sum(axis=1) + self.coefficients.intercept)

    def contributions(self, rows: FloatArray) -> FloatArray:
        """Weight times standardized value, and the intercept, shape (n, k + 1)."""
        return np.column_stack([self._shares(rows), np.full(len(rows), self.coefficients.intercept)])

    def text(self) -> str:
        """The coefficients as JSON."""
        return json.dumps(asdict(self.coefficients), allow_nan=False)

    def _shares(self, rows: FloatArray) -> FloatArray:
        median, mean, weight = self._arrays
        transformed = signed_log(rows)
        return np.asarray((np.where(np.isnan(transformed), median, transformed) - mean) * weight)


def signed_log(rows: FloatArray) -> FloatArray:
    """sign(x) log(1 + |x|): money and counts become comparable, zero stays zero, NaN stays NaN."""
    return np.asarray(np.sign(rows) * np.log1p(np.abs(rows)))


def version_of(model: Model) -> str:
    """Kind and digest of text, feature order, calibration, and of the link where it is not `logit`."""
    link = () if model.link == "logit" else (model.link,)
    parts = (model.text(), json.dumps(model.features), json.dumps(asdict(model.calibration)), *link)
    return f"{model.kind}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


def attribution(model: Model, row: FloatArray) -> Attribution:
    """One row, shape (k,), taken apart; `probability` is what the model expects, an amount where the link is `log`."""
    shares = model.contributions(row[None, :])[0]
    values = [None if np.isnan(value) else float(value) for value in row]
    parts = tuple(
        Contribution(name, value, float(share))
        for name, value, share in zip(model.features, values, shares[:-1], strict=True)
    )
    margins = model.margins(row[None, :])
    expected = float(model.calibration.expected(margins, model.link)[0])
    return Attribution(model.name, float(shares[-1]), parts, float(margins[0]), expected)
