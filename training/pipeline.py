"""All models, one after the other: fit, judge, and describe each as an `Entry` for the registry."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from arbitration.codec import encode
from arbitration.errors import InputError
from features.barred import barred
from features.home import Home, Progress
from features.tables.store import open_tables
from training import attention, caps, churn, effects_exam, next_category, opt_out, propensity, send_time, spend, uplift
from training.cards import ABOUT, card, markdown, verdict
from training.contents import SHARES, model_files, signature_of
from training.contest import Contest, Trial
from training.effects import Effects
from training.effects_told import effect_notes, effects_table, evidence
from training.evaluate import gain_table
from training.plots import gain_plot, reliability_plot, shap_summary
from training.shortage import TooLittle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OF_PURCHASES = (churn.NAME, spend.BASKET, spend.SPEND, next_category.NAME)
OF_CONTACTS = (propensity.NAME, propensity.BASE_NAME, send_time.NAME, opt_out.NAME, uplift.NAME, attention.NAME)
NAMES = (*OF_PURCHASES, *OF_CONTACTS)
NOTHING: Mapping[str, bytes] = MappingProxyType({})
SAMPLE_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Entry:
    """One model as it is registered. `files` are what serving needs, `card` says in JSON what it is and how good.

    `best`: it goes to promotion; the other kind stays beside it as the challenger.
    """

    name: str
    kind: str
    best: bool
    card: Mapping[str, Any]
    parameters: Mapping[str, float]
    metrics: Mapping[str, float]
    files: Mapping[str, bytes]
    booster: str | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The card for people, as Markdown."""
        return markdown(self.card)


@dataclass(frozen=True)
class Pictures:
    """What people look at: figures and tables by name."""

    figures: Mapping[str, Figure]
    tables: Mapping[str, pd.DataFrame]


class Training:
    """One run over a home; labeled contacts are read once for the models that share them."""

    def __init__(self, home: Home, progress: Progress) -> None:
        self._home, self._progress = home, progress

    def entries(self, model: str | None) -> Iterator[Entry]:
        """Every model, or the one named. Raises InputError for a name that is none.

        Without a name, models for which there is too little to learn from are left out; `progress` says at the end which, and why.
        """
        if model is not None and model not in NAMES:
            raise InputError(f"'{model}' is not a model", mend=f"the models are {', '.join(NAMES)}")
        makers: dict[str, Callable[[], Iterator[Entry]]] = {
            churn.NAME: self._churn,
            spend.BASKET: lambda: self._contest(spend.train_basket(self._spend)),
            spend.SPEND: lambda: self._contest(spend.train_spend(self._spend)),
            next_category.NAME: self._next_category,
            propensity.NAME: lambda: self._contest(propensity.train(self._contacts)),
            propensity.BASE_NAME: lambda: self._contest(propensity.train_base(self._contacts)),
            send_time.NAME: self._send_time,
            opt_out.NAME: lambda: self._contest(opt_out.train(self._contacts)),
            uplift.NAME: self._effects,
            attention.NAME: self._attention,
        }
        skipped: dict[str, list[str]] = {}
        for name in [model] if model else NAMES:
            self._progress(f"fitting {name}")
            try:
                found = list(makers[name]())
            except TooLittle as error:
                if model:
                    raise
                skipped.setdefault(str(error), []).append(name)
            else:
                yield from found
        for why, names in skipped.items():
            self._progress(f"skipped {' and '.join(names)}: {why}")

    def _churn(self) -> Iterator[Entry]:
        more = {"lapsed": encode(churn.lapses(self._home))}
        if churn.is_example(self._home):
            more["reference"] = churn.REFERENCE
        return self._contest(churn.train(self._home), more)

    @cached_property
    def _spend(self) -> pd.DataFrame:
        return spend.labeled(self._home)

    @cached_property
    def _contacts(self) -> pd.DataFrame:
        return propensity.contacts(self._home)

    def _simulated(self, name: str) -> bool:
        """Whether a model learns from simulated contacts; those of purchases learn from real ones alone."""
        return name not in OF_PURCHASES and bool(self._contacts["simulated"].any())

    def _card(self, contest: Contest, trial: Trial) -> dict[str, Any]:
        return card(contest, trial) | {"simulated": self._simulated(contest.name)}

    def _contest(self, contest: Contest, more: Mapping[str, Any] | None = None) -> Iterator[Entry]:
        for trial, pictures in zip(contest.trials, self._pictures(contest), strict=True):
            yield _entry(contest, trial, self._card(contest, trial) | dict(more or {}), pictures)

    def _pictures(self, contest: Contest) -> Iterator[Pictures]:
        """Calibration plot, gain plot and table, and SHAP summary of each trial on the test part."""
        self._progress(f"drawing {contest.name}")
        simulated, test = self._simulated(contest.name), contest.split.test
        shared = {"calibration": reliability_plot(contest, simulated), "gain": gain_plot(contest, simulated)}
        for trial in contest.trials:
            rows = test.columns(trial.model.features)
            summary = shap_summary(trial.model, rows, simulated)
            yield Pictures(
                shared | {"shap_summary": summary}, {"gain": gain_table(test.labels, trial.model.predict(rows))}
            )

    def _next_category(self) -> Iterator[Entry]:
        outcome = next_category.train(next_category.labeled(self._home))
        pictures = self._pictures(outcome.contest)
        for trial, model in zip(outcome.contest.trials, outcome.models, strict=True):
            described = self._card(outcome.contest, trial) | {"version": model.version}
            shares = {SHARES: _json(encode(model.shares))}
            yield _entry(outcome.contest, trial, described, next(pictures), shares)

    def _send_time(self) -> Iterator[Entry]:
        outcome = send_time.train(self._contacts)
        pictures = self._pictures(outcome.contest)
        judged = zip(outcome.contest.trials, outcome.models, outcome.tests, outcome.gains, strict=True)
        for trial, model, test, gain in judged:
            notes = [verdict(outcome.contest), _weight_note(model.weight), gain.note]
            described = self._card(outcome.contest, trial) | {
                "version": model.version, "weight": model.weight, "test": test, "pooled_test": outcome.pooled_test,
                "curve_spread": send_time.curve_spread(model.curve), "notes": notes,
            }  # fmt: skip
            curve = {"curve": encode(model.curve), "weight": model.weight}
            yield _entry(outcome.contest, trial, described, next(pictures), {"send_time.curve.json": _json(curve)})

    def _effects(self) -> Iterator[Entry]:
        effects, rows = self._measured, self._contacts["event_timestamp"]
        overall = effects.tau.overall
        described = {
            "name": uplift.NAME, "kind": "cells", "version": f"effects-{effects.version}", "predicts": ABOUT[uplift.NAME].predicts,
            "window": {"from": rows.min().isoformat(), "to": rows.max().isoformat()}, "rows": len(rows), "best": True,
            "overall": encode(overall), "slope": encode(effects.slope), "outcome": effects.outcome,
            "evidence": evidence(effects),
            "simulated": self._simulated(uplift.NAME), "notes": effect_notes(effects),
        }  # fmt: skip
        numbers = {"tau": overall.mean, "tau_sd": overall.sd, "slope": effects.slope.raw, "slope_sd": effects.slope.sd}
        exam, kept_back = effects_exam.hold_back(self._contacts)
        described |= kept_back
        files = {"effects.json": _json(encode(effects)), **exam}
        yield Entry(
            uplift.NAME, "cells", True, described, {}, numbers, files, tables={"effects": effects_table(effects)}
        )

    @cached_property
    def _measured(self) -> Effects:
        uplift.sent_alone(self._contacts)
        crossed = propensity.cross_fitted(self._contacts)
        return uplift.measure(self._contacts, propensity.CUSTOMER_FEATURES, crossed)

    def _attention(self) -> Iterator[Entry]:
        with open_tables(self._home) as connection:
            found = caps.measure(connection, self._measured)
        moments = self._contacts["event_timestamp"]
        described = {
            "name": attention.NAME, "kind": "wald", "version": f"attention-{found.version}", "predicts": ABOUT[attention.NAME].predicts,
            "window": {"from": moments.min().isoformat(), "to": moments.max().isoformat()}, "rows": found.rows, "best": True,
            "measured": encode(found), "interval": list(found.interval), "used": found.usable,
            "simulated": found.rows > 0 and self._simulated(attention.NAME), "notes": attention.notes(found),
        }  # fmt: skip
        numbers = {"lost": found.lost, "lost_sd": found.sd, "strength": found.strength}
        files = {"attention.json": _json(encode(found))}
        yield Entry(attention.NAME, "wald", True, described, {}, numbers, files)


