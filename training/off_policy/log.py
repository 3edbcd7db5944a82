"""Logged decisions as arrays, checked once: which arm was shown, with which probability, and what came of it.

What would make every number wrong is refused with a `LogError`; what only makes them weak is a `Caution` that the report shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arbitration.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SUM_TOLERANCE = 1e-6
FEW_CLUSTERS = 30


class LogError(InputError):
    """A log, or a policy to be judged on it, that is wrong. `code` names the fault:

    `empty`, `shape`, `probability_missing`, `probability_zero`, `probability_over_one`, `reward_missing`, `arm_unknown`,
    `duplicate_decisions`, `probabilities_differ`, `not_a_distribution`, `one_cluster`, `bad_setting`.
    """

    def __init__(self, code: str, what: str, *, where: str = "", mend: str = "") -> None:
        self.code = code
        super().__init__(f"{what} [{code}]", where=where, mend=mend)


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that makes a log weak: `code` is `one_outcome`, `few_clusters`, `unseen_arm` or `constant_feature`."""

    code: str
    text: str


@dataclass(frozen=True)
class Log:
    """n logged decisions among k arms.

    `arms` k names; `arm` (n,) integers from 0 to k - 1; `reward` (n,) in any one unit; `probability` (n,) above 0, at most 1:
    the chance with which the logging policy chose that arm, never the propensity of a response. `cluster` (n,) ids of the
    customers, without it each row stands alone; `features` (n, f) with NaN for unknown; `decision` (n,) ids that must not repeat;
    `probabilities` (n, k) the whole logged vector, if it was kept. Raises LogError, with the first row at fault.
    """

    arms: tuple[str, ...]
    arm: IntArray
    reward: FloatArray
    probability: FloatArray
    cluster: NDArray[Any] | None = None
    features: FloatArray | None = None
    decision: NDArray[Any] | None = None
    probabilities: FloatArray | None = None

    def __post_init__(self) -> None:
        self._check_shapes()
        check_arms(self.arm, len(self.arms))
        check_rewards(self.reward)
        check_probabilities(self.probability)
        if self.decision is not None:
            _check_unique(self.decision)
        if self.probabilities is not None:
            vector = check_policy(self.probabilities, (len(self), len(self.arms)))
            differs = np.abs(vector[np.arange(len(self)), self.arm] - self.probability) > SUM_TOLERANCE
            refuse(differs, "probabilities_differ", "the vector gives the logged arm another probability")

    def __len__(self) -> int:
        return len(self.arm)

    @cached_property
    def clusters(self) -> IntArray:
        """Numbers of the customers, 0 to count - 1, shape (n,)."""
        return numbered(self.cluster, len(self))

    @cached_property
    def binary(self) -> bool:
        """Whether every reward is 0 or 1."""
        return bool(np.isin(self.reward, (0.0, 1.0)).all())

    @property
    def known(self) -> FloatArray:
        """The features, shape (n, f); no column where the log has none."""
        return np.empty((len(self), 0)) if self.features is None else self.features

    @cached_property
    def cautions(self) -> tuple[Caution, ...]:
        """What makes this log weak, for the report."""
        return tuple(self._cautions())

    def unsupported(self, policy: FloatArray) -> float:
        """Mean probability that `policy` (n, k) puts where this log could never look: arms without a row or with probability 0."""
        unseen = np.bincount(self.arm, minlength=len(self.arms)) == 0
        never = np.broadcast_to(unseen, policy.shape)
        if self.probabilities is not None:
            never = never | (self.probabilities <= 0)
        return float((policy * never).sum() / len(self))

    def _check_shapes(self) -> None:
        if len(self.arm) == 0 or not self.arms:
            raise LogError("empty", "the log has no rows or no arms", mend="bring at least one decision and one arm")
        columns = {"arm": self.arm, "reward": self.reward, "probability": self.probability}
        optional = {"cluster": self.cluster, "decision": self.decision}
        columns |= {name: column for name, column in optional.items() if column is not None}
        for name, column in columns.items():
            if column.shape != (len(self.arm),):
                raise LogError("shape", f"{name} has shape {column.shape}, expected ({len(self.arm)},)", where=name)
        if self.features is not None and (self.features.ndim != 2 or len(self.features) != len(self.arm)):
            raise LogError("shape", f"features have shape {self.features.shape}, expected ({len(self.arm)}, f)")

    def _cautions(self) -> list[Caution]:
        found = []
        if self.reward.min() == self.reward.max():
            found.append(
                Caution("one_outcome", f"every reward is {self.reward[0]:g}: there is nothing to tell policies apart")
            )
        count = int(self.clusters.max()) + 1
        if count < FEW_CLUSTERS:
            found.append(
                Caution("few_clusters", f"only {count} customers: intervals by customer are rough below {FEW_CLUSTERS}")
            )
        seen = np.bincount(self.arm, minlength=len(self.arms))
        if unseen := [name for name, rows in zip(self.arms, seen, strict=True) if rows == 0]:
            found.append(Caution("unseen_arm", f"never logged: {', '.join(unseen)}"))
        flat = [column for column, values in enumerate(self.known.T) if len(np.unique(values[~np.isnan(values)])) < 2]
        if flat:
            found.append(Caution("constant_feature", f"feature columns with at most one value: {flat}"))
        return found


