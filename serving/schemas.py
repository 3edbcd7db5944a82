"""The shape of requests: what a caller may ask and report. Unknown fields are refused; direct identifiers do not fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from features.registry import VIEWS
from serving import strict_json
from serving.problems import FieldError, field_path, invalid

# Pseudonymous ids only: no "@", "+" or space, so that an e-mail address, a phone number or a name cannot stand here.
IDENTIFIER, NAME = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$", r"^[a-z][a-z0-9_]{0,63}$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
Name = Annotated[str, Field(pattern=NAME)]
SENTENCE = r"^[^@+<>\x00-\x1f]{3,300}$"
"""What people write about a decision or a switch, not about a person: an address or a phone number does not fit."""
SHA256 = r"^[0-9a-f]{64}$"
_CURRENCY = r"^[A-Z]{3}$"
_PSEUDONYM = "a pseudonymous id or name: letters, digits, and . _ : - (no address, number or name of a person)"
_MEANT = {
    SHA256: "64 hexadecimal digits in lower case",
    SENTENCE: "a sentence of 3 to 300 characters without @ + < >",
    _CURRENCY: "three capital letters, such as USD",
}


_MOMENT = (
    r"^(20[0-9]{2}|2100)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_WRITTEN = re.compile(_MOMENT.removesuffix("$") + r"\Z", re.ASCII)


def _moment(told: object) -> datetime:
    """The moment that is written out. Nothing else counts: a number of seconds as text could as well be a phone number."""
    if isinstance(told, datetime) and told.tzinfo is not None and 2000 <= told.year <= 2100:
        return told
    if not isinstance(told, str) or not _WRITTEN.match(told):
        raise ValueError("a moment between 2000 and 2100 with its time zone, such as 2018-01-02T15:04:05Z")
    try:
        return datetime.fromisoformat(told)
    except ValueError:
        raise ValueError("a day that the calendar has") from None


Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _MOMENT}),
]


def _whole(told: object) -> object:
    """JSON has one kind of number: 4.0 is 4."""
    return int(told) if isinstance(told, float) and told.is_integer() else told


WHOLE = BeforeValidator(_whole)
_LARGEST = 1e9
_JSON_TYPES = {"string": "string", "int64": "integer", "float64": "number"}


def _situation() -> dict[str, Any]:
    """What a caller may know better than the last update, by name, as JSON Schema; `serving.context` checks the same."""
    known: dict[str, dict[str, Any]] = {}
    for one in VIEWS["context"].features:
        known[one.name] = {"type": _JSON_TYPES[one.dtype], "description": f"{one.meaning} ({one.unit})"}
        if one.dtype != "string":
            known[one.name]["minimum"] = -_LARGEST if one.low is None else one.low
            known[one.name]["maximum"] = _LARGEST if one.high is None else one.high
    return {"type": "object", "properties": known, "additionalProperties": False}


Situation = Annotated[dict[str, float | bool | str], Field(max_length=50), WithJsonSchema(_situation())]
OutcomeType = Literal[
    "delivered", "bounced", "opened", "clicked", "converted", "dismissed", "unsubscribed", "complained", "not_sent"
]


class Strict(BaseModel):
    """No conversion between types, no field that is not named."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Alias(Strict):
    """Another pseudonymous name of the customer, as the table `identities` holds it."""

    type: Name
    value: Identifier


def _either(schema: dict[str, Any]) -> None:
    """Rewrite the JSON Schema of `CustomerRef` into its two forms; the other field is left out or null."""
    given = {name: told["anyOf"][0] for name, told in schema.pop("properties").items()}
    schema.pop("additionalProperties")
    schema["oneOf"] = [
        {
            "type": "object",
            "properties": {name: given[name], other: {"type": "null"}},
            "required": [name],
            "additionalProperties": False,
        }
        for name, other in (("id", "alias"), ("alias", "id"))
    ]


class CustomerRef(Strict):
    """Who is decided for: exactly one of `id` and `alias`."""

    model_config = ConfigDict(json_schema_extra=_either)

    id: Identifier | None = None
    alias: Alias | None = None

    @model_validator(mode="after")
    def _one(self) -> CustomerRef:
        if (self.id is None) == (self.alias is None):
            raise ValueError("exactly one of id and alias")
        return self


class TriggerRef(Strict):
    """A journey that asks to speak now, and why."""

    journey: Identifier
    event_id: Identifier | None = None
    occurred_at: Moment | None = None
    expires_at: Moment | None = None


class DecisionRequest(Strict):
    """One question: which single journey may speak to this customer now?"""

    request_id: Identifier
    customer: CustomerRef
    decision_point: Name | None = None
    triggers: Annotated[list[TriggerRef], Field(max_length=50)] = []
    channels: Annotated[list[Name], Field(max_length=50)] = []
    context: Situation = {}
    mode: Literal["live", "shadow", "dry_run"] = "live"
    max_results: Annotated[int, Field(ge=1, le=1), WHOLE] = 1


class Money(Strict):
    """An amount in the shop's currency."""

    amount: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
    currency: Annotated[str, Field(pattern=_CURRENCY)]


class OutcomeReport(Strict):
    """What was observed for a step of a decision; `source` and `id` together name the observation."""

    id: Identifier
    source: Identifier
    decision_id: Identifier
    step: Annotated[int, Field(ge=0, le=9), WHOLE] = 0
    type: OutcomeType
    occurred_at: Moment
    value: Money | None = None


R = TypeVar("R", bound=Strict)


def parse(model: type[R], body: bytes) -> tuple[R, Any]:
    """The request in `body`, checked, and its plain JSON value; a `Problem` (400 or 422) names every wrong field."""
    plain = strict_json.read(body)
    try:
        return model.model_validate_json(body), plain
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise invalid(_wrong(found)[:20]) from None


def _wrong(found: Sequence[Any]) -> list[FieldError]:
    """One error per field: a value that fits none of several types is told all of them at once."""
    expected: dict[str, list[str]] = {}
    for one in found:
        expected.setdefault(field_path(_loc(one["loc"])), []).append(
            _expected(one, one.get("ctx", {}).get("pattern", ""))
        )
    return [FieldError(field, " or ".join(dict.fromkeys(texts))) for field, texts in expected.items()]


def _loc(parts: tuple[int | str, ...]) -> list[int | str]:
    """Pydantic's path without the types it tried in turn, which are no fields."""
    return [part for part in parts if part not in ("float", "bool", "str")]


def _expected(found: Any, pattern: str) -> str:
    if found["type"] == "extra_forbidden":
        return "no such field"
    if found["type"] == "missing":
        return "a value; it is required"
    if found["type"] == "string_pattern_mismatch":
        return _MEANT.get(pattern, _PSEUDONYM)
    return str(found["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