def samples(contest: Contest, features: tuple[str, ...]) -> list[list[float | None]]:
    """Rows for the canary made of each column's quantiles, and one where all is unknown: no real customer among them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that is unknown in every row has no quantiles
        rows = np.nan_to_num(np.nanquantile(contest.split.train.columns(features), SAMPLE_SHARES, axis=0))
    return [*rows.tolist(), [None] * rows.shape[1]]


def inputs_digest(home: Home) -> str:
    """Digest of what training rests on: the shop's tables, whom of them it may read, and the code of features and training."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent
    sources = [*sorted(root.glob("*.py")), *sorted((root.parent / "features").rglob("*.py"))]
    for path in [*sorted(home.tables.glob("*.parquet")), *sources]:
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    digest.update("\n".join(sorted(barred(home))).encode())
    return digest.hexdigest()


def _entry(
    contest: Contest,
    trial: Trial,
    described: dict[str, Any],
    pictures: Pictures,
    extra: Mapping[str, bytes] = NOTHING,
) -> Entry:
    files = {**model_files(trial.model), **extra}
    files |= {
        "signature.json": _json(signature_of(trial.model)),
        "samples.json": _json(samples(contest, trial.model.features)),
    }
    numbers = (
        _flat("validation", trial.validation)
        | _flat("test", described["test"])
        | {f"held_out_{contest.loss}": trial.held_out}
    )
    for part, measured in trial.parts.items():
        numbers |= _flat(f"test_{part}", measured)
    booster = trial.model.text() if trial.model.kind == "tree" else None
    best = trial is contest.best
    return Entry(
        contest.name,
        trial.model.kind,
        best,
        described,
        trial.parameters,
        numbers,
        files,
        booster,
        pictures.figures,
        pictures.tables,
    )


def _flat(prefix: str, measured: Mapping[str, object]) -> dict[str, float]:
    return {f"{prefix}_{name}": float(str(value)) for name, value in measured.items()}


def _weight_note(weight: float) -> str:
    if weight == 0.0:
        return "Held-out contacts do not follow the individual model measurably away from the pooled curve: its weight is 0."
    return f"Weight of the individual model, as far as held-out contacts follow it measurably away from the curve: {weight:.2f}."


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
