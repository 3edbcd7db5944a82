"""The published description of the HTTP interface: OpenAPI 3.1, made from the same classes that check and answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from serving.answer_shapes import ProblemBody
from serving.calls import ANYWHERE, CALLS, LANGUAGES, PROBLEMS, QUERIES, READERS, Call

__all__ = ["INTERFACE", "LANGUAGES", "READERS", "document"]

INTERFACE = "1.3.0"
_WAIT = {"description": "Seconds after which to ask again", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
_HEADERS: dict[str, dict[str, Any]] = {
    "401": {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    "409": {"Retry-After": {**_WAIT, "required": False}},
    "429": {"Retry-After": {**_WAIT, "required": True}},
    "503": {"Retry-After": {**_WAIT, "required": True}},
}
_Model = tuple[type[Any], Literal["validation", "serialization"]]


class _Published(GenerateJsonSchema):
    """Answers leave out what is not known: nothing in them is null. Requests may say null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        if self.mode == "serialization":
            return self.generate_inner(schema["schema"])
        return super().nullable_schema(schema)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if self.mode == "serialization":
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def document() -> dict[str, Any]:
    """The whole document."""
    asked: set[type[Any]] = {call.asks for call in CALLS if call.asks}
    answered: set[type[Any]] = {call.answers for call in CALLS if call.answers} | {ProblemBody}
    models: list[_Model] = [(model, "validation") for model in sorted(asked, key=lambda model: model.__name__)]
    models += [(model, "serialization") for model in sorted(answered, key=lambda model: model.__name__)]
    _, schemas = models_json_schema(models, ref_template="#/components/schemas/{model}", schema_generator=_Published)
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
        "/livez": {"get": _open("The process runs", "alive")},
        "/readyz": {"get": _open("Decisions can be made: models, feature store and ledger answer", "ready")},
    }


def _parameters(path: str) -> Iterator[dict[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            yield _parameter(part.strip("{}"), "path", {"type": "string"})
    for name, allowed in QUERIES.get(path, ()):
        yield _parameter(name, "query", {"enum": list(allowed), "default": allowed[0]})


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _call(call: Call) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"} if call.media == "text/plain" else {"type": "object"}
    if call.answers:
        schema = {"$ref": f"#/components/schemas/{call.answers.__name__}"}
    done = {"description": "Done", "content": {call.media: {"schema": schema}}}
    found: dict[str, Any] = {
        "summary": call.summary,
        "responses": dict.fromkeys(call.statuses, done) | {status: _problem(status) for status in call.refusals},
    }
    if call.asks:
        asked = {"schema": {"$ref": f"#/components/schemas/{call.asks.__name__}"}}
        found["requestBody"] = {"required": True, "content": {"application/json": asked}}
    parameters = list(_parameters(call.path))
    return found | ({"parameters": parameters} if parameters else {})


def _problem(status: str) -> dict[str, Any]:
    told = {"$ref": "#/components/schemas/ProblemBody"}
    found: dict[str, Any] = {
        "description": PROBLEMS[status],
        "content": {"application/problem+json": {"schema": told}},
    }
    return found | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def _open(summary: str, word: str) -> dict[str, Any]:
    yes = {"description": "Yes", "content": {"text/plain": {"schema": {"type": "string", "example": f"{word}\n"}}}}
    return {
        "summary": summary,
        "security": [],
        "responses": {"200": yes} | {status: _problem(status) for status in ("400", *ANYWHERE)},
    }
