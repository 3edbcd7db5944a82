"""Model cards, generated from the run: what a model predicts, from what, how good it is, beside whom, and what it does not know.

A card is plain JSON in the registry and in the bundle; `markdown` writes it for people. No customer appears in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training import attention, churn, next_category, opt_out, propensity, send_time, spend, uplift
from training.contest import REFERENCES, Contest, Trial

WEEKLY = "weekly cut-offs; train, then validation (calibration and choice), then test, label windows apart"
SHARES = "by time: the last fifth of the contacts is the test, the fifth before it validates, rows between whose windows overlap are dropped"
NAMES = {"tree": "LightGBM", "mean": "shrunk mean", "rates": "channel's shrunk rate", "shares": "shrunk own share", "cells": "cell means", "wald": "ratio of differences"}  # fmt: skip
DIGITS = 4


@dataclass(frozen=True, slots=True)
class About:
    """What does not change from run to run: the label with its window, the split, what decisions use it for, and its limits."""

    predicts: str
    split: str
    used_for: str
    limits: str


ABOUT: Mapping[str, About] = {
    churn.NAME: About(
        "no purchase in the next 28 days, of a customer who bought in the last 56", WEEKLY,
        "the stake of a purchase (value of being a recent buyer), never to rank candidates",
        "Customers without a purchase in 56 days were never seen; for them measured rates by recency speak.",
    ),
    spend.BASKET: About(
        "value of the next basket, of a customer who bought in the last 182 days and buys in the next 56", WEEKLY,
        "the margin one more purchase earns now",
        "Says nothing about whether there will be a basket, and nothing about what a contact changes in it.",
    ),
    spend.SPEND: About(
        "spend in the next 56 days, of a customer who bought in the last 182", WEEKLY,
        "a year's margin (365/56 of it), which sets the stake and the value of staying reachable",
        "Two months stand for a year: season, and customers who come or go later, are not in it.",
    ),
    next_category.NAME: About(
        "the product category with most money in the next purchase, of a customer who bought in the last 182 days and buys in the next 56",
        WEEKLY, "what a message may be about; it changes no value and no choice",
        "Rows are pairs of a customer's moment and a candidate: the customer's eight categories with most money and the shop's six. "
        "Any other category is never told. A purchase that follows is not caused by what was told.",
    ),
    propensity.NAME: About(
        "clicked or converted within 7 days of a contact, by journey and channel", SHARES,
        "reach, and the individual part of the effect as far as that was measured",
        "A reaction is not an effect: who reacts might have bought anyway.",
    ),
    propensity.BASE_NAME: About(
        "any purchase within 14 days without a contact", SHARES,
        "what offers pay to those who would have bought anyway",
        "Learned from randomized silence alone; of journeys' own audiences it sees few.",
    ),
    send_time.NAME: About(
        "clicked or converted within 7 days of a contact, by hour-of-week slot", SHARES,
        "which of the admissible windows is best, relative to the customer's mean",
        "That a better hour raises purchases as much as reactions is assumed.",
    ),
    opt_out.NAME: About(
        "unsubscribed or complained within 14 days of a contact, by channel and recent pressure", SHARES,
        "the risk of losing a channel, times what the channel is worth",
        "Rare: below 20 opt-outs in training no model is fitted. Pressure is as of the last feature snapshot.",
    ),
    uplift.NAME: About(
        "incremental orders within 14 days per contact, by journey and channel",
        "no split: an estimate from randomized contacts, shrunk from cell to journey to all to the prior, with its standard deviation",
        "every candidate's value",
        "Contacts without a logged probability say nothing here. Cells with few rows are mostly their journey's mean.",
    ),
    attention.NAME: About(
        "spend lost later per contact, beyond what the contact itself is worth",
        "no split: an estimate from randomized weekly caps, with its interval, shrunk toward the catalog's price",
        "the price of every contact's pressure",
        "One price for all customers. Without randomized caps the catalog's prior stands.",
    ),
}  # fmt: skip


def card(contest: Contest, trial: Trial) -> dict[str, Any]:
    """The model card of one trial."""
    others = [other for other in contest.trials if other is not trial]
    moments = contest.split.train.moments.min(), contest.split.test.moments.max()
    held_out = f"held_out_{contest.loss}"
    return {
        "name": contest.name, "kind": trial.model.kind, "version": trial.model.version, "predicts": ABOUT[contest.name].predicts,
        "window": dict(zip(("from", "to"), (f"{moment}Z" for moment in np.datetime_as_string(moments, unit="s")), strict=True)),
        "held_out_from": f"{np.datetime_as_string(contest.split.test.moments.min(), unit='s')}Z",
        "rows": {"train": len(contest.split.train), "validation": len(contest.split.validation), "test": len(contest.split.test)},
        "features": len(trial.model.features), "inputs": list(trial.model.features), "calibration": asdict(trial.model.calibration),
        held_out: trial.held_out, "validation": trial.validation, "test": trial.test, "parts": dict(trial.parts),
        "best": trial is contest.best, "notes": [*contest.notes, verdict(contest)],
        "challengers": [
            {"kind": other.model.kind, "version": other.model.version, held_out: other.held_out, "test": other.test}
            for other in others
        ],
    }  # fmt: skip


def verdict(contest: Contest) -> str:
    """Which kind won and by how much, in one sentence."""
    linear = "logistic regression" if contest.loss == "log_loss" else "Tweedie regression"
    names = {"tree": "LightGBM", "linear": linear, **REFERENCES}
    first, *others = sorted(contest.trials, key=lambda trial: trial is not contest.best)
    against = " and ".join(f"{other.held_out:.4f} ({names[other.model.kind]})" for other in others) or "nothing"
    loss = contest.loss.replace("_", "-")
    return f"Held-out {loss} {first.held_out:.4f} ({names[first.model.kind]}, promoted) against {against}."


def markdown(described: Mapping[str, Any]) -> str:
    """A card for people."""
    about = ABOUT[described["name"]]
    lines = [
        f"# {described['name']}", "", f"Predicts: {about.predicts}.", "", f"Used for: {about.used_for}.", "",
        f"- Kind: {_kind(described)}, version `{described['version']}`, {'in use once promoted' if described['best'] else 'not in use'}",
        f"- Data window: {described['window']['from']} to {described['window']['to']}",
        f"- Rows: {_rows(described['rows'])}", f"- Split: {about.split}",
    ]  # fmt: skip
    if described.get("simulated"):
        lines.append("- **Learned from simulated rows**, at least in part")
    if "calibration" in described:
        lines.append(f"- Calibration of the margin: {_calibration(described['calibration'])}")
    lines += [*_numbers(described), *_features(described)]
    lines += ["", "## Limits and notes", "", f"- {about.limits}", *(f"- {note}" for note in described.get("notes", ()))]
    return "\n".join(lines) + "\n"


def _numbers(described: Mapping[str, Any]) -> Iterator[str]:
    """Both later parts, every group of the test, and the challengers, one row each."""
    if "test" not in described:
        return
    rows = {"validation, calibrated on it": described["validation"], "**test**": described["test"]}
    rows |= {f"test, {group}": measured for group, measured in described.get("parts", {}).items()}
    rows |= {f"test, beside it {_kind(other)}": other["test"] for other in described["challengers"]}
    columns = list(described["test"])
    yield from ("", "## Measured", "", f"| part | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|")
    for name, measured in rows.items():
        cells = (_number(measured[column]) if column in measured else "" for column in columns)
        yield f"| {name} | {' | '.join(cells)} |"


def _features(described: Mapping[str, Any]) -> Iterator[str]:
    if described.get("inputs"):
        yield from ("", "## Features", "", ", ".join(f"`{name}`" for name in described["inputs"]))


def _kind(described: Mapping[str, Any]) -> str:
    money = "mae" in described.get("test", {})
    linear = "Tweedie regression" if money else "logistic regression"
    return ({"linear": linear} | NAMES)[described["kind"]]


def _rows(rows: Mapping[str, int] | int) -> str:
    return f"{rows:,}" if isinstance(rows, int) else ", ".join(f"{count:,} {part}" for part, count in rows.items())


def _calibration(calibration: Mapping[str, float]) -> str:
    slope, intercept = calibration["slope"], calibration["intercept"]
    same = (slope, intercept) == (1.0, 0.0)
    return "none, it did not help on held-out rows" if same else f"{slope:.4f} * margin + {intercept:.4f}"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.{DIGITS}f}"
