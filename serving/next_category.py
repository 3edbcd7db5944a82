"""What a message may be about: the next category as it is estimated, told in the answer, and taken apart.

It enters no value and no choice: `arbitration.decide` never reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arbitration.domain import Attribution, Context, Decision, Estimates, LikelyCategory
from training.categories import HISTORY

if TYPE_CHECKING:
    from training.bundle import Bundle
    from training.categories import NextCategory

SHOWN = ("message", "module")
"""Kinds of treatments that show the customer something whose content the caller chooses."""


def likeliest(model: NextCategory | None, context: Context) -> LikelyCategory | None:
    """The likeliest category; None without a model or a purchase that names categories in half a year."""
    history = context.features.get(HISTORY)
    if model is None or not isinstance(history, str):
        return None
    category, chance = model.chances(history)[0]
    return LikelyCategory(category, chance, f"next_category {model.version}", 2)


def told_category(decision: Decision, believed: Estimates) -> LikelyCategory | None:
    """What the answer says: nothing unless something is shown to the customer."""
    shown = decision.winner is not None and decision.winner.candidate.treatment.kind in SHOWN
    return believed.next_category if shown else None


def attribution(
    bundle: Bundle | None, context: Context, decision: Decision, believed: Estimates
) -> tuple[Attribution, ...]:
    """What moved the model toward the category that is told; empty where none is."""
    likely, history = told_category(decision, believed), context.features.get(HISTORY)
    if bundle is None or bundle.next_category is None or likely is None or not isinstance(history, str):
        return ()
    found = bundle.next_category.attribute(history, likely.category)
    return (found,) if found else ()
