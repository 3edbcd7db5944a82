"""The published description of the HTTP interface: OpenAPI 3.1, made from the same classes that check and answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.answer_shapes import DecisionAnswer, OutcomeAnswer, ProblemBody
from serving.replay import ReplayAnswer
from serving.schemas import DecisionRequest, OutcomeReport

INTERFACE = "1.0.0"
READERS = ("marketer", "scientist", "associate", "customer")
LANGUAGES = ("en", "de")
_PROBLEMS = {
    "400": "The request cannot be read",
    "401": "No valid API key",
    "403": "The key's role does not allow it",
    "404": "No such decision",
    "413": "The body is larger than 1 MiB",
    "415": "Not application/json",
    "422": "A field is wrong, the request_id (the outcome's id) was used for another body, or a decision cannot be replayed",
    "503": "Not available at the moment; see Retry-After",
}


def document() -> dict[str, Any]:
    """The whole document."""
    models: list[type[BaseModel]] = [
        DecisionRequest, OutcomeReport, DecisionAnswer, OutcomeAnswer, ReplayAnswer, ProblemBody
    ]  # fmt: skip
    _, schemas = models_json_schema(
        [(model, "validation") for model in models[:2]] + [(model, "serialization") for model in models[2:]],
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
    decision = [_parameter("decision_id", "path", {"type": "string"})]
    reader = [
        _parameter("lang", "query", {"enum": list(LANGUAGES), "default": LANGUAGES[0]}),
        _parameter("for", "query", {"enum": list(READERS), "default": READERS[0]}),
    ]
    return {
        "/v1/decisions": {
            "post": _call("Decide for one customer now; idempotent by request_id", "DecisionRequest", "DecisionAnswer")
        },
        "/v1/decisions/{decision_id}": {"get": _call("The record of a decision", parameters=decision)},
        "/v1/decisions/{decision_id}/explanation": {
            "get": _call("Why, for one reader and in one language", parameters=decision + reader)
        },
        "/v1/decisions/{decision_id}/replay": {
            "post": _call(
                "Decide again from the recorded inputs; the body is empty or {}",
                answers="ReplayAnswer",
                parameters=decision,
            )
        },
        "/v1/outcomes": {
            "post": _call("Report what was observed; idempotent by source and id", "OutcomeReport", "OutcomeAnswer")
        },
        "/livez": {"get": _open("The process runs")},
        "/readyz": {"get": _open("Decisions can be made: models, feature store and ledger answer")},
        "/metrics": {"get": _call("Counters in Prometheus text", media="text/plain")},
        "/openapi.json": {"get": _call("This document")},
    }


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _call(
    summary: str,
    asks: str | None = None,
    answers: str | None = None,
    *,
    parameters: list[dict[str, Any]] | None = None,
    media: str = "application/json",
) -> dict[str, Any]:
    answer = {"$ref": f"#/components/schemas/{answers}"} if answers else {}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    found: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": {"description": "Done", "content": {media: {"schema": answer}}}}
        | {code: {"description": text, "content": problem} for code, text in _PROBLEMS.items()},
    }
    if answers == "OutcomeAnswer":
        found["responses"]["202"] = found["responses"]["200"] | {"description": "Kept; the decision is not known here"}
    if asks:
        schema = {"schema": {"$ref": f"#/components/schemas/{asks}"}}
        found["requestBody"] = {"required": True, "content": {"application/json": schema}}
    return found | ({"parameters": parameters} if parameters else {})


def _open(summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": "Yes"}, "503": {"description": "No"}},
    }
