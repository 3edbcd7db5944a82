"""What answers each path below /v1: one line per endpoint, from the admitted request to a status and bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving import changes, journeys, reservations, reserved, rights
from serving.auth import Client
from serving.consents import receive_consent
from serving.decisions import Reply, decide_for
from serving.outcomes import report
from serving.reading import explanation_of, record_of
from serving.replay import replay_of
from serving.steps import reserve_step

if TYPE_CHECKING:
    from serving.bootstrap import Runtime


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted request, with its body read."""

    runtime: Runtime
    client: Client
    body: bytes
    path: dict[str, str]
    query: dict[str, str]


Handler = Callable[[Call], Reply]
_DECISION = "/v1/decisions/{decision_id}"
_HELD = "/v1/reservations/{reservation_id}"
_JOURNEY = "/v1/journeys/{journey}"
HANDLERS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/decisions", lambda it: decide_for(it.runtime, it.client, it.body)),
    ("GET", _DECISION, lambda it: (200, record_of(it.runtime, it.path["decision_id"]))),
    (
        "GET", f"{_DECISION}/explanation",
        lambda it: (200, explanation_of(it.runtime, it.path["decision_id"], it.query)),
    ),
    ("POST", f"{_DECISION}/replay", lambda it: (200, replay_of(it.runtime, it.path["decision_id"], it.body))),
    ("POST", "/v1/outcomes", lambda it: report(it.runtime, it.body)),
    ("POST", "/v1/reservations", lambda it: reserve_step(it.runtime, it.client, it.body)),
    ("GET", _HELD, lambda it: reserved.show(it.runtime, it.path["reservation_id"])),
    (
        "POST", f"{_HELD}/confirm",
        lambda it: reservations.confirm(it.runtime, it.client, it.path["reservation_id"], it.body),
    ),
    (
        "POST", f"{_HELD}/release",
        lambda it: reservations.release(it.runtime, it.client, it.path["reservation_id"], it.body),
    ),
    (
        "POST", f"{_HELD}/review",
        lambda it: reservations.review(it.runtime, it.client, it.path["reservation_id"], it.body),
    ),
    ("GET", "/v1/reviews", lambda it: reserved.reviews(it.runtime)),
    ("POST", "/v1/consents", lambda it: receive_consent(it.runtime, it.body)),
    ("POST", "/v1/objections", lambda it: rights.receive_objection(it.runtime, it.body)),
    ("POST", "/v1/pauses", lambda it: rights.receive_pause(it.runtime, it.body)),
    ("POST", "/v1/erasures", lambda it: rights.receive_erasure(it.runtime, it.body)),
    ("GET", "/v1/erasures/{erasure_id}", lambda it: (200, rights.erasure_of(it.runtime, it.path["erasure_id"]))),
    ("POST", "/v1/exports", lambda it: rights.export_for(it.runtime, it.client, it.body)),
    ("GET", "/v1/journeys", lambda it: journeys.show(it.runtime)),
    ("POST", f"{_JOURNEY}/stop", lambda it: journeys.stop(it.runtime, it.client, it.path["journey"], it.body)),
    ("POST", f"{_JOURNEY}/resume", lambda it: journeys.resume(it.runtime, it.client, it.path["journey"], it.body)),
    ("GET", "/v1/changes", lambda it: changes.show(it.runtime)),
)  # fmt: skip
