"""What is ours when public learners stand beside us: encoding, choosing by effects, valuing, and what Vowpal Wabbit is told."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks.quality import vowpal
from benchmarks.quality.peer_vw import described, shared
from benchmarks.quality.peers import Outcome, arms_of, asked, encoded, line, outcome
from training.simulator.market import laws as law
from training.simulator.market.laws import WORLDS
from training.simulator.market.play import Market
from training.simulator.market.policies import SCARCE_CANDIDATES

STAND_IN = """
class Workspace:
    learned = 0

    def __init__(self, options):
        assert "--cb_explore_adf" in options

    def learn(self, lines):
        assert sum(line.startswith("0:") for line in lines) == 1
        Workspace.learned += 1

    def predict(self, lines):
        assert lines[0].startswith("shared |S")
        count = len(lines) - 1
        return [1.0] + [0.0] * (count - 1) if Workspace.learned else [1 / count] * count
"""


def customers(channels: list[str]) -> pd.DataFrame:
    count = len(channels)
    return pd.DataFrame({
        "recency": np.arange(count), "history": 5.0, "mens": 1, "womens": np.arange(count) % 2, "newbie": 0,
        "zip_code": ["Rural", "Urban"] * (count // 2), "channel": channels,
    })  # fmt: skip


def test_the_greatest_effect_above_nothing_is_chosen_and_else_silence():
    effects = np.array([[0.2, 0.1], [-0.1, 0.3], [-0.2, -0.1], [0.0, 0.0], [np.nan, 0.1], [np.nan, np.nan]])
    assert arms_of(effects).tolist() == [1, 2, 0, 0, 2, 0]


def test_the_other_half_is_encoded_by_what_the_learning_half_knows():
    known = customers(["Phone", "Web", "Phone", "Web"])
    other = customers(["Web", "Multichannel"])
    columns = encoded(known, known)
    assert columns.shape == (4, 7)
    assert columns[:, 0].mean() == pytest.approx(0)
    assert columns[:, 0].std() == pytest.approx(1)
    assert np.isfinite(columns).all()
    assert encoded(other, known)[:, -1].tolist() == [1.0, 0.0]


def test_a_policy_is_valued_against_the_constant_row_by_row():
    values = np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 1.0]])
    same = outcome(np.array([[0.0, 1.0, 0.0]] * 2), values, 1, 0.5)
    assert same == Outcome(0.0, 0.0, 2.0, 0.0, 0.5)
    luck = outcome(np.full((2, 3), 1 / 3), values, 1, 0.0)
    assert luck.gain == pytest.approx((0.0 - 5 / 3) / 2)
    assert luck.silent == pytest.approx(1 / 3)


def test_halvings_share_their_rows_so_more_of_them_do_not_narrow_the_interval():
    one = Outcome(0.001, 0.002, 0.1, 0.25, 1.0)
    worse = Outcome(-0.001, 0.002, 0.1, 0.25, 3.0)
    text = line("somebody", [one, worse] * 5)
    assert "+0.00000 (-0.00392 to +0.00392)" in text
    assert "-1.00%" in text
    assert "25.0%" in text
    assert "3.0 s" in text


@pytest.mark.parametrize("python", ["./there-is-none", sys.executable])
def test_peers_that_cannot_run_end_it_with_a_word(python, tmp_path):
    with pytest.raises(SystemExit, match="nothing was compared"):
        asked(python, tmp_path, ["-c", "import no_such_peer"])


def test_the_scarce_channel_is_shown_to_no_more_than_the_quota_and_drawn_by_what_was_shown():
    rng = np.random.default_rng(1)
    admissible = rng.random((500, law.CANDIDATES)) < 0.6
    admissible[:, law.SILENCE] = True
    shown = vowpal.offered(admissible, 20, rng)
    assert shown[:, SCARCE_CANDIDATES].any(axis=1).sum() == 20
    others = np.setdiff1d(np.arange(law.CANDIDATES), SCARCE_CANDIDATES)
    assert (shown[:, others] == admissible[:, others]).all()
    odds = shown / shown.sum(axis=1, keepdims=True)
    candidate = vowpal.drawn(odds, rng)
    assert shown[np.arange(500), candidate].all()
    assert np.isin(candidate, SCARCE_CANDIDATES).any()


def test_a_history_shows_what_was_done_among_the_moments_journeys():
    entry = Market(WORLDS["strong"], 1, customers=300).start[1].entries[0]
    shown = vowpal.presumed(entry)
    assert shown[np.arange(300), entry.candidate].all()
    assert not shown.all()


def test_the_bandit_plays_the_market_through_a_child_that_ends_with_it(tmp_path, monkeypatch):
    (tmp_path / "vowpalwabbit.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv(vowpal.VARIABLE, sys.executable)
    policy = vowpal.VowpalWabbit()
    child = policy._child
    run = Market(WORLDS["strong"], 1, customers=100, weeks=5).run(policy)
    assert run.contacts.sum() == 0, "the stand-in answers silence once it has learned"
    assert policy._learned == set(range(-8, 2))
    del policy
    assert child.returncode == 0


def test_the_bandit_says_what_it_needs(monkeypatch):
    monkeypatch.delenv(vowpal.VARIABLE, raising=False)
    with pytest.raises(RuntimeError, match="must name the Python"):
        vowpal.VowpalWabbit()
    monkeypatch.setenv(vowpal.VARIABLE, sys.executable)
    monkeypatch.setattr(vowpal, "PEER_SIDE", vowpal.PEER_SIDE.with_name("there_is_none.py"))
    with pytest.raises(RuntimeError, match="ended early"):
        Market(WORLDS["strong"], 1, customers=50, weeks=1).run(vowpal.VowpalWabbit())


def test_a_row_and_an_action_are_written_as_vowpal_wabbit_reads_them():
    assert shared(np.array([[0.5, -2.0]])) == ["shared |S f0:0.5 f1:-2"]
    assert described("silence") == "|A a=silence"
    assert described("cart_recovery/sms") == "|A a=cart_recovery/sms p0=cart_recovery p1=sms"
