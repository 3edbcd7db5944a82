"""Journeys as the service sees them: which may speak, how much they spoke this hour, and the switch that stops one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from serving.answer_shapes import Moment, Shape, Text
from serving.auth import Client
from serving.ledger import volume
from serving.ledger.volume import Stop
from serving.logs import log
from serving.problems import not_found
from serving.schemas import SENTENCE, Strict, parse

if TYPE_CHECKING:
    from serving.bootstrap import Runtime

Reply = tuple[int, bytes]


class StopRequest(Strict):
    """Why a journey is stopped, or may speak again, for whoever asks later. No address and no number of a person fits."""

    reason: Annotated[str, Field(pattern=SENTENCE)]


class StopAnswer(Shape):
    """Since when a journey is stopped, who said so and why. `automatic`: its own volume did."""

    since: Moment
    by: str
    reason: str
    automatic: bool


class JourneyAnswer(Shape):
    """One journey. `contacts_this_hour` counts reservations of this hour, of all customers; it stops by itself at `hourly_limit`.
    Both are left out where no volume is planned (`hourly_plan`).
    """

    id: str
    name: Text
    purpose: str
    stopped: StopAnswer | None = None
    contacts_this_hour: int | None = None
    hourly_plan: int | None = None
    hourly_limit: int | None = None


class JourneysAnswer(Shape):
    """All journeys of the catalog, and those that are stopped and no longer in it, by id."""

    journeys: list[JourneyAnswer]


def journeys_of(runtime: Runtime) -> JourneysAnswer:
    """Every journey as it is now. Raises `LedgerError`."""
    with runtime.ledger.reading() as reading:
        stops, counts = volume.stopped(reading), volume.this_hour(reading, reading.now())
    names = sorted({*runtime.policy.journeys, *stops})
    return JourneysAnswer(journeys=[_answer(runtime, name, stops.get(name), counts.get(name, 0)) for name in names])


def show(runtime: Runtime) -> Reply:
    """GET /v1/journeys."""
    return 200, journeys_of(runtime).body()


def stop(runtime: Runtime, client: Client, journey: str, body: bytes) -> Reply:
    """Stop a journey: it is in no decision from the next one on, and what it reserved cannot be confirmed. One that is stopped
    already stays so. Raises `Problem` (404, 422).
    """
    request, _plain = parse(StopRequest, body)
    _check(runtime, journey)
    found = runtime.ledger.write(None, lambda tx: volume.stop(tx, journey, by=client.name, reason=request.reason))
    note(found)
    return 200, _one(runtime, journey)


def resume(runtime: Runtime, client: Client, journey: str, body: bytes) -> Reply:
    """Let a stopped journey speak again; one that is not stopped goes on. Raises `Problem` (404, 422)."""
    request, _plain = parse(StopRequest, body)
    _check(runtime, journey)
    if runtime.ledger.write(None, lambda tx: volume.resume(tx, journey, by=client.name, reason=request.reason)):
        log.warning("a journey was resumed", journey=journey, by=client.name)
    return 200, _one(runtime, journey)


def note(found: Stop) -> None:
    """Tell operators, after the commit, that a journey is stopped."""
    log.warning("a journey is stopped", journey=found.journey, by=found.by, automatic=found.automatic)


def _check(runtime: Runtime, journey: str) -> None:
    """A journey that left the catalog while it was stopped can still be resumed. Raises `Problem` (404)."""
    if journey in runtime.policy.journeys:
        return
    with runtime.ledger.reading() as reading:
        if journey not in reading.stopped():
            raise not_found("journey")


def _one(runtime: Runtime, journey: str) -> bytes:
    with runtime.ledger.reading() as reading:
        found, counts = volume.stopped(reading).get(journey), volume.this_hour(reading, reading.now())
    return _answer(runtime, journey, found, counts.get(journey, 0)).body()


def _answer(runtime: Runtime, name: str, found: Stop | None, contacts: int) -> JourneyAnswer:
    shown = (
        StopAnswer(since=found.since, by=found.by, reason=found.reason, automatic=found.automatic) if found else None
    )
    journey = runtime.policy.journeys.get(name)
    if journey is None:
        return JourneyAnswer(id=name, name=Text(de=name, en=name), purpose="marketing", stopped=shown)
    limit = volume.limit_of(journey, runtime.policy)
    return JourneyAnswer(
        id=name, name=Text(de=journey.name.de, en=journey.name.en), purpose=journey.purpose, stopped=shown,
        contacts_this_hour=None if limit is None else contacts, hourly_plan=journey.hourly_plan, hourly_limit=limit,
    )  # fmt: skip
