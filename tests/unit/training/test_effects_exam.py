"""The exam of effects on invented contacts whose true effects are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from arbitration.codec import canonical_json
from training import effects_exam, propensity
from training.effects import Belief, Beliefs, Effects
from training.exam import NoExam, mark
from training.labels import EFFECT_DAYS

TRUE = {"welcome/email": 0.20, "welcome/push": 0.0, "win_back/email": 0.05, "win_back/push": 0.10}


def believing(effects: dict[str, float]) -> Effects:
    cells = {name: Belief(mean, 0.01, 100) for name, mean in effects.items()}
    journeys = {name.split("/")[0]: Belief(0.1, 0.01, 100) for name in effects}
    tau = Beliefs(cells, journeys, Belief(0.1, 0.01, 400))
    return Effects(tau, tau, {}, 14, "0" * 12, outcome="bought")


@pytest.fixture(scope="module")
def shop() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Contacts, silent moments and P(engage); a purchase without contact hangs on the first feature, the effect on the cell."""
    rng, count = np.random.default_rng(4), 24_000
    features = {name: rng.normal(size=count) for name in propensity.CUSTOMER_FEATURES}
    base = 0.1 + 0.2 * (features[propensity.CUSTOMER_FEATURES[0]] > 0)
    cell = rng.choice(list(TRUE), count)
    silent = rng.random(count) < 0.4
    chance = base + np.where(silent, 0.0, [TRUE[name] for name in cell])
    frame = pd.DataFrame(
        features | {
            "customer_id": [f"c{n}" for n in rng.integers(0, 3000, count)],
            "event_timestamp": pd.Timestamp("2026-01-01", tz="UTC"),
            "journey": [name.split("/")[0] for name in cell], "channel": [name.split("/")[1] for name in cell],
            "probability": rng.choice([0.2, 0.4], count), "bought": (rng.random(count) < chance).astype(float),
        }
    )  # fmt: skip
    return frame[~silent], frame[silent], np.full(int((~silent).sum()), 0.1)


def examined(shop, champion: dict[str, float], challenger: dict[str, float]):
    sent, silent, chances = shop
    return mark(effects_exam.sheet(sent, silent, chances, believing(champion), believing(challenger)), 0.02)


def test_the_difference_is_that_of_the_squared_errors_of_the_true_effect(shop):
    wrong = dict(zip(TRUE, reversed(TRUE.values()), strict=True))
    result, found = examined(shop, wrong, TRUE)
    squared = np.mean([(wrong[name] - TRUE[name]) ** 2 for name in TRUE])
    assert result == "passed"
    assert found.low is not None
    assert found.error is not None
    assert found.low > 0
    assert abs(found.difference - squared) < 3 * found.error


@pytest.mark.parametrize(
    "worse",
    [
        dict(zip(TRUE, reversed(TRUE.values()), strict=True)),
        {name: 2.5 * effect for name, effect in TRUE.items()},
        dict.fromkeys(TRUE, 0.0),
        {name: -effect for name, effect in TRUE.items()},
    ],
    ids=["misplaced", "inflated", "nothing", "reversed"],
)
def test_wrong_effects_are_worse_than_the_true_ones(shop, worse: dict[str, float]):
    assert examined(shop, TRUE, worse)[0] == "worse"


def test_effects_that_differ_as_two_trainings_do_pass(shop):
    rng = np.random.default_rng(1)
    near = {name: effect + rng.normal(0, 0.005) for name, effect in TRUE.items()}
    assert examined(shop, TRUE, near)[0] == "passed"


def test_contacts_of_a_journey_that_the_champion_never_saw_are_left_out(shop):
    known = {name: effect for name, effect in TRUE.items() if name.startswith("welcome")}
    sent, silent, chances = shop
    paper = effects_exam.sheet(sent, silent, chances, believing(known), believing(TRUE))
    assert len(paper.customers) == (sent["journey"] == "welcome").sum()


def test_effects_that_count_other_purchases_cannot_be_compared(shop):
    sent, silent, chances = shop
    with pytest.raises(NoExam, match="the champion counts purchases that were ordered"):
        effects_exam.sheet(sent, silent, chances, replace(believing(TRUE), outcome="ordered"), believing(TRUE))


def test_a_challenger_is_examined_by_what_it_held_back_and_a_champion_by_what_it_has():
    files = {"effects.json": canonical_json(believing(TRUE))}
    assert effects_exam.held_back(files, strictly=False) == (believing(TRUE), True)
    with pytest.raises(NoExam, match="kept nothing back"):
        effects_exam.held_back(files, strictly=True)
    other = believing(dict.fromkeys(TRUE, 0.3))
    assert effects_exam.held_back(files | {effects_exam.FILE: canonical_json(other)}, strictly=True) == (other, False)


def test_effects_held_back_know_nothing_of_the_newest_contacts_and_of_what_was_not_over_by_then(shop):
    sent, silent, _ = shop
    rng, rows = np.random.default_rng(2), pd.concat([sent[:1000], silent[:1000]], ignore_index=True)
    drawn = {name: rng.normal(size=len(rows)) for name in propensity.CHANNEL_FEATURES}
    drawn |= {name: (rng.random(len(rows)) < 0.1).astype(float) for name in ("engaged", "opted_out", "ordered")}
    drawn |= {
        "arm": np.repeat(["random", "silence"], 1000),
        "age": pd.to_timedelta(rng.permutation(len(rows)), unit="h"),
    }
    rows = rows.assign(**drawn)
    rows["event_timestamp"] += rows.pop("age")
    held, card = effects_exam.hold_back(rows)
    start = pd.Timestamp(card["held_out_from"])
    treated = rows.loc[rows["arm"] == "random", "event_timestamp"]
    assert (treated < start).mean() == pytest.approx(1 - effects_exam.KEPT_BACK)
    open_then = rows["event_timestamp"] + timedelta(days=EFFECT_DAYS) > start
    assert open_then.sum() > (rows["event_timestamp"] >= start).sum() > 0
    for torn, same in ((open_then, True), (~open_then, False)):
        told = {name: rows[name].where(~torn, 1 - rows[name]) for name in ("engaged", "bought", "ordered")}
        again, _ = effects_exam.hold_back(rows.assign(**told))
        assert (again == held) == same
