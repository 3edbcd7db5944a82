"""The gates in order: law and consent, contact policy, eligibility. A gate is one function; its name is the reason code.

A gate takes a candidate and the `Case`, and answers None (pass) or a `Verdict` (no). The first no counts. Two gates stand
earlier than their stage, because later ones could not ask their question: an unknown journey has no purpose, so no consent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from arbitration.domain import Candidate, Rejection, Stage
from arbitration.gates import consent, contact_policy, eligibility
from arbitration.gates.case import Case, Verdict

Scope = Literal["customer", "channel", "journey", "treatment"]


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate and its stage, and on what its verdict depends.

    `scope` names the part of the candidate it looks at, purpose included; `timed` says that it looks at the send window, too, and
    `after_steps` that a plan's earlier steps may turn its yes into a no.
    """

    stage: Stage
    check: Callable[[Candidate, Case], Verdict | None]
    scope: Scope
    timed: bool = False
    after_steps: bool = False

    @property
    def code(self) -> str:
        """The reason code: the function's name."""
        return self.check.__name__


GATES: tuple[Gate, ...] = (
    Gate("consent", consent.objection, "customer"),
    Gate("consent", consent.suppression, "customer"),
    Gate("eligibility", eligibility.unknown_journey, "treatment"),
    Gate("consent", consent.pause, "customer", timed=True),
    Gate("consent", consent.consent_missing, "channel", timed=True),
    Gate("consent", consent.consent_denied, "channel", timed=True),
    Gate("consent", consent.consent_withdrawn, "channel", timed=True),
    Gate("consent", consent.consent_expired, "channel", timed=True),
    Gate("consent", consent.consent_evidence_incomplete, "channel", timed=True),
    Gate("contact_policy", contact_policy.journey_stopped, "journey"),
    Gate("contact_policy", contact_policy.unknown_time_zone, "customer"),
    Gate("contact_policy", contact_policy.quiet_hours, "channel", timed=True),
    Gate("contact_policy", contact_policy.channel_cap, "channel", timed=True, after_steps=True),
    Gate("contact_policy", contact_policy.group_cap, "treatment", timed=True, after_steps=True),
    Gate("contact_policy", contact_policy.overall_cap, "channel", timed=True, after_steps=True),
    Gate("contact_policy", contact_policy.cool_down, "treatment", timed=True, after_steps=True),
    Gate("contact_policy", contact_policy.exclusive_group, "journey", timed=True, after_steps=True),
    Gate("contact_policy", contact_policy.live_winner, "channel"),
    Gate("contact_policy", contact_policy.channel_held, "channel", timed=True),
    Gate("eligibility", eligibility.channel_not_servable, "channel"),
    Gate("eligibility", eligibility.channel_unavailable, "channel"),
    Gate("eligibility", eligibility.trigger_missing, "journey"),
    Gate("eligibility", eligibility.trigger_expired, "journey", timed=True),
    Gate("eligibility", eligibility.not_eligible, "journey", timed=True),
    Gate("eligibility", eligibility.not_applicable, "journey", timed=True),
    Gate("eligibility", eligibility.not_suitable, "journey", timed=True),
    Gate("eligibility", eligibility.missing_feature, "journey", timed=True),
    Gate("eligibility", eligibility.out_of_stock, "treatment"),
    Gate("eligibility", eligibility.points_short, "treatment"),
)
AFTER_STEPS = tuple(gate for gate in GATES if gate.after_steps)


def rejection(candidate: Candidate, case: Case, gates: Iterable[Gate] = GATES) -> Rejection | None:
    """The first gate that says no, or None: the candidate may speak."""
    for gate in gates:
        verdict = gate.check(candidate, case)
        if verdict is not None:
            return Rejection(candidate, gate.stage, gate.code, verdict.free_at, verdict.missing, verdict.by)
    return None
