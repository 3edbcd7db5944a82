"""The shape of what is read back: records, explanations and the export. They describe; what is sent is made where it is read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict

from serving.answer_shapes import DecisionAnswer, Moment, PostponedJourney, Shape
from serving.schemas_reservations import HeldStep


class SeenOutcome(Shape):
    """One outcome that was reported for the decision. Its own id is not told: the ledger keeps a hash of it alone."""

    source: str
    step: int
    type: str
    occurred_at: Moment
    value: float | None = None


class WaitingJourney(PostponedJourney):
    """A journey that was postponed: it waits, is due (the event went out), or is done, because another decision or the customer ended it."""

    state: Literal["waiting", "due", "done"]


class RecordAnswer(Shape):
    """The answer that was given, all that went into it (`record`, version and decision included), and what came of it since: every
    place that was taken for a step of its plan, the journeys that it postponed, and what was observed.
    """

    answer: DecisionAnswer
    record: dict[str, Any]
    outcomes: list[SeenOutcome]
    reservations: list[HeldStep]
    postponed: list[WaitingJourney]


class _Explanation(Shape):
    """What every reader is told; the rest depends on the reader."""

    model_config = ConfigDict(frozen=True, extra="allow")

    decision_id: str
    lang: Literal["en", "de"]
    simulated: bool


class ExplanationAnswer(_Explanation):
    """Why, for one reader: `marketer` and `scientist` get `headline`, `sentences`, `contributions`, `why_not`, `sensitivity`,
    `counterfactuals`, `plan` and `degraded`; `scientist` also every input and value; `associate` gets `store_summary`,
    `next_best_action` and perhaps `last_contact` and `tier`; `customer` gets `reasons`, `what_would_change_it` and `objection`.
    """

    headline: str | None = None
    sentences: list[str] | None = None
    store_summary: str | None = None
    reasons: list[str] | None = None
    what_would_change_it: list[str] | None = None
    objection: str | None = None


class ExportAnswer(Shape):
    """All that is kept of one customer, by where it lies: kind, table or feature view. Unknown customers get empty lists."""

    about: str
    customer_id: str
    made_at: Moment
    ledger: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]]
    features: dict[str, Any]
