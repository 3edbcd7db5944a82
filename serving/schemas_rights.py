"""The shape of what a person said of their own data: consents, objections, pauses, erasures and access; and of the answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, model_validator

from serving.answer_shapes import Moment as ToldMoment
from serving.answer_shapes import Shape
from serving.ledger.consents import CONDITIONS
from serving.schemas import SHA256, CustomerRef, Identifier, Moment, Name, Strict

State = Literal["granted", "denied", "withdrawn"]
Basis = Literal["consent", "existing_customer_7_3", "contract"]
PauseReason = Literal["bereavement", "complaint", "dispute"]
# The grounds of GDPR Art. 17(1), without (f), which is about children's services.
Ground = Literal["no_longer_needed", "consent_withdrawn", "objection", "unlawful", "legal_obligation"]
GROUNDS: tuple[str, ...] = get_args(Ground)


class Said(Strict):
    """What a person said, as a source reports it; `source` and `id` together name the report, which counts once."""

    id: Identifier
    source: Identifier
    customer: CustomerRef


class Conditions(Strict):
    """The four conditions of UWG section 7(3); all must hold."""

    obtained_with_sale: bool
    own_similar_goods: bool
    informed_each_time: bool
    not_objected: bool


class EvidenceGiven(Strict):
    """What proves a consent: the text (its id and SHA-256), where it was asked, when, and when it was confirmed."""

    text_id: Identifier
    text_sha256: Annotated[str, Field(pattern=SHA256)]
    source: Identifier
    requested_at: Moment
    confirmed_at: Moment | None = None
    reference: Identifier | None = None
    conditions: Conditions | None = None

    @model_validator(mode="after")
    def _in_order(self) -> EvidenceGiven:
        if self.confirmed_at is not None and self.confirmed_at < self.requested_at:
            raise ValueError("confirmed_at not before requested_at")
        return self


def _only(**fixed: str) -> dict[str, Any]:
    """JSON Schema of fields that hold exactly these texts."""
    return {name: {"const": text} for name, text in fixed.items()}


def _left_out(*names: str) -> dict[str, Any]:
    """JSON Schema of fields that are not given."""
    return {name: {"type": "null"} for name in names}


def _grant_by(basis: Basis, **more: Any) -> dict[str, Any]:
    return {
        "title": f"Granted: {basis}",
        "required": ["channel", "legal_basis", "evidence"],
        "properties": _only(state="granted", legal_basis=basis)
        | {"channel": {"type": "string"}, "evidence": {"type": "object"}}
        | _left_out("confirms", "confirmed_at")
        | more,
    }


_ALL_TRUE = {
    "type": "object",
    "required": ["conditions"],
    "properties": {"conditions": {"type": "object", "properties": {name: {"const": True} for name in CONDITIONS}}},
}
# What `ConsentReport` checks across its fields, for whoever reads the published document; the order of moments is not said there.
_CONSENT_FORMS: list[Any] = [
    _grant_by("consent"),
    _grant_by("contract", purpose={"const": "service"})
    | {"required": ["channel", "purpose", "legal_basis", "evidence"]},
    _grant_by("existing_customer_7_3", evidence=_ALL_TRUE, **_only(channel="email", purpose="marketing")),
    {
        "title": "Confirmed",
        "required": ["confirms", "confirmed_at"],
        "properties": _only(state="granted")
        | {"confirms": {"type": "string"}, "confirmed_at": {"type": "string"}}
        | _left_out("channel", "brand", "legal_basis", "evidence", "valid_to"),
    },
    {
        "title": "Denied or withdrawn",
        "properties": {"state": {"enum": ["denied", "withdrawn"]}}
        | _left_out("legal_basis", "valid_to", "confirms", "confirmed_at"),
    },
]


class ConsentReport(Said):
    """A consent, a refusal or a withdrawal.

    A grant brings `channel`, `legal_basis` and `evidence`; or it confirms an earlier one that waited for its double opt-in, by
    `confirms` and `confirmed_at` alone. A refusal or withdrawal without `channel` is for every channel.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": _CONSENT_FORMS})

    channel: Name | None = None
    purpose: Literal["marketing", "service"] = "marketing"
    state: State
    brand: Name | None = None
    legal_basis: Basis | None = None
    evidence: EvidenceGiven | None = None
    valid_to: Moment | None = None
    confirms: Identifier | None = None
    confirmed_at: Moment | None = None

    @model_validator(mode="after")
    def _whole(self) -> ConsentReport:
        if (self.confirms is None) != (self.confirmed_at is None):
            raise ValueError("confirms and confirmed_at together")
        if self.confirms is not None:
            self._only_confirms()
        elif self.state == "granted":
            self._proves()
        elif self.legal_basis is not None or self.valid_to is not None:
            raise ValueError("neither legal_basis nor valid_to, unless the state is granted")
        return self

    def _only_confirms(self) -> None:
        others = (self.channel, self.brand, self.legal_basis, self.evidence, self.valid_to)
        if self.state != "granted" or any(one is not None for one in others):
            raise ValueError("a confirmation has the state granted and none of what the request for it brought")

    def _proves(self) -> None:
        if self.channel is None or self.legal_basis is None or self.evidence is None:
            raise ValueError("with the state granted also channel, legal_basis and evidence")
        if self.valid_to is not None and self.valid_to <= (self.evidence.confirmed_at or self.evidence.requested_at):
            raise ValueError("valid_to after the consent begins")
        if self.legal_basis == "contract" and self.purpose != "service":
            raise ValueError("purpose service with the legal basis contract")
        if self.legal_basis == "existing_customer_7_3":
            if (self.channel, self.purpose) != ("email", "marketing"):
                raise ValueError("existing_customer_7_3 for marketing by email alone")
            given = self.evidence.conditions
            if given is None or not all(getattr(given, name) for name in CONDITIONS):
                raise ValueError(f"evidence.conditions, all true, for existing_customer_7_3: {', '.join(CONDITIONS)}")


class ObjectionReport(Said):
    """An objection to direct marketing (GDPR Art. 21(2)), or that it was taken back."""

    state: Literal["objected", "lifted"]


class PauseReport(Said):
    """Nothing speaks to the customer before `until`; the last word holds."""

    until: Moment
    reason: PauseReason


class ErasureRequest(Said):
    """Forget the customer (GDPR Art. 17)."""

    reason: Ground


class ExportRequest(Strict):
    """Tell all that is known of the customer (GDPR Art. 15)."""

    customer: CustomerRef


class KeptConsent(Shape):
    """One channel's consent. `missing` says what it still needs to be one, such as "confirmation"."""

    consent_id: str
    channel: str
    purpose: str
    state: State
    valid_from: ToldMoment
    missing: str | None = None


class ConsentAnswer(Shape):
    """The answer to a consent. Of a customer who was erased nothing is kept: `kept` is false and nothing is allowed anyway."""

    id: str
    source: str
    kept: bool
    consents: list[KeptConsent]


class ObjectionAnswer(Shape):
    """The answer to an objection; it held when this was sent. `released` counts reservations that were given back."""

    id: str
    source: str
    state: Literal["objected", "lifted"]
    kept: bool
    released: int


class PauseAnswer(Shape):
    """The answer to a pause."""

    id: str
    source: str
    until: ToldMoment
    reason: PauseReason
    kept: bool
    released: int


class ErasureAnswer(Shape):
    """How far an erasure is. With `forgotten` nothing can be decided or read any more, while files may still hold rows."""

    erasure_id: str
    state: Literal["forgotten", "done"]
    requested_at: ToldMoment
    done_at: ToldMoment | None = None
