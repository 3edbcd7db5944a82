"""The vocabulary: every noun of a decision, one word per thing (see `docs/vocabulary.md`). Import nouns from here.

All types are frozen. Money is a float in the shop's currency. Every moment is an aware `datetime` in UTC;
local time exists only inside the gates and the window builder, through the customer's IANA time zone.
"""

from __future__ import annotations

from arbitration.answer import PARTS, Arm, Decision, Plan, PlanStep, Ranked, Reason, Rejection, Stage, Value
from arbitration.estimate import Attribution, Contribution, Estimate, Estimates, LikelyCategory
from arbitration.explanation import Explanation
from arbitration.situation import (
    EVERY_CHANNEL,
    SILENCE,
    Candidate,
    Consent,
    ConsentState,
    Consequence,
    Contact,
    Context,
    CustomerId,
    FeatureValue,
    Kind,
    LegalBasis,
    Offer,
    Purpose,
    SendWindow,
    Treatment,
    Trigger,
)

__all__ = [
    "EVERY_CHANNEL",
    "PARTS",
    "SILENCE",
    "Arm",
    "Attribution",
    "Candidate",
    "Consent",
    "ConsentState",
    "Consequence",
    "Contact",
    "Context",
    "Contribution",
    "CustomerId",
    "Decision",
    "Estimate",
    "Estimates",
    "Explanation",
    "FeatureValue",
    "Kind",
    "LegalBasis",
    "LikelyCategory",
    "Offer",
    "Plan",
    "PlanStep",
    "Purpose",
    "Ranked",
    "Reason",
    "Rejection",
    "SendWindow",
    "Stage",
    "Treatment",
    "Trigger",
    "Value",
]
