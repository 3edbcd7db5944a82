"""Every call that is published: what is asked, what is answered, with which statuses. `serving.openapi` makes the document of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from serving import changes, journeys
from serving import schemas_reading as told
from serving import schemas_reservations as held
from serving import schemas_rights as rights
from serving.answer_shapes import DecisionAnswer, OutcomeAnswer
from serving.replay import ReplayAnswer
from serving.schemas import DecisionRequest, OutcomeReport, Strict

READERS = ("marketer", "scientist", "associate", "customer")
LANGUAGES = ("en", "de")
PROBLEMS: Mapping[str, str] = {
    "400": "The request cannot be read, or has a wrong parameter",
    "401": "No valid API key",
    "403": "The key's role does not allow it, or nobody reviews what they asked for themselves",
    "404": "No such thing",
    "408": "The request came too slowly",
    "409": "Not as things are now: in flight (then with Retry-After), or what the code says",
    "410": "Its customer was erased",
    "413": "The body is larger than 1 MiB",
    "414": "The address is too long",
    "415": "Not application/json, or compressed",
    "422": "A field is wrong, an id was used for another body, or a decision cannot be replayed",
    "429": "Too many requests",
    "431": "The head of the request is too large",
    "500": "A fault of the service; its log has the details",
    "503": "Not available at the moment",
}
ANYWHERE = ("408", "413", "414", "415", "429", "431", "500", "503")
_WITH_KEY = ("400", "401", "403", *ANYWHERE)


class EmptyRequest(Strict):
    """An empty object. Where a replay is asked for, no body at all says the same."""


@dataclass(frozen=True, slots=True)
class Call:
    """One method on one path: what is asked, what is answered, and with which statuses. `problems` come on top of those that any
    call with a key may get; a path with a parameter may name nothing, a body may have wrong fields.
    """

    method: str
    path: str
    summary: str
    asks: type[BaseModel] | None = None
    answers: type[BaseModel] | None = None
    statuses: tuple[str, ...] = ("200",)
    problems: tuple[str, ...] = ()
    media: str = "application/json"

    @property
    def refusals(self) -> tuple[str, ...]:
        """The statuses of all problems that may be answered, in order."""
        more = (("404",) if "{" in self.path else ()) + (("422",) if self.asks else ())
        return tuple(sorted({*_WITH_KEY, *more, *self.problems}))


_READ_BY = (("lang", LANGUAGES), ("for", READERS))
QUERIES: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {"/v1/decisions/{decision_id}/explanation": _READ_BY}
_DECISION = "/v1/decisions/{decision_id}"
_HELD = "/v1/reservations/{reservation_id}"
_JOURNEY = "/v1/journeys/{journey}"
CALLS = (
    Call(
        "POST", "/v1/decisions", "Decide for one customer now; idempotent by request_id",
        DecisionRequest, DecisionAnswer, problems=("409", "410"),
    ),
    Call("GET", _DECISION, "The record of a decision", None, told.RecordAnswer, problems=("410",)),
    Call(
        "GET", f"{_DECISION}/explanation", "Why, for one reader and in one language",
        None, told.ExplanationAnswer, problems=("410",),
    ),
    Call(
        "POST", f"{_DECISION}/replay", "Decide again from the recorded inputs; the body is empty or {}",
        EmptyRequest, ReplayAnswer, problems=("410",),
    ),
    Call(
        "POST", "/v1/outcomes", "Report what was observed; idempotent by source and id; 202: it fits no decision that is known here",
        OutcomeReport, OutcomeAnswer, ("200", "202"), ("409", "410"),
    ),
    Call(
        "POST", "/v1/reservations", "Take the place of a later step of a plan, judged as things are now; idempotent by request_id",
        held.StepRequest, held.StepAnswer, ("201",), ("404", "409", "410"),
    ),
    Call("GET", _HELD, "A reservation as it is now", None, held.ReservationAnswer, problems=("410",)),
    Call(
        "POST", f"{_HELD}/confirm", "The contact is being sent now",
        held.ConfirmRequest, held.ReservationAnswer, problems=("409", "410"),
    ),
    Call(
        "POST", f"{_HELD}/release", "The contact will not be sent",
        held.ReleaseRequest, held.ReservationAnswer, problems=("409", "410"),
    ),
    Call(
        "POST", f"{_HELD}/review", "A person allows or refuses the contact",
        held.ReviewRequest, held.ReservationAnswer, problems=("409", "410"),
    ),
    Call("GET", "/v1/reviews", "The reservations that wait for a person, the most urgent first", None, held.ReviewsAnswer),
    Call(
        "POST", "/v1/consents", "Consent with its evidence, refusal or withdrawal; idempotent by source and id",
        rights.ConsentReport, rights.ConsentAnswer, problems=("409",),
    ),
    Call(
        "POST", "/v1/objections", "Objection to marketing, or its end; idempotent by source and id",
        rights.ObjectionReport, rights.ObjectionAnswer, problems=("409",),
    ),
    Call(
        "POST", "/v1/pauses", "Nothing is sent for a while, until a moment (in the past: the pause ends); idempotent by source and id",
        rights.PauseReport, rights.PauseAnswer, problems=("409",),
    ),
    Call(
        "POST", "/v1/erasures", "Forget a customer; idempotent by source and id",
        rights.ErasureRequest, rights.ErasureAnswer, ("202",), ("409",),
    ),
    Call("GET", "/v1/erasures/{erasure_id}", "How far an erasure is", None, rights.ErasureAnswer),
    Call("POST", "/v1/exports", "All that is known of a customer", rights.ExportRequest, told.ExportAnswer),
    Call("GET", "/v1/journeys", "Every journey: whether it may speak, how often it did this hour", None, journeys.JourneysAnswer),
    Call("POST", f"{_JOURNEY}/stop", "Let a journey speak no more from now on", journeys.StopRequest, journeys.JourneyAnswer),
    Call("POST", f"{_JOURNEY}/resume", "Let a stopped journey speak again", journeys.StopRequest, journeys.JourneyAnswer),
    Call("GET", "/v1/changes", "The last changes of catalog and models, the newest first", None, changes.ChangesAnswer),
    Call("GET", "/openapi.json", "This document"),
    Call("GET", "/metrics", "Counters in Prometheus text", media="text/plain"),
)  # fmt: skip
