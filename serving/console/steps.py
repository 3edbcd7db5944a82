"""The plan as a course of steps in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from arbitration.domain import Decision, PlanStep
from arbitration.naming import Naming
from arbitration.what_if import capital
from arbitration.wording import decimals
from serving.console.voice import Voice


@dataclass(frozen=True, slots=True)
class Step:
    """One step: when (machine-readable and localized), by which channel, and what comes after it."""

    title: str
    state: str
    channel: str
    moment_iso: str
    moment: str
    window: str
    value: str
    wait: str


@dataclass(frozen=True, slots=True)
class Course:
    """All steps, what ends the course early, and the sentence above it."""

    intro: str
    steps: tuple[Step, ...]
    rules: tuple[str, ...]


def course(decision: Decision, naming: Naming, voice: Voice, states: Mapping[int, str]) -> Course:
    """The view of a decision's plan; `states` says of the steps that ever had a place how it stands."""
    steps = decision.plan.steps
    if not steps:
        return Course(voice.words("plan_none", moment=voice.formats.short(decision.valid_until)), (), ())
    digits = decimals([decision.plan.expected_value, *(step.expected_value for step in steps)])
    shown = tuple(
        _step(
            step, number, states.get(number), last=number + 1 == len(steps), digits=digits, naming=naming, voice=voice
        )
        for number, step in enumerate(steps)
    )
    if len(steps) == 1:
        return Course(voice.words("plan_single"), shown, ())
    intro = voice.words("plan_intro", value=voice.formats.money(decision.plan.expected_value, digits))
    return Course(intro, shown, _rules(steps, voice))


def _step(
    step: PlanStep, number: int, state: str | None, *, last: bool, digits: int, naming: Naming, voice: Voice
) -> Step:
    window = step.candidate.window
    opens, closes = voice.formats.clock(window.opens_at), voice.formats.clock(window.closes_at)
    return Step(
        title=voice.words("step", number=number + 1),
        state=state or voice.words("tentative" if number else "committed"),
        channel=capital(naming.way(step.candidate.treatment)),
        moment_iso=step.send_at.isoformat(),
        moment=voice.formats.short(step.send_at),
        window=voice.words("window", opens=opens, closes=closes),
        value=voice.words("step_value", value=voice.formats.money(step.expected_value, digits)),
        wait="" if last else voice.words("then_wait", hours=voice.formats.number(step.wait_hours, 0)),
    )


def _rules(steps: tuple[PlanStep, ...], voice: Voice) -> tuple[str, ...]:
    goes_on = [
        voice.words.known(f"goes_on_{code}", code) for code in dict.fromkeys(step.advance_if for step in steps[:-1])
    ]
    stops = [
        voice.words.known(f"stop_{code}", code)
        for code in dict.fromkeys(code for step in steps for code in step.stop_if)
    ]
    return (
        *goes_on,
        voice.words("stops_if", events=_listed(stops, voice.words("or"))),
        voice.words("expires", moment=voice.formats.short(max(step.expires_at for step in steps))),
    )


def _listed(items: list[str], last: str) -> str:
    """`a, b or c`."""
    return f" {last} ".join(part for part in (", ".join(items[:-1]), items[-1] if items else "") if part)
