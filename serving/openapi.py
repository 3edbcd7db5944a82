"""The published description of the HTTP interface: OpenAPI 3.1, made from the same classes that check and answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving import schemas_reservations as held
from serving import schemas_rights as rights
from serving.answer_shapes import DecisionAnswer, OutcomeAnswer, ProblemBody
from serving.replay import ReplayAnswer
from serving.schemas import DecisionRequest, OutcomeReport

INTERFACE = "1.1.0"
READERS = ("marketer", "scientist", "associate", "customer")
LANGUAGES = ("en", "de")
_PROBLEMS = {
    "400": "The request cannot be read",
    "401": "No valid API key",
    "403": "The key's role does not allow it",
    "404": "No such thing",
    "405": "This path answers to other methods",
    "408": "The request came too slowly",
    "409": "Not as things are now: in flight (see Retry-After), or the reservation cannot be moved that way (see the code)",
    "410": "Its customer was erased",
    "413": "The body is larger than 1 MiB",
    "414": "The address is too long",
    "415": "Not application/json",
    "422": "A field is wrong, an id was used for another body, or a decision cannot be replayed",
    "429": "Too many requests; see Retry-After",
    "431": "The head of the request is too large",
    "500": "A fault of the service; its log has the details",
    "503": "Not available at the moment; see Retry-After",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One method on one path: what is asked, what is answered, and with which statuses."""

    method: str
    path: str
    summary: str
    asks: type[BaseModel] | None = None
    answers: type[BaseModel] | None = None
    statuses: tuple[str, ...] = ("200",)
    media: str = "application/json"


_READ_BY = (("lang", LANGUAGES), ("for", READERS))
_QUERIES: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {"/v1/decisions/{decision_id}/explanation": _READ_BY}
_DECISION = "/v1/decisions/{decision_id}"
_HELD = "/v1/reservations/{reservation_id}"
CALLS = (
    Call("POST", "/v1/decisions", "Decide for one customer now; idempotent by request_id", DecisionRequest, DecisionAnswer),
    Call("GET", _DECISION, "The record of a decision"),
    Call("GET", f"{_DECISION}/explanation", "Why, for one reader and in one language"),
    Call("POST", f"{_DECISION}/replay", "Decide again from the recorded inputs; the body is empty or {}", None, ReplayAnswer),
    Call(
        "POST", "/v1/outcomes", "Report what was observed; idempotent by source and id; 202: the decision is not known here",
        OutcomeReport, OutcomeAnswer, ("200", "202"),
    ),
    Call(
        "POST", "/v1/reservations", "Take the place of a later step of a plan, judged as things are now; idempotent by request_id",
        held.StepRequest, held.StepAnswer, ("201",),
    ),
    Call("POST", f"{_HELD}/confirm", "The contact is being sent now", held.ConfirmRequest, held.ReservationAnswer),
    Call("POST", f"{_HELD}/release", "The contact will not be sent", held.ReleaseRequest, held.ReservationAnswer),
    Call("POST", f"{_HELD}/review", "A person allows or refuses the contact", held.ReviewRequest, held.ReservationAnswer),
    Call(
        "POST", "/v1/consents", "Consent with its evidence, refusal or withdrawal; idempotent by source and id",
        rights.ConsentReport, rights.ConsentAnswer,
    ),
    Call("POST", "/v1/objections", "Objection to marketing, or its end", rights.ObjectionReport, rights.ObjectionAnswer),
    Call("POST", "/v1/pauses", "No marketing for a while", rights.PauseReport, rights.PauseAnswer),
    Call("POST", "/v1/erasures", "Forget a customer", rights.ErasureRequest, rights.ErasureAnswer, ("202",)),
    Call("GET", "/v1/erasures/{erasure_id}", "How far an erasure is", None, rights.ErasureAnswer),
    Call("POST", "/v1/exports", "All that is known of a customer", rights.ExportRequest),
    Call("GET", "/metrics", "Counters in Prometheus text", media="text/plain"),
    Call("GET", "/openapi.json", "This document"),
)  # fmt: skip


def document() -> dict[str, Any]:
    """The whole document."""
    asked = {call.asks for call in CALLS if call.asks}
    answered = {call.answers for call in CALLS if call.answers} | {ProblemBody}
    by_name = sorted(asked, key=lambda model: model.__name__), sorted(answered, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "validation") for model in by_name[0]] + [(model, "serialization") for model in by_name[1]],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Dirigent", "version": INTERFACE, "description": "One customer, one moment, one decision."},
        "security": [{"key": []}],
        "paths": _paths(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for call in CALLS:
        found.setdefault(call.path, {})[call.method.lower()] = _call(call)
    return found | {
        "/livez": {"get": _open("The process runs")},
        "/readyz": {"get": _open("Decisions can be made: models, feature store and ledger answer")},
    }


def _parameters(path: str) -> Iterator[dict[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield _parameter(part.strip("{}"), "path", {"type": "string"})
    for name, allowed in _QUERIES.get(path, ()):
        yield _parameter(name, "query", {"enum": list(allowed), "default": allowed[0]})


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _call(call: Call) -> dict[str, Any]:
    answer = {"$ref": f"#/components/schemas/{call.answers.__name__}"} if call.answers else {}
    done = {"description": "Done", "content": {call.media: {"schema": answer}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    found: dict[str, Any] = {
        "summary": call.summary,
        "responses": dict.fromkeys(call.statuses, done)
        | {code: {"description": text, "content": problem} for code, text in _PROBLEMS.items()},
    }
    if call.asks:
        schema = {"schema": {"$ref": f"#/components/schemas/{call.asks.__name__}"}}
        found["requestBody"] = {"required": True, "content": {"application/json": schema}}
    parameters = list(_parameters(call.path))
    return found | ({"parameters": parameters} if parameters else {})


def _open(summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": "Yes"}, "503": {"description": "No"}},
    }
