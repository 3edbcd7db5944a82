"""What a recorded decision hangs on. It is computed when somebody asks why, not when deciding, which must stay fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arbitration.counterfactual import counterfactuals
from arbitration.domain import Context, Estimates
from arbitration.explanation import Counterfactual, Sensitivity
from arbitration.policy import Policy
from arbitration.sensitivity import sensitivity
from serving.estimates import estimates
from serving.records import Record

if TYPE_CHECKING:
    from training.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Weighed:
    """Which part of the value decides, and what would change the decision; nothing of both for who objected."""

    sensitivity: Sensitivity | None = None
    counterfactuals: tuple[Counterfactual, ...] = ()


UNWEIGHED = Weighed()


def weigh(record: Record, policy: Policy, bundle: Bundle | None = None) -> Weighed:
    """The decision, weighed. Models of `bundle` say what they believe of a changed customer if it is the bundle that decided."""
    return Weighed(
        sensitivity(record.decision, record.estimates, policy),
        counterfactuals(
            record.context,
            record.estimates,
            policy,
            record.decision,
            draw=record.draw,
            believe=_belief(record, policy, bundle),
        ),
    )


def _belief(record: Record, policy: Policy, bundle: Bundle | None) -> Callable[[Context], Estimates] | None:
    if bundle is None or bundle.digest != record.bundle:
        return None

    def believed(context: Context) -> Estimates:
        return estimates(bundle, policy, context, record.now)

    return believed
