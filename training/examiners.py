"""How each model is examined: from the shop's tables as they are now, on rows that begin after everything either version learned from.

Every version's card says from when on its training held rows back (`held_out_from`); the exam begins at the later of the two. Each
version reads its own features. A model without an entry in EXAMS cannot be promoted over a champion without force.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arbitration.codec import decode
from arbitration.errors import DirigentError
from features.home import Home, Progress
from features.tables.store import open_tables
from training import churn, effects_exam, next_category, opt_out, propensity, send_time, spend, uplift
from training.amounts import deviances
from training.categories import NextCategory, Shares
from training.contents import SHARES
from training.dataset import dataset, historical
from training.exam import NoExam, Sheet
from training.labels import churn_labels, last_known
from training.models import Model
from training.references import LEAST
from training.registry import Registered
from training.slots import INPUTS, Curve, SendTime

FloatArray = NDArray[np.float64]
_FLOOR = 1e-12
ERRS = (
    "The champion kept nothing back, or does not say what: it may know exam rows, and the comparison errs to its side."
)
SIMULATED = "The exam's rows are SIMULATED contacts."


class Rows:
    """Labeled rows with features, each kind read once. `chosen`: the versions that would be served together."""

    def __init__(self, home: Home, chosen: Mapping[str, Registered], progress: Progress) -> None:
        self._home, self.chosen, self._progress = home, chosen, progress

    @cached_property
    def active(self) -> pd.DataFrame:
        """Customers at the newest examination cut-off, with `label` 1 for no purchase in the 28 days after."""
        self._progress("reading purchases")
        with open_tables(self._home) as connection:
            examined = churn.examination(last_known(connection, churn.WINDOW))
            return historical(self._home, churn.NAME, churn_labels(connection, [examined]))

    @cached_property
    def buyers(self) -> pd.DataFrame:
        """Who bought in 182 days, at weekly cut-offs, with `next_basket` and `spend` of the 56 days after."""
        self._progress("reading purchases")
        return spend.labeled(self._home)

    @cached_property
    def category_moments(self) -> pd.DataFrame:
        """Who bought in 182 days and again in the 56 after weekly cut-offs, with `category`, what most of the next purchase was."""
        self._progress("reading purchases")
        return next_category.labeled(self._home)

    @cached_property
    def contacts(self) -> pd.DataFrame:
        """Randomized contacts and silent moments, with what came of them."""
        self._progress("reading contacts")
        return propensity.contacts(self._home)

    def sent(self) -> pd.DataFrame:
        """The contacts alone."""
        return self.contacts[self.contacts["arm"] != uplift.SILENCE_ARM]

    def silent(self) -> pd.DataFrame:
        """The silent moments alone."""
        return self.contacts[self.contacts["arm"] == uplift.SILENCE_ARM]


Examiner = Callable[[Rows, Registered, Registered], tuple[Sheet, tuple[str, ...]]]


@dataclass(frozen=True)
class Chances:
    """Examines a model of probabilities by log-loss in nats: which rows, and which of their columns says what happened (0 or 1)."""

    rows: Callable[[Rows], pd.DataFrame]
    label: str

    def __call__(self, rows: Rows, champion: Registered, challenger: Registered) -> tuple[Sheet, tuple[str, ...]]:
        """Both on the same rows; rows of which neither knows any feature are left out, as in training."""
        frame, notes = unseen(self.rows(rows), champion, challenger)
        models = [_model(one) for one in (champion, challenger)]
        inputs = [matrix(frame, model.features) for model in models]
        known = ~np.all([np.isnan(each).all(axis=1) for each in inputs], axis=0)
        answers = [model.predict(each[known]) for model, each in zip(models, inputs, strict=True)]
        return _sheet(frame[known], self.label, answers[0], answers[1]), notes


@dataclass(frozen=True)
class Amounts:
    """Examines a model of money by deviance, in money (`training.amounts`), on the buyers whose `label` is known."""

    label: str

    def __call__(self, rows: Rows, champion: Registered, challenger: Registered) -> tuple[Sheet, tuple[str, ...]]:
        """Both on the same rows; the reference is the mean of these very rows for all."""
        buyers = rows.buyers
        frame, notes = unseen(buyers[buyers[self.label].notna()], champion, challenger)
        y = frame[self.label].to_numpy(dtype=np.float64)
        answers = [model.predict(matrix(frame, model.features)) for model in (_model(champion), _model(challenger))]
        losses = [deviances(y, each) for each in (*answers, np.full(len(y), max(float(y.mean()), LEAST)))]
        return Sheet(frame["customer_id"].to_numpy(dtype=str), np.ones(len(y)), losses[0], losses[1], losses[2]), notes


def timing(rows: Rows, champion: Registered, challenger: Registered) -> tuple[Sheet, tuple[str, ...]]:
    """Send time: log-loss of the curve and the individual model together, in the slot each contact was sent in."""
    frame, notes = unseen(rows.sent(), champion, challenger)
    data = dataset(frame, (*INPUTS, "slot"), "engaged")
    answers = [send_time.chances(_send_time(one), data) for one in (champion, challenger)]
    return _sheet(frame, "engaged", answers[0], answers[1]), notes


def categories(rows: Rows, champion: Registered, challenger: Registered) -> tuple[Sheet, tuple[str, ...]]:
    """Next category: log-loss of both on the same pairs, the candidates of either, each with its own shares."""
    frame, notes = unseen(rows.category_moments, champion, challenger)
    models = [_next_category(one) for one in (champion, challenger)]
    beside = tuple(dict.fromkeys(name for model in models for name in model.shares.leading))
    pairs = [next_category.pair_rows(frame, model.shares, beside) for model in models]
    answers = [
        model.pooled.predict(matrix(each, model.pooled.features)) for model, each in zip(models, pairs, strict=True)
    ]
    return _sheet(pairs[0], "label", answers[0], answers[1]), notes


def effects(rows: Rows, champion: Registered, challenger: Registered) -> tuple[Sheet, tuple[str, ...]]:
    """Effects, by `effects_exam`; individual effects follow the propensity model that would be served beside them, if there is one."""
    beside = rows.chosen.get(propensity.NAME)
    frame, notes = unseen(rows.contacts, champion, challenger, *((beside,) if beside else ()))
    first, seen = effects_exam.held_back(champion.files, strictly=False)
    second, _ = effects_exam.held_back(challenger.files, strictly=True)
    sent = frame[frame["arm"] != uplift.SILENCE_ARM]
    chances = None
    if beside:
        model = _model(beside)
        chances = model.predict(matrix(sent, model.features))
    if seen and not notes:
        notes = (ERRS,)
    return effects_exam.sheet(sent, rows.silent(), chances, first, second), notes


EXAMS: Mapping[str, Examiner] = {
    churn.NAME: Chances(lambda rows: rows.active, "label"),
    spend.BASKET: Amounts(spend.BASKET),
    spend.SPEND: Amounts(spend.SPEND),
    next_category.NAME: categories,
    propensity.NAME: Chances(Rows.sent, "engaged"),
    propensity.BASE_NAME: Chances(Rows.silent, "bought"),
    send_time.NAME: timing,
    opt_out.NAME: Chances(Rows.sent, "opted_out"),
    uplift.NAME: effects,
}


def examine(rows: Rows, champion: Registered, challenger: Registered) -> tuple[Sheet, tuple[str, ...]]:
    """The sheet of one model, and what must be known to read it. Raises NoExam with the reason where there can be none."""
    name = challenger.name
    if name not in EXAMS:
        raise NoExam(f"no exam is known for {name}", mend="add one to training/examiners.py")
    try:
        sheet, notes = EXAMS[name](rows, champion, challenger)
    except DirigentError as error:
        raise NoExam(error.what, where=error.where, mend=error.mend) from error
    return sheet, (*notes, SIMULATED) if challenger.card.get("simulated") else notes


def unseen(
    frame: pd.DataFrame, champion: Registered, challenger: Registered, *beside: Registered
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows after everything these versions learned from, and a note where the champion does not say. Raises NoExam when there are none."""
    starts = [one.card.get("held_out_from") for one in (champion, challenger, *beside)]
    if starts[1] is None:
        raise NoExam(
            f"version {challenger.version} of {challenger.name} kept nothing back to be examined on",
            mend=f"if there is enough to learn from, `dirigent train {challenger.name}` makes one that did",
        )
    notes = () if starts[0] else (ERRS,)
    moments = pd.to_datetime(frame["event_timestamp"], utc=True)
    found = frame[moments >= max(pd.Timestamp(start) for start in starts if start is not None)]
    if found.empty:
        raise NoExam("there are no rows after what both learned from", mend="import what has happened since")
    return found, notes


