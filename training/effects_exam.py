"""The exam of effects. Effects are measured on all rows, so their training measures them once more without the newest fifth.

These held-back effects are registered beside the real ones, never served, and stand for them in the exam. A contact's adjusted
outcome is what it brought beyond what the silent with the same features did, g = y - m0(x) (Robins 1994), and the loss is

    (g - tau(x))^2, weighted by 1 / probability,

whose difference between two beliefs is that of their squared errors of the true effect, up to noise (Kunzel et al. 2019 use the
same to compare effect models). The noise of m0's own level is common to all rows and enters as `doubt`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arbitration.codec import canonical_json, decode
from training import propensity, uplift
from training.dataset import Dataset, dataset
from training.effects import Effects
from training.exam import NoExam, Sheet
from training.fitting import fit_linear
from training.labels import EFFECT_DAYS

FloatArray = NDArray[np.float64]
FILE = "effects.exam.json"
KEPT_BACK = 0.2


def hold_back(contacts: pd.DataFrame) -> tuple[dict[str, bytes], dict[str, str]]:
    """The file of effects measured without the newest fifth of the contacts, and what the card says of it; empty for too few rows."""
    treated = contacts.loc[contacts["arm"] != uplift.SILENCE_ARM, "event_timestamp"]
    if treated.empty:
        return {}, {}
    start = treated.sort_values().iloc[int(len(treated) * (1 - KEPT_BACK))]
    known = contacts[contacts["event_timestamp"] + timedelta(days=EFFECT_DAYS) <= start]
    found = uplift.measure(known, propensity.CUSTOMER_FEATURES, propensity.cross_fitted(known))
    if found.tau.overall.rows == 0:
        return {}, {}
    return {FILE: canonical_json(found)}, {"held_out_from": start.isoformat()}


def held_back(files: Mapping[str, bytes], *, strictly: bool) -> tuple[Effects, bool]:
    """A version's effects for the exam, and whether they have seen the exam rows: where none were held back, the served ones.

    Raises NoExam when `strictly` none were, InputError for effects that this version of the program does not read.
    """
    if FILE in files:
        return decode(Effects, json.loads(files[FILE])), False
    if strictly:
        raise NoExam(
            "its effects kept nothing back to be examined on",
            mend="there were too few contacts, or run `dirigent train effects`",
        )
    return decode(Effects, json.loads(files["effects.json"])), True


def sheet(
    sent: pd.DataFrame, silent: pd.DataFrame, chances: FloatArray | None, champion: Effects, challenger: Effects
) -> Sheet:
    """Squared errors of both beliefs and of no effect at all on contacts; `chances` is P(engage) of each, for individual effects; None without a model of it.

    Contacts of journeys that one of them never saw tried, or without any feature, are left out. Raises NoExam where the two count different outcomes.
    """
    if champion.outcome != challenger.outcome:
        raise NoExam(
            f"the champion counts purchases that were {champion.outcome}, the challenger those that were {challenger.outcome}"
        )
    beliefs = [_beliefs(each, sent, chances) for each in (champion, challenger)]
    known = ~np.isnan(beliefs[0] + beliefs[1]) & sent[list(propensity.CUSTOMER_FEATURES)].notna().any(axis=1).to_numpy()
    sent, first, second = sent[known], beliefs[0][known], beliefs[1][known]
    gained, doubt = _gained(sent, silent, champion.outcome)
    weights = 1.0 / sent["probability"].to_numpy(dtype=np.float64)
    apart = 2 * float(weights @ (second - first)) / float(weights.sum()) if len(weights) else 0.0
    return Sheet(
        sent["customer_id"].to_numpy(dtype=str), weights, (gained - first) ** 2, (gained - second) ** 2, gained**2,
        apart**2 * doubt,
    )  # fmt: skip


def _beliefs(effects: Effects, sent: pd.DataFrame, chances: FloatArray | None) -> FloatArray:
    """tau(x) of each contact, NaN where the effects know nothing of its journey."""
    known = [None] * len(sent) if chances is None else chances.tolist()
    found = (effects.effect(*row) for row in zip(sent["journey"], sent["channel"], known, strict=True))
    return np.array([np.nan if each is None else each.mean for each in found], dtype=np.float64)


def _gained(sent: pd.DataFrame, silent: pd.DataFrame, outcome: str) -> tuple[FloatArray, float]:
    """What each contact brought (g), and the squared standard error of the level of m0, which is fitted on the other half of the customers.

    All silent moments count for m0, also those the versions learned from: it is the examiner's own and the same for both. Its level is
    that of the silent of the examined time: what a season brings to everybody is no effect.
    """
    rows, others = (dataset(each, propensity.CUSTOMER_FEATURES, outcome) for each in (sent, silent))
    if len(others) < 2:
        raise NoExam("there are no silent moments to compare with")
    expected, half, side = np.empty(len(rows)), rows.half(), others.half()
    missed = np.empty(len(others))
    for of_rows, of_others in ((half, side), (~half, ~side)):
        learned = others.where(~of_others)
        expected[of_rows] = _without_contact(learned, rows.rows[of_rows])
        missed[of_others] = others.labels[of_others] - _without_contact(learned, others.rows[of_others])
    now = others.moments >= rows.moments.min() if len(rows) else np.zeros(len(others), dtype=bool)
    if now.sum() < 2:
        raise NoExam("there are no silent moments of the examined time to compare with")
    return rows.labels - expected - missed[now].mean(), float(missed[now].var() / now.sum())


def _without_contact(silent: Dataset, rows: FloatArray) -> FloatArray:
    """m0(x): P(order without a contact)."""
    if len(np.unique(silent.labels)) < 2:
        return np.full(len(rows), silent.labels.mean() if len(silent) else 0.0)
    return fit_linear("baseline", silent).predict(rows)
