"""Why nothing else was chosen: every candidate of the decision but the winner, grouped by what stopped it and by treatment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from arbitration.domain import SILENCE, Decision, Treatment
from arbitration.explanation import Explanation
from arbitration.texts import GATE_TEXTS, STOP_TEXTS
from arbitration.what_if import capital
from serving.console.voice import Voice

ORDER = ("selection", "same", "contact_policy", "consent", "eligibility")
VALUED = "valued"
CLAUSES = {**GATE_TEXTS, **STOP_TEXTS}


@dataclass(frozen=True, slots=True)
class Count:
    """How many send times of a treatment ended for one reason."""

    times: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rival:
    """One treatment that was not chosen; `candidates` are its send times, `counts` what became of them."""

    journey: str
    channel: str
    sentence: str
    candidates: int
    counts: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Treatments that were stopped at the same stage."""

    key: str
    title: str
    rivals: tuple[Rival, ...]


@dataclass(frozen=True, slots=True)
class Rivals:
    """All groups, and how many candidates and treatments competed."""

    groups: tuple[Group, ...]
    candidates: int
    treatments: int


def rivals(decision: Decision, told: Explanation, voice: Voice) -> Rivals:
    """The view of all candidates that were not chosen, silence included."""
    fates = fates_of(decision)
    found: dict[str, list[Rival]] = {key: [] for key in ORDER}
    for line in told.why_not:
        sentence = capital(line.sentence.removeprefix(f"{line.title}: "))
        if line.treatment == SILENCE:
            found["selection"].append(Rival(line.title, "", sentence, 0, ()))
            continue
        treatment, stage = _treatment(line.treatment, decision), _stage(line.code, decision, line.lost_by)
        journey = voice.journey(treatment.journey)
        way = capital(
            line.title.removeprefix(journey).removeprefix(", ")
        )  # with the template, where it takes one to tell them apart
        fate = fates[line.treatment]
        # What does not fit the customer at any time needs no list of what else stood against some of the times.
        counts = () if stage == "eligibility" else _counts(fate, voice)
        found[stage].append(Rival(journey, way, sentence, fate.total(), counts))
    found["same"] += _same(decision, fates, voice)
    groups = tuple(Group(key, voice.words(f"group_{key}"), tuple(found[key])) for key in ORDER if found[key])
    return Rivals(groups, len(decision.ranked) + len(decision.rejections), len(fates))


def fates_of(decision: Decision) -> Mapping[str, Counter[str]]:
    """Treatment id -> reason code -> how many of its send times ended there; the winner itself is not counted."""
    fates: dict[str, Counter[str]] = {}
    for item in decision.ranked:
        chosen = decision.winner is not None and item.candidate == decision.winner.candidate
        fates.setdefault(item.candidate.treatment.id, Counter())[VALUED] += 0 if chosen else 1
    for no in decision.rejections:
        fates.setdefault(no.candidate.treatment.id, Counter())[no.code] += 1
    return fates


def _treatment(treatment_id: str, decision: Decision) -> Treatment:
    everyone = (*(item.candidate for item in decision.ranked), *(no.candidate for no in decision.rejections))
    return next(candidate.treatment for candidate in everyone if candidate.treatment.id == treatment_id)


def _stage(code: str, decision: Decision, lost_by: float | None) -> str:
    if lost_by is not None:
        return "selection"
    return next(no.stage for no in decision.rejections if no.code == code)


def _same(decision: Decision, fates: Mapping[str, Counter[str]], voice: Voice) -> Iterable[Rival]:
    """The winner's own treatment at its other send times."""
    if decision.winner is None:
        return
    treatment = decision.winner.candidate.treatment
    fate = fates[treatment.id]
    if fate.total():
        counts = _counts(fate, voice, always=True)
        names = (voice.journey(treatment.journey), voice.channel(treatment.channel))
        yield Rival(*names, "", fate.total(), counts)


def _counts(fate: Counter[str], voice: Voice, *, always: bool = False) -> tuple[Count, ...]:
    """What became of the send times, most frequent first; left out where all ended the same way, which the sentence says."""
    kinds = [(code, times) for code, times in fate.most_common() if times]
    if len(kinds) < 2 and not always:
        return ()
    return tuple(
        Count(times, voice.words("valued") if code == VALUED else voice.words.of(CLAUSES[code]))
        for code, times in kinds
    )
