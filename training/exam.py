"""The exam of a challenger: what it loses against the champion on rows that neither has learned from, and what that decides.

    d_i = loss_i(champion) - loss_i(challenger),   D = sum w_i d_i / sum w_i      (positive: the challenger is better)

The challenger passes when the one-sided 95 % lower bound of D, D - t * SE with SE clustered by customer and t of Student, is not
below the champion by more than the tolerance (a test of non-inferiority):

    tolerance = share * min(loss, max(10 * gain, loss / 20))

`loss` is the champion's, `gain` what it gains over a reference that knows nothing: one rate for all, or no effect at all. With the
default share a challenger may lose 2 % of the loss, of a weak model a fifth of its gain, and always a thousandth of the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from arbitration.errors import InputError, StateError
from training.off_policy.intervals import effective, standard_error
from training.verdict import Measured, Result

FloatArray = NDArray[np.float64]
LEVEL = 0.95
GAIN_FACTOR, LEAST = 10.0, 0.05
ALIKE = 1e-9
"""Losses that differ by no more on any row are those of one model: fitted twice, it differs in its last digits."""
FEWEST = 30.0
"""Below so many effective customers the bound does not hold its level: losses are skewed, and a rare event may not have happened."""


class NoExam(StateError):
    """An exam that cannot be held."""


@dataclass(frozen=True)
class Sheet:
    """What both lose on each exam row, shape (n,): `champion`, `challenger` and the `reference` that knows nothing.

    `weights` (n,) above 0, `customers` (n,) ids. `doubt`: variance of D that the rows share and do not show.
    """

    customers: NDArray[np.str_]
    weights: FloatArray
    champion: FloatArray
    challenger: FloatArray
    reference: FloatArray
    doubt: float = 0.0


def check_share(share: float) -> float:
    """`share` itself; raises InputError where it is no share."""
    if not 0 <= share <= 1:
        raise InputError(
            f"the tolerance is {share}", mend="give a share of the champion's loss from 0 to 1, such as 0.02"
        )
    return share


def tolerance(share: float, loss: float, gain: float) -> float:
    """How far the lower bound may be below 0; 0 with `share` 0, and never less where `gain` is larger."""
    return share * min(loss, max(GAIN_FACTOR * gain, LEAST * loss))


def mark(sheet: Sheet, share: float) -> tuple[Result, Measured]:
    """The paired comparison and what it decides. Raises NoExam without rows.

    Two that answer alike on every row pass, however few the rows are.
    """
    count = len(sheet.customers)
    if count == 0:
        raise NoExam("there are no rows that neither has learned from")
    part = sheet.weights / sheet.weights.sum()
    losses = [float(part @ each) for each in (sheet.champion, sheet.challenger, sheet.reference)]
    allowed = tolerance(share, losses[0], losses[2] - losses[0])
    between = sheet.champion - sheet.challenger
    names, clusters = np.unique(sheet.customers, return_inverse=True)
    if np.abs(between).max() <= ALIKE:
        return "passed", Measured(count, len(names), losses[0], losses[1], losses[2], 0.0, 0.0, 0.0, allowed)
    value, speaking = float(part @ between), effective(sheet.weights, clusters)
    error = reach = None
    result: Result = "few"
    if len(names) > 1:
        error = sqrt(standard_error(count * part * (between - value), clusters) ** 2 + sheet.doubt)
        reach = float(stdtrit(max(speaking - 1, 1.0), LEVEL)) * error
        if speaking >= FEWEST:
            result = "passed" if value - reach >= -allowed else "worse" if value + reach < 0 else "unclear"
    low = None if reach is None else value - reach
    return result, Measured(count, len(names), losses[0], losses[1], losses[2], value, error, low, allowed)
