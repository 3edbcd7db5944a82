"""From an events file to a probability for every active customer: read, look for leaks, back-test, train anew, predict, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arbitration.errors import InputError, StateError, TableError
from training.calibration import sigmoid
from training.dataset import Dataset
from training.evaluate import auc
from training.fitting import SEED
from training.lapse_risk.events import DAY, Events, Notes, Reading, read_events
from training.lapse_risk.features import MONOTONE, NAMES, features_at
from training.lapse_risk.fit import MEMBERS, LapseModel, both_in_every_fold, fit_lapse
from training.lapse_risk.report import Json, back_test_table, doubts
from training.lapse_risk.suspicion import LeakError, refuse_looking_ahead, refuse_overlap
from training.lapse_risk.windows import WEEK, Maker, Question, rows_at, training_moments, training_rows

Progress = Callable[[str], None]
FloatArray = NDArray[np.float64]
LEAST_ROWS, LEAST_OF_EACH = 50, 10
TOO_GOOD = 0.99
OURS = "blend"
LONGEST_DAYS = 3650


@dataclass(frozen=True)
class Forecast:
    """`table` has customer_id (the file's own type, ascending) and probability of no purchase; `report` is plain JSON."""

    table: pd.DataFrame
    report: Json


def forecast(path: Path, question: Question, progress: Progress, make: Maker = features_at) -> Forecast:
    """P(no purchase in the horizon) of everyone who bought in the active days before the cutoff, from events before it alone.

    `make` computes features; it is tested for looking ahead before anything is trained. Raises TableError for a file from which
    nothing can be learned, StateError for too little history and for every leak.
    """
    progress("reading events")
    reading = read_events(path, question.cutoff)
    events, notes = reading.events, reading.notes
    known_until = _known_until(reading, question, notes)
    asked, rows, _ = rows_at(events, question, make)
    if len(asked) == 0:
        raise TableError(
            f"nobody bought in the {question.active // DAY} days before the cutoff; the last purchase was on {_day(events.when.max())}",
            where=str(path), mend="Choose an earlier --cutoff or more --active-days.",
        )  # fmt: skip
    latest = question.at(known_until)
    back_test = _back_test(events, latest, progress, make, notes)
    data, moments = _training(events, latest, progress, make)
    model = fit_lapse(data, partial(_prefixed, progress, "final model"))
    probabilities = model.predict(rows)
    report: Json = {
        "what": "probability of no purchase in the horizon, for customers active before the cutoff",
        "question": _question(question),
        "events": dict(reading.counts),
        "forecast": {
            "customers": len(asked),
            "expected_to_stay_away": float(probabilities.sum()),
            "mean_probability": float(probabilities.mean()),
        },
        "back_test": back_test,
        "model": _card(model, data, moments),
        "leakage": "no feature changed when later events were taken away; no label window reached past the moment that judged it",
        "warnings": [{"name": name, "text": text} for name, text in notes.items()],
    }
    return Forecast(pd.DataFrame({"customer_id": events.customers[asked], "probability": probabilities}), report)


def question_of(cutoff: str, active_days: int, horizon_days: int) -> Question:
    """The question in microseconds; a cutoff without an offset is UTC. Raises InputError for what is no date or no length."""
    for name, days in (("--active-days", active_days), ("--horizon", horizon_days)):
        if not 1 <= days <= LONGEST_DAYS:
            raise InputError(f"{days} days", where=name, mend=f"expected 1 to {LONGEST_DAYS}")
    try:
        told = datetime.fromisoformat(cutoff)
        moment = pd.Timestamp(told if told.tzinfo else told.replace(tzinfo=UTC)).tz_convert("UTC").as_unit("ns")
    except (ValueError, OverflowError):
        raise InputError(f"{cutoff!r} is no date", where="--cutoff", mend="write it as 2024-03-01") from None
    return Question(moment.value // 1000, active_days * DAY, horizon_days * DAY)


def _known_until(reading: Reading, question: Question, notes: Notes) -> int:
    """Until when the file tells who bought: the cutoff, or the end of its last day where the file ends long before the cutoff."""
    events = reading.events
    last = max(int(events.when.max()), int(events.life_when.max(initial=0)))
    if question.cutoff - last <= WEEK or reading.counts["at_or_after_cutoff"]:
        return question.cutoff
    notes["data_end_before_cutoff"] = (
        f"the last event is of {_day(last)}; customers look away longer than they were, if later events are missing"
    )
    return min(question.cutoff, (last // DAY + 1) * DAY)


def _training(events: Events, question: Question, progress: Progress, make: Maker) -> tuple[Dataset, tuple[int, ...]]:
    """Rows to train on for a forecast at the question's cutoff. Raises StateError for a leak or where there are too few."""
    moments = training_moments(events, question)
    refuse_overlap(moments, question.horizon, question.cutoff)
    if moments:
        _refuse_looking_ahead(make, events, question.at(moments[0]))
    data = training_rows(events, question, moments, progress, make)
    away = int(data.labels.sum())
    if len(data) >= LEAST_ROWS and min(away, len(data) - away) >= LEAST_OF_EACH and both_in_every_fold(data):
        return data, moments
    what = "one outcome only" if len(data) and away in (0, len(data)) else "too few customers"
    raise StateError(
        f"{what}: {len(data)} training rows, of which {away} stayed away and {len(data) - away} bought",
        mend=f"Needed are {LEAST_ROWS} rows and {LEAST_OF_EACH} of each outcome: bring more history, or change --active-days and --horizon.",
    )


def _back_test(events: Events, question: Question, progress: Progress, make: Maker, notes: Notes) -> Json | None:
    """The same procedure one horizon earlier, judged on what happened then; None, with a note, where the history is too short."""
    earlier = question.at(question.cutoff - question.horizon)
    try:
        data, moments = _training(
            events.before(earlier.cutoff), earlier, partial(_prefixed, progress, "back-test"), make
        )
    except LeakError:
        raise
    except StateError as error:
        notes["no_back_test"] = f"the history before {_day(earlier.cutoff)} does not carry a back-test: {error}"
        return None
    _refuse_looking_ahead(make, events, earlier)
    model = fit_lapse(data, partial(_prefixed, progress, "back-test"))
    _, rows, labels = rows_at(events, earlier, make)
    members = sigmoid(model.members(rows))
    forecasts = {OURS: model.predict(rows)} | {name: members[:, number] for number, name in enumerate(MEMBERS)}
    forecasts["training_rate"] = np.full(len(rows), float(data.labels.mean()))
    progress("back-test: intervals")
    table = back_test_table(labels, forecasts, OURS)
    if labels.min() == labels.max():
        notes["one_outcome_in_back_test"] = (
            "all customers of the back-test did the same: no ranking can be judged there"
        )
    elif (found := auc(labels, forecasts[OURS])) > TOO_GOOD:
        notes["too_good"] = (
            f"the back-test's AUC of {found:.3f} is too good to be true: look for events written after the fact"
        )
    notes |= doubts(table, OURS)
    window = {"cutoff": _day(earlier.cutoff), "judged_until": _day(question.cutoff)}
    return window | {"trained_at": [_day(moment) for moment in moments]} | table


def _refuse_looking_ahead(make: Maker, events: Events, question: Question) -> None:
    refuse_looking_ahead(
        lambda known, moment: make(known, moment, question.active, question.horizon), events, question.cutoff
    )


def _card(model: LapseModel, data: Dataset, moments: tuple[int, ...]) -> Json:
    """What the final model is made of."""
    return {
        "trained_at": [_day(moment) for moment in moments],
        "training_rows": len(data),
        "training_rate": float(data.labels.mean()),
        "features": [name for name, used in zip(NAMES, model.used, strict=True) if used],
        "unknown_too_often": [name for name, used in zip(NAMES, model.used, strict=True) if not used],
        "monotone_in_trees": MONOTONE,
        "weights": dict(zip(MEMBERS, model.weights, strict=True)),
        "calibration": model.curve.kind,
        "share_of_bg_nbd_in_level": model.anchor,
        "held_out_log_loss": model.held_out,
        "seed": SEED,
    }


def _question(question: Question) -> Json:
    return {
        "cutoff": pd.Timestamp(question.cutoff, unit="us", tz="UTC").isoformat(),
        "active_days": question.active // DAY,
        "horizon_days": question.horizon // DAY,
    }


def _day(moment: int) -> str:
    return pd.Timestamp(moment, unit="us", tz="UTC").strftime("%Y-%m-%d")


def _prefixed(progress: Progress, prefix: str, text: str) -> None:
    progress(f"{prefix}: {text}")
