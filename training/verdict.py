"""What an exam says of one model, as it is shown and as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SHARE = 0.02
"""The tolerance when nobody sets one, a share of the champion's loss; see `training.exam.tolerance`."""
Result = Literal["first", "same", "passed", "worse", "unclear", "few", "not_examined"]
SAID: Mapping[Result, str] = {
    "first": "first",
    "same": "the same",
    "passed": "passed",
    "worse": "refused: worse",
    "unclear": "refused: unclear",
    "few": "refused: too few",
    "not_examined": "refused: no exam",
}
WHY: Mapping[Result, str] = {
    "worse": "it is worse",
    "unclear": "the rows do not show that it is not worse by more than the tolerance",
    "few": "too few customers to show that it is not worse",
    "not_examined": "it cannot be examined",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Mean losses of the three, D, its standard error, lower bound and tolerance; all in the unit of the loss.

    `error` and `low` are null where a single customer speaks.
    """

    rows: int
    customers: int
    champion: float
    challenger: float
    reference: float
    difference: float
    error: float | None
    low: float | None
    tolerance: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one model at promotion: the two versions (`champion` null: there was none), the result, and what was measured."""

    model: str
    challenger: int
    champion: int | None
    result: Result
    measured: Measured | None = None
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether only force promotes it."""
        return self.result not in ("first", "same", "passed")
