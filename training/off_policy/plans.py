"""The value of plans, sequences of up to T steps, from logged plans: per-decision weights.

A reward of step t is weighed by the chances of the steps up to t alone, for what is decided later cannot have caused it (Precup,
Sutton & Singh 2000):  rho_t = prod_{s <= t} pi(a_s | x_s) / p_s.  A plan that has ended keeps its rho and earns 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.off_policy.estimators import Valuation
from training.off_policy.log import (
    FloatArray,
    IntArray,
    LogError,
    check_arms,
    check_policy,
    check_probabilities,
    check_rewards,
    numbered,
    refuse,
)

ENDED = -1


@dataclass(frozen=True)
class Plans:
    """n logged plans of at most T steps among k arms.

    `arm` (n, T) integers from 0 to k - 1, and -1 for every step after a plan's end; `reward` (n, T) in any one unit and
    `probability` (n, T) as in `Log`, ignored after the end; `cluster` (n,) ids of the customers. Raises LogError.
    """

    arms: tuple[str, ...]
    arm: IntArray
    reward: FloatArray
    probability: FloatArray
    cluster: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.arm.ndim != 2 or self.arm.size == 0 or not self.arms:
            raise LogError("empty", f"arm has shape {self.arm.shape}, expected (plans, steps), neither of them 0")
        for name, column in (("reward", self.reward), ("probability", self.probability)):
            if column.shape != self.arm.shape:
                raise LogError("shape", f"{name} has shape {column.shape}, expected {self.arm.shape}", where=name)
        if self.cluster is not None and self.cluster.shape != (len(self),):
            raise LogError("shape", f"cluster has shape {self.cluster.shape}, expected ({len(self)},)", where="cluster")
        check_arms(np.where(self.arm == ENDED, 0, self.arm), len(self.arms))
        check_rewards(np.where(self.alive, self.reward, 0.0))
        check_probabilities(np.where(self.alive, self.probability, 1.0))
        refuse(
            ~self.alive[:, 0] | (np.diff(self.alive.astype(np.int8)) > 0).any(axis=1),
            "shape",
            "a plan starts after its end",
        )

    def __len__(self) -> int:
        return len(self.arm)

    @cached_property
    def alive(self) -> NDArray[np.bool_]:
        """Which steps were taken, shape (n, T)."""
        return np.asarray(self.arm != ENDED)

    @cached_property
    def clusters(self) -> IntArray:
        """Numbers of the customers, shape (n,)."""
        return numbered(self.cluster, len(self))


def step_weights(plans: Plans, policy: FloatArray) -> FloatArray:
    """pi(a_t | x_t) / p_t, shape (n, T), 1 after the end, for `policy` (n, T, k); its rows after the end may be anything.

    Raises LogError `shape` or `not_a_distribution`.
    """
    shape = (*plans.arm.shape, len(plans.arms))
    if policy.shape != shape:
        raise LogError("shape", f"the policy has shape {policy.shape}, expected {shape}")
    even = 1.0 / len(plans.arms)
    check_policy(np.where(plans.alive[:, :, None], policy, even), shape)
    chosen = np.take_along_axis(policy, np.where(plans.alive, plans.arm, 0)[:, :, None], axis=2)[:, :, 0]
    ended = np.ones(shape[:2])
    return np.asarray(np.divide(chosen, plans.probability, out=ended, where=plans.alive), dtype=np.float64)


def per_decision(plans: Plans, policy: FloatArray, discount: float = 1.0) -> Valuation:
    """mean_i sum_t discount^t rho_it r_it: unbiased value of a plan, in the reward's unit (Precup, Sutton & Singh 2000).

    `policy` (n, T, k). Raises LogError for a wrong policy, or `bad_setting` for a discount outside 0 to 1.
    """
    rho, paid = np.cumprod(step_weights(plans, policy), axis=1), _paid(plans, discount)
    return _valuation("per-decision IPS", plans, (rho * paid).sum(axis=1), np.asarray(rho[:, -1], dtype=np.float64))


def weighted_per_decision(plans: Plans, policy: FloatArray, discount: float = 1.0) -> Valuation:
    """sum_t discount^t sum_i rho_it r_it / sum_i rho_it: each step's weights sum to 1 (consistent weighted per-decision, Thomas 2015).

    Influence sum_t discount^t rho_t (r_t - V_t) / mean(rho_t), by the delta method. `policy` (n, T, k). Raises LogError like
    `per_decision`, and `not_a_distribution` where no logged plan could be one of the policy's.
    """
    rho, paid = np.cumprod(step_weights(plans, policy), axis=1), _paid(plans, discount)
    means = rho.mean(axis=0)
    if not (means > 0).all():
        raise LogError(
            "not_a_distribution", "the policy could not have taken any logged plan", mend="nothing was seen of it"
        )
    last = np.asarray(rho[:, -1], dtype=np.float64)
    steps = (rho * paid).mean(axis=0) / means
    influence = (rho * (paid - steps) / means).sum(axis=1)
    return Valuation("weighted per-decision", float(steps.sum()), influence, last, _binary(plans, discount))


def plan_dr(plans: Plans, policy: FloatArray, expected: FloatArray, discount: float = 1.0) -> Valuation:
    """Recursive DR from the last step back: V_t = sum_a pi q_t + w_t (r_t + discount V_{t+1} - q_t(a_t)) (Jiang & Li 2016).

    `expected` (n, T, k) is q: the reward from step t to the end, cross-fitted by customer; with q = 0 this is `per_decision`.
    Raises LogError for wrong shapes.
    """
    w = step_weights(plans, policy)
    if expected.shape != policy.shape or not np.isfinite(expected[plans.alive]).all():
        raise LogError("shape", f"expected rewards have shape {expected.shape} or gaps, the policy {policy.shape}")
    _paid(plans, discount)
    later = np.zeros(len(plans))
    for step in reversed(range(plans.arm.shape[1])):
        here = plans.alive[:, step]
        q, arm = expected[here, step], plans.arm[here, step]
        now = plans.reward[here, step] + discount * later[here] - q[np.arange(len(q)), arm]
        later[here] = (policy[here, step] * q).sum(axis=1) + w[here, step] * now
    return _valuation("plan DR", plans, later, np.asarray(np.prod(w, axis=1), dtype=np.float64))


def _paid(plans: Plans, discount: float) -> FloatArray:
    """Discounted rewards, shape (n, T), 0 after the end."""
    if not 0 <= discount <= 1:
        raise LogError("bad_setting", f"the discount is {discount}", mend="give a number from 0 to 1")
    return np.asarray(np.where(plans.alive, plans.reward, 0.0) * discount ** np.arange(plans.arm.shape[1]))


def _binary(plans: Plans, discount: float) -> bool:
    return bool(np.isin(_paid(plans, discount).sum(axis=1), (0.0, 1.0)).all())


def _valuation(name: str, plans: Plans, terms: FloatArray, w: FloatArray) -> Valuation:
    value = float(terms.mean())
    return Valuation(name, value, terms - value, w, _binary(plans, 1.0))
