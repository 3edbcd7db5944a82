"""The numbers models are judged by, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluate import auc, calibration_error, gain_table, metrics, reliability

pairs = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.1, 0.2, 0.5, 0.7])), min_size=12, max_size=60
)


@given(pairs)
def test_auc_is_the_chance_that_a_positive_ranks_above_a_negative(rows):
    labels, chances = (np.array(column) for column in zip(*rows, strict=True))
    up, down = chances[labels == 1], chances[labels == 0]
    if len(up) == 0 or len(down) == 0:
        assert auc(labels, chances) == 0.5
        return
    wins = (up[:, None] > down[None, :]).mean() + 0.5 * (up[:, None] == down[None, :]).mean()
    assert auc(labels, chances) == pytest.approx(wins)


def test_a_model_that_is_right_on_average_in_every_bin_has_no_calibration_error():
    chances = np.repeat(np.linspace(0.05, 0.95, 10), 200)
    labels = np.concatenate([np.arange(200) < round(200 * share) for share in np.linspace(0.05, 0.95, 10)]).astype(
        float
    )
    assert calibration_error(labels, chances) == pytest.approx(0.0, abs=1e-9)
    assert calibration_error(labels, np.clip(chances - 0.05, 0, 1)) == pytest.approx(0.05, abs=1e-9)


@given(pairs)
def test_gain_rises_to_all_positives(rows):
    labels, chances = (np.array(column) for column in zip(*rows, strict=True))
    table = gain_table(labels, chances)
    assert (np.diff(table["positives"]) >= -1e-12).all()
    assert table["positives"].iloc[-1] == pytest.approx(1.0 if labels.any() else 0.0)


def test_reliability_uses_every_row_once():
    rng = np.random.default_rng(3)
    chances = rng.random(137)
    table = reliability((rng.random(137) < chances).astype(float), chances)
    assert table["rows"].sum() == 137
    assert len(table) == 10


def test_metrics_of_a_perfect_and_of_a_constant_model():
    labels = np.array([0.0, 1.0] * 20)
    assert metrics(labels, labels)["auc"] == 1.0
    assert metrics(labels, np.full(40, 0.5))["auc"] == 0.5
    assert metrics(labels, np.full(40, 0.5))["log_loss"] == pytest.approx(np.log(2))
