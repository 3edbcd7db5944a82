"""What became of a decision: the places of its steps and the journeys it postponed, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from arbitration.domain import Decision
from arbitration.naming import Naming
from arbitration.what_if import capital
from serving.console.rivals import CLAUSES
from serving.console.voice import Voice
from serving.reserved import Aftermath
from serving.schemas_reading import WaitingJourney
from serving.schemas_reservations import HeldStep


@dataclass(frozen=True, slots=True)
class PlaceLine:
    """One place of a step. `code` is its state as programs know it; `must_review`: a person has yet to answer."""

    id: str
    epoch: str
    code: str
    title: str
    treatment: str
    state: str
    why: tuple[str, ...]
    times: tuple[str, ...]
    must_review: bool


@dataclass(frozen=True, slots=True)
class WaitLine:
    """One journey that was postponed."""

    journey: str
    code: str
    reason: str
    free_at: str
    state: str


@dataclass(frozen=True, slots=True)
class Became:
    """The section of a decision's page. `states` says how the newest place of each step stands, by step."""

    places: tuple[PlaceLine, ...] = ()
    waits: tuple[WaitLine, ...] = ()

    def states(self, reservations: Iterable[HeldStep]) -> dict[int, str]:
        """Step -> the words for the newest of its places."""
        return {one.step: line.state for one, line in zip(reservations, self.places, strict=True)}


def became(after: Aftermath, decision: Decision, naming: Naming, voice: Voice) -> Became:
    """The view of what a decision set going."""
    titles = [naming.title(step.candidate.treatment) for step in decision.plan.steps]
    return Became(
        tuple(_place(one, titles[one.step], after.now, voice) for one in after.reservations),
        tuple(_wait(one, voice) for one in after.postponed),
    )


def over(one: HeldStep, now: datetime | None) -> bool:
    """Whether it is still marked as reserved, but its lease has run out: it counts nowhere, and the next sweep says so."""
    return one.state == "reserved" and now is not None and one.lease_until <= now


def _place(one: HeldStep, title: str, now: datetime | None, voice: Voice) -> PlaceLine:
    code = "expired" if over(one, now) else one.state
    waits = code == "reserved" and one.review == "required"
    return PlaceLine(
        id=one.reservation_id,
        epoch=voice.words("epoch", number=one.epoch),
        code=code,
        title=voice.words("step", number=one.step + 1),
        treatment=title,
        state=voice.words(f"state_{code}"),
        why=tuple(_why(one, code, voice)),
        times=tuple(_times(one, code, voice)),
        must_review=waits,
    )


def _why(one: HeldStep, code: str, voice: Voice) -> Iterable[str]:
    """Why it stands as it does: the person's verdict, and what settled it."""
    if one.review in ("approved", "rejected"):
        yield voice.words(f"review_{one.review}", reviewer=one.reviewer or "–", reason=one.review_reason or "–")
    if code == "reserved":
        yield voice.words("awaits_review" if one.review == "required" else "awaits_confirmation")
    elif one.settled_by is None:
        yield voice.words("lease_is_over")
    elif one.settled_by in CLAUSES:
        yield capital(voice.words.of(CLAUSES[one.settled_by])) + "."
    else:
        yield voice.words.known(f"by_{one.settled_by}", voice.words("by_code", code=one.settled_by))


def _times(one: HeldStep, code: str, voice: Voice) -> Iterable[str]:
    short = voice.formats.short
    if one.settled_at is not None:
        yield voice.words("settled_at", moment=short(one.settled_at))
    yield voice.words("counts_from" if code == "confirmed" else "planned_for", moment=short(one.send_at))
    yield voice.words("lease_until", moment=short(one.lease_until))


def _wait(one: WaitingJourney, voice: Voice) -> WaitLine:
    reason = voice.words.of(CLAUSES[one.reason]) if one.reason in CLAUSES else one.reason
    return WaitLine(
        journey=voice.journey(one.journey),
        code=one.state,
        reason=capital(reason),
        free_at=voice.formats.short(one.free_at),
        state=voice.words(f"wait_{one.state}"),
    )
