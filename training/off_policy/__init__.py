"""What another policy would have earned, from the log of the one that decided; and when the log cannot say.

In reading order: `log` holds logged decisions, checked once; `estimators` turns them into a value (IPS, SNIPS, DR, Switch-DR) and
`plans` does so for sequences of steps; `outcomes` fits the expected rewards that DR needs, cross-fitted; `intervals` says how
sure a value or a difference is, by customer; `ranking` compares policies, or refuses; `sequences` gives intervals that may be
looked at as often as one likes.
"""

from __future__ import annotations

from training.off_policy.estimators import Valuation, direct, dr, ips, snips, switch_dr
from training.off_policy.intervals import Difference, Interval, clustered, contrast, difference, interval, wilson
from training.off_policy.log import Caution, Log, LogError
from training.off_policy.outcomes import Expected, cross_fit, expected_rewards
from training.off_policy.plans import Plans, per_decision, plan_dr, weighted_per_decision
from training.off_policy.ranking import Comparison, Gate, Ranking, Refusal, holm, rank, refusal, weights_refusal
from training.off_policy.sequences import asymptotic_sequence, at_look, bernstein_sequence

__all__ = [
    "Caution",
    "Comparison",
    "Difference",
    "Expected",
    "Gate",
    "Interval",
    "Log",
    "LogError",
    "Plans",
    "Ranking",
    "Refusal",
    "Valuation",
    "asymptotic_sequence",
    "at_look",
    "bernstein_sequence",
    "clustered",
    "contrast",
    "cross_fit",
    "difference",
    "direct",
    "dr",
    "expected_rewards",
    "holm",
    "interval",
    "ips",
    "per_decision",
    "plan_dr",
    "rank",
    "refusal",
    "snips",
    "switch_dr",
    "weighted_per_decision",
    "weights_refusal",
    "wilson",
]
