"""Which policy is better, if the log can say so: first the gate, then paired differences, then Holm over all of them.

A refusal is a result, not an exception: it stands where the ranking would stand, and a caller has to look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from training.off_policy.estimators import Valuation, snips, weights
from training.off_policy.intervals import LEVEL, Difference, Interval, difference, effective, interval, standard_error
from training.off_policy.log import FloatArray, IntArray, Log, LogError

Estimator = Callable[[Log, FloatArray], Valuation]


@dataclass(frozen=True, slots=True)
class Gate:
    """What a log must hold before a policy is ranked on it.

    `customers`: effective number at least. `share`: of all weight, at most this in one customer. `drift`: the mean weight, which
    is 1 where the logged probabilities are right and reach all the policy does, within so many of its standard errors.
    `unsupported`: mean probability on arms the log never shows, at most. `events`: effective events and non-events at least,
    where rewards are 0 and 1.
    """

    customers: float = 50.0
    share: float = 0.10
    drift: float = 4.0
    unsupported: float = 0.001
    events: float = 5.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why `policy` may not be ranked on this log, and what was measured.

    `code` is `one_outcome`, `no_support`, `too_few_customers`, `one_customer_dominates`, `weights_off` or `too_few_events`.
    """

    code: str
    policy: str
    measured: float
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`first` against `second`: their paired difference, Holm's adjusted p-value, and whether it says they differ."""

    first: str
    second: str
    difference: Difference
    adjusted: float
    differ: bool


@dataclass(frozen=True)
class Ranking:
    """`values` from the best down; an order is proven only where the comparison says so. `refused` did not take part."""

    values: Mapping[str, Interval]
    comparisons: tuple[Comparison, ...]
    refused: tuple[Refusal, ...]


def refusal(log: Log, policy: FloatArray, name: str, gate: Gate | None = None) -> Refusal | None:
    """The first reason not to rank `policy` (n, k) on `log`, or None. Raises LogError for a policy that is none."""
    gate, w = gate or Gate(), weights(log, policy)
    if log.reward.min() == log.reward.max():
        return Refusal("one_outcome", name, float(log.reward[0]), "every logged reward is the same")
    if (lost := log.unsupported(policy)) > gate.unsupported:
        return Refusal("no_support", name, lost, f"{lost:.2%} of its choices are arms that the log never shows")
    return weights_refusal(w, log.clusters, name, gate) or _too_few_events(log, w, name, gate)


def weights_refusal(w: FloatArray, clusters: IntArray, name: str, gate: Gate | None = None) -> Refusal | None:
    """The part of the gate that weights alone decide, for plans too: `w` and `clusters` (n,), such as a valuation's weights."""
    gate = gate or Gate()
    if (count := effective(w, clusters)) < gate.customers:
        text = f"the log speaks for it with {count:.1f} effective customers, {gate.customers:g} are needed"
        return Refusal("too_few_customers", name, count, text)
    if (share := float(np.bincount(clusters, w).max() / w.sum())) > gate.share:
        return Refusal("one_customer_dominates", name, share, f"one customer carries {share:.1%} of all weight")
    mean, error = float(w.mean()), standard_error(w - w.mean(), clusters)
    if abs(mean - 1) > gate.drift * error + 1e-9:
        text = f"its mean weight is {mean:.3f} and not 1: logged probabilities are wrong or miss what it does"
        return Refusal("weights_off", name, mean, text)
    return None


def rank(
    log: Log,
    policies: Mapping[str, FloatArray],
    *,
    estimator: Estimator = snips,
    reference: str | None = None,
    gate: Gate | None = None,
    level: float = LEVEL,
) -> Ranking | Refusal:
    """Compare `policies` (name -> (n, k)) pair by pair, or each with `reference` alone, on what passes the gate.

    A Refusal instead of a Ranking where the reference, or all policies but one, cannot be ranked. `estimator` is `snips`, `ips`
    or a `functools.partial` of `dr` or `switch_dr` with its expected rewards. Raises LogError for policies that are none,
    `bad_setting` for fewer than two or an unknown reference.
    """
    if len(policies) < 2 or (reference is not None and reference not in policies):
        raise LogError(
            "bad_setting", f"policies {sorted(policies)} with reference {reference}", mend="name at least two"
        )
    refused = [found for name, policy in policies.items() if (found := refusal(log, policy, name, gate))]
    barred = {found.policy: found for found in refused}
    if reference in barred:
        return barred[str(reference)]
    values = {name: estimator(log, policy) for name, policy in policies.items() if name not in barred}
    if len(values) < 2:
        return refused[0]
    order = sorted(values, key=lambda name: -values[name].value)
    pairs = [pair for pair in combinations(order, 2) if reference is None or reference in pair]
    return Ranking(
        {name: interval(values[name], log.clusters, level) for name in order},
        _compare(log, values, pairs, level),
        tuple(refused),
    )


def holm(p: FloatArray) -> FloatArray:
    """Holm's (1979) adjusted p-values, shape (m,): rejecting those up to alpha errs anywhere with chance alpha at most.

    In ascending order max over the smaller ones of (m - rank) p, at most 1. Raises LogError `bad_setting` outside 0 to 1.
    """
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise LogError("bad_setting", "p-values must be numbers from 0 to 1 in one row")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def _compare(
    log: Log, values: Mapping[str, Valuation], pairs: list[tuple[str, str]], level: float
) -> tuple[Comparison, ...]:
    found = [difference(values[first], values[second], log.clusters, level) for first, second in pairs]
    adjusted = holm(np.array([each.p for each in found]))
    return tuple(
        Comparison(first, second, each, float(p), bool(p <= 1 - level))
        for (first, second), each, p in zip(pairs, found, adjusted, strict=True)
    )


def _too_few_events(log: Log, w: FloatArray, name: str, gate: Gate) -> Refusal | None:
    if not log.binary:
        return None
    counts = [effective(w * (log.reward == outcome), log.clusters) for outcome in (0.0, 1.0)]
    if min(counts) >= gate.events:
        return None
    text = f"{min(counts):.1f} effective customers with the rarer outcome, {gate.events:g} are needed"
    return Refusal("too_few_events", name, min(counts), text)
