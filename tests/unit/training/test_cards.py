"""Model cards for people: everything a reviewer asks for stands in them, and no customer."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from arbitration.codec import encode
from training import attention, contest
from training.amounts import compete as compete_amounts
from training.attention import Attention
from training.cards import ABOUT, card, markdown
from training.contest import Contest
from training.dataset import Dataset, Split
from training.fitting import Recipe
from training.pipeline import NAMES

from .conftest import RECIPE, invented, spent


def split(data: Dataset) -> Split:
    place = np.arange(len(data))
    groups = np.where(place % 2 == 0, "email", "sms")
    data = replace(data, groups=groups)
    return Split(*(data.where(part) for part in (place < 300, (place >= 300) & (place < 450), place >= 450)))


@pytest.fixture(scope="module", params=["churn_risk", "spend"])
def found(request: pytest.FixtureRequest) -> Contest:
    if request.param == "churn_risk":
        return contest.compete("churn_risk", split(invented()), RECIPE, ("A note of this run.",))
    recipe = Recipe(leaves=5, learning_rate=0.1, trees=12, min_rows=20, link="log")
    return compete_amounts(
        "spend", split(spent()), recipe, own_mean=("money_182d",), scale=1.0, notes=("A note of this run.",)
    )


def test_every_model_is_described():
    assert set(ABOUT) == set(NAMES)


def test_a_card_holds_window_features_numbers_by_group_challengers_and_limits(found: Contest):
    described = card(found, found.best)
    text = markdown(described)
    assert text.startswith(f"# {found.name}\n")
    assert ABOUT[found.name].predicts in text
    assert ABOUT[found.name].limits in text
    assert "2017-05-01T00:00:00Z to 2017-05-25T23:00:00Z" in text
    assert "300 train, 150 validation, 150 test" in text
    assert found.best.model.version in text
    for line in (
        "| validation, calibrated on it |",
        "| **test** |",
        "| test, email |",
        "| test, sms |",
        "- A note of this run.",
    ):
        assert line in text
    assert text.count("| test, beside it ") == len(found.trials) - 1
    for name in found.best.model.features:
        assert f"`{name}`" in text
    assert not any(customer in text.split() for customer in set(found.split.test.customers))
    assert "simulated" not in text
    json.dumps(described, allow_nan=False)


def test_a_table_of_numbers_has_as_many_cells_in_every_row(found: Contest):
    rows = [line for line in markdown(card(found, found.best)).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    measured = found.best.test["log_loss" if found.name == "churn_risk" else "deviance"]
    assert f"{measured:.4f}" in next(line for line in rows if "**test**" in line)


def test_a_card_says_whether_the_model_is_the_one_in_use(found: Contest):
    said = ["not in use" in markdown(card(found, trial)) for trial in found.trials]
    assert said == [trial is not found.best for trial in found.trials]


def test_simulated_rows_are_named(found: Contest):
    assert "**Learned from simulated rows**" in markdown(card(found, found.best) | {"simulated": True})


def test_what_is_measured_without_a_split_has_a_card_too():
    measured = Attention(2.0, 0.2, 400.0, 3000, 36_000, {"email": 1.0}, version="v")
    text = markdown({
        "name": attention.NAME, "kind": "wald", "version": "attention-v", "window": {"from": "a", "to": "b"}, "rows": measured.rows, "best": True,
        "measured": encode(measured), "notes": attention.notes(measured),
    })  # fmt: skip
    assert "2.0000 (95 %: 1.6080 to 2.3920), from 3,000 customers in 36,000 weeks" in text
    assert "## Measured" not in text
