"""The value of a policy from another policy's log: IPS, SNIPS, the direct method, DR and Switch-DR.

With w_i = pi(a_i | x_i) / p_i, the chance of the logged arm under the judged policy over the logged probability, and q(x, a) an
expected reward that did not learn from the row's customer (`outcomes`). A value is a mean over the rows, so its error is, up to
smaller terms, the mean of an influence per row; that is what `intervals` needs, and what makes differences paired.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.off_policy.log import FloatArray, Log, LogError, check_policy


@dataclass(frozen=True)
class Valuation:
    """`value` per row in the reward's unit; `influence` (n,) with mean 0, whose mean over new data is the value's error.

    `weights` (n,) that multiplied the rewards; `binary` says that the value is a probability: every reward is 0 or 1.
    """

    estimator: str
    value: float
    influence: FloatArray
    weights: FloatArray
    binary: bool


def weights(log: Log, policy: FloatArray) -> FloatArray:
    """w, shape (n,), for `policy` (n, k) whose rows sum to 1; LogError where it is not such a policy."""
    check_policy(policy, (len(log), len(log.arms)))
    return np.asarray(policy[np.arange(len(log)), log.arm] / log.probability)


def ips(log: Log, policy: FloatArray) -> Valuation:
    """mean(w r): unbiased where every arm the policy may choose could be logged (Horvitz & Thompson 1952; Strehl et al. 2010).

    `policy` (n, k) row-wise distributions; the value is in the reward's unit. Raises LogError for a wrong policy.
    """
    w = weights(log, policy)
    return _mean("IPS", log, w * log.reward, w)


def snips(log: Log, policy: FloatArray) -> Valuation:
    """mean(w r) / mean(w): stays within the rewards' range (Swaminathan & Joachims 2015).

    Influence w (r - V) / mean(w), by the delta method. `policy` (n, k). Raises LogError for a wrong policy, and with code
    `not_a_distribution` where the policy never chooses what was logged, so that there is nothing to average.
    """
    w = weights(log, policy)
    total = float(w.mean())
    if total <= 0:
        raise LogError(
            "not_a_distribution", "the policy gives probability 0 to every logged arm", mend="nothing was seen of it"
        )
    value = float((w * log.reward).mean()) / total
    return Valuation("SNIPS", value, w * (log.reward - value) / total, w, log.binary)


def direct(log: Log, policy: FloatArray, expected: FloatArray) -> Valuation:
    """Mean over rows of sum_a pi(a | x) q(x, a): as right as the model `expected` (n, k), and as wrong (Dudik et al. 2014).

    Its influence is that of DR, see `switch_dr`; the model's bias is in no interval. Raises LogError for wrong shapes.
    """
    return replace(switch_dr(log, policy, expected, threshold=0.0), estimator="direct")


def dr(log: Log, policy: FloatArray, expected: FloatArray) -> Valuation:
    """mean(sum_a pi(a | x) q(x, a) + w (r - q(x, a_i))): unbiased for any q that did not see the row (Dudik et al. 2014).

    `policy` and `expected` (n, k), the latter in the reward's unit. Raises LogError for wrong shapes.
    """
    w = weights(log, policy)
    return _mean("DR", log, _modeled(policy, expected) + w * _residual(log, expected), w)


def switch_dr(log: Log, policy: FloatArray, expected: FloatArray, *, threshold: float) -> Valuation:
    """DR where w is at most `threshold`, the model alone beyond it: less variance, and a bias there (Wang, Agarwal & Dudik 2017).

    `policy` and `expected` (n, k); `threshold` 0 is the direct method, infinity is DR. The influence is that of DR, for the model
    has learned its values with an error too: a mean per kind of row errs just as DR does there, a smoother model less, so that
    the interval is as wide as it must be or wider. What it cannot hold is the model's bias. Raises LogError for wrong shapes or
    a negative threshold.
    """
    if not threshold >= 0:
        raise LogError("bad_setting", f"the threshold is {threshold}", mend="give a weight, 0 or more")
    whole = dr(log, policy, expected)
    switched = np.where(whole.weights > threshold, whole.weights, 0.0) * _residual(log, expected)
    return replace(whole, estimator="Switch-DR", value=whole.value - float(switched.mean()))


def _mean(name: str, log: Log, terms: FloatArray, w: FloatArray) -> Valuation:
    value = float(terms.mean())
    return Valuation(name, value, terms - value, w, log.binary)


def _modeled(policy: FloatArray, expected: FloatArray) -> FloatArray:
    if expected.shape != policy.shape or not np.isfinite(expected).all():
        raise LogError("shape", f"expected rewards have shape {expected.shape} or gaps, the policy {policy.shape}")
    return np.asarray((policy * expected).sum(axis=1))


def _residual(log: Log, expected: FloatArray) -> FloatArray:
    return np.asarray(log.reward - expected[np.arange(len(log)), log.arm])