def matrix(frame: pd.DataFrame, names: tuple[str, ...]) -> FloatArray:
    """Columns by name, shape (n, k); `journey=x` is 1 where the journey is x. Raises NoExam for features that are computed no more."""
    made = {name for name in names if "=" in name}
    if missing := [name for name in names if name not in made and name not in frame.columns]:
        raise NoExam(f"a version reads features that are not computed any more: {', '.join(missing)}")
    columns = [_is(frame, name) if name in made else frame[name].to_numpy(dtype=np.float64) for name in names]
    return np.column_stack(columns)


def _is(frame: pd.DataFrame, name: str) -> FloatArray:
    kind, _, value = name.partition("=")
    return np.asarray(frame[kind] == value, dtype=np.float64)


def _sheet(frame: pd.DataFrame, label: str, champion: FloatArray, challenger: FloatArray) -> Sheet:
    """Log-losses of both, and of the rate of these very rows for all."""
    y = frame[label].to_numpy(dtype=np.float64)
    constant = np.full(len(y), y.mean()) if len(y) else y
    losses = [_log_losses(y, p) for p in (champion, challenger, constant)]
    return Sheet(frame["customer_id"].to_numpy(dtype=str), np.ones(len(y)), losses[0], losses[1], losses[2])


def _log_losses(labels: FloatArray, probabilities: FloatArray) -> FloatArray:
    p = np.clip(probabilities, _FLOOR, 1 - _FLOOR)
    return np.asarray(-(labels * np.log(p) + (1 - labels) * np.log1p(-p)))


def _model(one: Registered) -> Model:
    try:
        return one.model()
    except (DirigentError, KeyError, TypeError, ValueError) as error:
        raise NoExam(f"this program cannot read version {one.version} of {one.name} ({error})") from error


def _send_time(one: Registered) -> SendTime:
    described = json.loads(one.files["send_time.curve.json"])
    return SendTime(decode(Curve, described["curve"]), _model(one), float(described["weight"]))


def _next_category(one: Registered) -> NextCategory:
    return NextCategory(decode(Shares, json.loads(one.files[SHARES])), _model(one))