def numbered(cluster: NDArray[Any] | None, rows: int) -> IntArray:
    """Cluster ids (rows,) as numbers from 0; without ids every row is its own."""
    if cluster is None:
        return np.arange(rows, dtype=np.int64)
    return np.unique(cluster, return_inverse=True)[1].reshape(-1).astype(np.int64)


def check_policy(policy: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """`policy` as it is if it has `shape` (..., k) and each row is a distribution; LogError `shape` or `not_a_distribution` else."""
    if policy.shape != shape:
        raise LogError("shape", f"the policy has shape {policy.shape}, expected {shape}")
    wrong = (
        ~np.isfinite(policy).all(axis=-1)
        | (policy < 0).any(axis=-1)
        | (np.abs(policy.sum(axis=-1) - 1) > SUM_TOLERANCE)
    )
    refuse(wrong, "not_a_distribution", "the probabilities are not all at least 0 with sum 1")
    return policy


def check_arms(arm: IntArray, arms: int) -> None:
    """LogError `arm_unknown` unless all are integers from 0 to `arms` - 1."""
    if not np.issubdtype(arm.dtype, np.integer):
        raise LogError("arm_unknown", f"arms are numbered with {arm.dtype}", mend="number them with integers from 0")
    refuse((arm < 0) | (arm >= arms), "arm_unknown", f"an arm is not between 0 and {arms - 1}")


def check_rewards(reward: FloatArray) -> None:
    """LogError `reward_missing` where a reward is not a finite number."""
    mend = "leave out rows whose reward is not yet known; a reward that did not come is 0"
    refuse(~np.isfinite(reward), "reward_missing", "a reward is missing or not finite", mend)


def check_probabilities(probability: FloatArray) -> None:
    """LogError `probability_missing`, `probability_zero` or `probability_over_one`; 1 itself is right."""
    mend = "log the chance with which the arm was drawn; it cannot be found out afterwards"
    refuse(~np.isfinite(probability), "probability_missing", "a logged probability is missing", mend)
    refuse(probability <= 0, "probability_zero", "a logged probability is 0 or less, yet its arm was shown", mend)
    refuse(probability > 1, "probability_over_one", "a logged probability is over 1", mend)


def refuse(wrong: NDArray[np.bool_], code: str, what: str, mend: str = "") -> None:
    """Raise LogError naming the first row where `wrong` (n, ...) holds, and how many there are."""
    rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
    if len(rows):
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        raise LogError(code, what, where=f"row {rows[0]}{more}", mend=mend)


def _check_unique(decision: NDArray[Any]) -> None:
    _, first = np.unique(decision, return_index=True)
    again = np.ones(len(decision), dtype=np.bool_)
    again[first] = False
    refuse(again, "duplicate_decisions", "a decision occurs twice", "keep one row per decision")
