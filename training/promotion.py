"""Promotion: examine what would replace a champion, refuse what loses, record what passes, and swap the bundle.

Order: exam, bundle written and proven, record written, bundle live, aliases and tags in MLflow. A refusal comes before the first
of these writes, so that everything stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from arbitration.codec import encode
from arbitration.errors import BundleError, InputError, StateError
from features.files import exclusive
from features.home import Home, Progress, silent
from training import bundle, effects_exam, history
from training.exam import check_share, mark
from training.examiners import Rows, examine
from training.history import Promotion
from training.pipeline import NAMES
from training.registry import CANDIDATE, CHAMPION, Registered, Registry, export
from training.verdict import SHARE, WHY, Verdict

LONGEST_REASON = 500
NOT_SERVED = ("card.json", "samples.json", effects_exam.FILE)
"""Files of a version that change no answer."""


class Refused(StateError):
    """A promotion that did not pass its exams; `verdicts` holds the numbers of every model."""

    def __init__(self, verdicts: tuple[Verdict, ...], mend: str) -> None:
        self.verdicts = verdicts
        failed = "; ".join(
            f"version {v.challenger} of {v.model} against champion {v.champion}: {_why(v)}"
            for v in verdicts
            if v.refused
        )
        super().__init__(f"nothing was promoted, the bundle stays as it was ({failed})", mend=mend)


def promote(
    home: Home,
    model: str | None = None,
    version: int | None = None,
    *,
    share: float = SHARE,
    forced: str | None = None,
    progress: Progress = silent,
) -> Promotion:
    """Make champions and export them. Without a model all candidates; with one only it, as `version` or the candidate.

    The bundle holds what there is: a champion stays where there is no candidate, and of what was never trained the catalog's prior speaks.
    Every version that would replace a champion is examined (`training.exam`). Raises Refused, and changes nothing, when one does not
    pass; `forced` is the reason to promote it all the same. InputError for wrong names, StateError for what is not there.
    """
    if model is not None and model not in NAMES:
        raise InputError(f"'{model}' is not a model", mend=f"the models are {', '.join(NAMES)}")
    if version is not None and model is None:
        raise InputError("a version needs a model", mend="name the model before the version")
    reason = None if forced is None else _reason(forced)
    check_share(share)
    with exclusive(home, "bundles"):
        registry = Registry(home)
        chosen = selected(registry, model, version)
        verdicts = _verdicts(home, registry, chosen, share, progress)
        if reason is None and any(verdict.refused for verdict in verdicts):
            raise Refused(verdicts, _ways_out(verdicts, model, version))
        progress("writing the bundle")
        digest = export(home, chosen)
        promotion = Promotion(datetime.now(UTC), digest, _live(home), share, verdicts, reason)
        history.append(home, promotion)
        bundle.point(home, digest)
        _crown(registry, chosen, promotion)
    return promotion


def selected(registry: Registry, model: str | None, version: int | None) -> dict[str, Registered]:
    """What would be served: of each model the candidate, else the champion; of the others than `model`, where it is named, the champion.

    A model without either is left out. Raises StateError where nothing was ever trained, where `model` has no such version, and
    where a version that an alias names cannot be read: it is not taken for none.
    """
    if not registry.begun:
        raise StateError("nothing was trained yet", mend="Run `dirigent train`.")
    found = {}
    for name in NAMES:
        asked: str | int | None = version or CANDIDATE
        if name != model:
            aliases = (CHAMPION,) if model else (CANDIDATE, CHAMPION)
            asked = next((alias for alias in aliases if registry.version_of(name, alias) is not None), None)
        if asked is not None:
            found[name] = registry.find(name, asked)
    return found


def without_model(home: Home) -> tuple[str, ...]:
    """Names of the models that the shop has no champion of: for these the catalog's priors speak."""
    registry = Registry(home)
    return tuple(name for name in NAMES if registry.version_of(name, CHAMPION) is None)


def _reason(text: str) -> str:
    """One line of it; raises InputError when nothing is said."""
    line = " ".join(text.split())
    if not any(letter.isalnum() for letter in line) or len(line) > LONGEST_REASON:
        raise InputError(
            f"a forced promotion needs a reason of at most {LONGEST_REASON} characters",
            mend='say why in words: --force --reason "WHY"',
        )
    return line


def _verdicts(
    home: Home, registry: Registry, chosen: Mapping[str, Registered], share: float, progress: Progress
) -> tuple[Verdict, ...]:
    """One verdict per model whose champion would change."""
    rows, found = Rows(home, chosen, progress), []
    for name, challenger in chosen.items():
        before = registry.version_of(name, CHAMPION)
        if before is None:
            found.append(Verdict(name, challenger.version, None, "first"))
        elif before != challenger.version:
            progress(f"examining {name}")
            found.append(_verdict(registry, rows, before, challenger, share))
    return tuple(found)


def _verdict(registry: Registry, rows: Rows, before: int, challenger: Registered, share: float) -> Verdict:
    name = challenger.name
    notes: tuple[str, ...] = ()
    try:
        champion = registry.find(name, before)
        if _served(champion) == _served(challenger):
            return Verdict(name, challenger.version, before, "same")
        sheet, notes = examine(rows, champion, challenger)
        result, measured = mark(sheet, share)
    except StateError as error:  # there can be no exam, or the champion's files are gone
        return Verdict(name, challenger.version, before, "not_examined", None, (*notes, str(error)))
    return Verdict(name, challenger.version, before, result, measured, notes)


def _why(verdict: Verdict) -> str:
    return WHY[verdict.result] + (f" ({verdict.notes[-1]})" if verdict.result == "not_examined" else "")


def _served(one: Registered) -> dict[str, bytes]:
    return {name: content for name, content in one.files.items() if name not in NOT_SERVED}


def _ways_out(verdicts: tuple[Verdict, ...], model: str | None, version: int | None) -> str:
    """What a refused person can type."""
    passed = [verdict.model for verdict in verdicts if not verdict.refused]
    others = "".join(f"\n  dirigent promote {name}" for name in passed)
    named = "".join(f" {part}" for part in (model, version and f"--version {version}") if part)
    alone = f"\nWhat passed can be promoted alone:{others}" if passed else ""
    return f'{alone}\nTo promote all the same, recorded with your reason:\n  dirigent promote{named} --force --reason "WHY"'


def _live(home: Home) -> str | None:
    try:
        return bundle.current(home)
    except BundleError:
        return None


def _crown(registry: Registry, chosen: Mapping[str, Registered], promotion: Promotion) -> None:
    """Aliases, and on each new champion the same facts as in the record, for whoever looks into MLflow."""
    for verdict in promotion.verdicts:
        tags = {
            "promoted_at": promotion.at.isoformat(),
            "promoted_in": promotion.digest,
            "exam": json.dumps(encode(verdict)),
        }
        if promotion.forced is not None:
            tags["forced"] = promotion.forced
        registry.tag(verdict.model, verdict.challenger, tags)
    for name, one in chosen.items():
        registry.point(name, CHAMPION, one.version)
