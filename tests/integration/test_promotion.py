"""The champion gate on the example shop: what is refused and leaves everything as it was, what passes, what is forced and kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import pytest

from arbitration.codec import canonical_json, decode
from arbitration.errors import InputError
from dirigent import prepare
from features.home import Home
from tests.integration.planting import WHY, described, everything, home, plant, promoted, shuffled, split
from tests.lengths import short_first
from training import bundle, effects_exam, history
from training.calibration import Calibration
from training.dataset import Split
from training.effects import Effects
from training.examiners import Rows, unseen
from training.fitting import fit_linear
from training.pipeline import NAMES
from training.promotion import Refused, promote
from training.registry import CANDIDATE, CHAMPION, Registered, Registry, registered
from training.verdict import Verdict

__all__ = ["home", "promoted", "split"]


def blunted(champion: Registered) -> dict[str, bytes]:
    """The champion with half of its slope: same ranking, wrong probabilities."""
    model: Any = champion.model()
    return described(replace(model, calibration=Calibration(model.calibration.slope / 2, model.calibration.intercept)))


def flat(champion: Registered) -> dict[str, bytes]:
    """One rate for every hour of the week."""
    timing = json.loads(champion.files["send_time.curve.json"])
    rate, weight = timing["curve"]["rate"], timing["curve"]["weight"]
    timing["curve"]["rate"] = [float(np.dot(rate, weight))] * len(rate)
    return {"send_time.curve.json": json.dumps(timing | {"weight": 0.0}).encode()}


def doubled(champion: Registered) -> dict[str, bytes]:
    """Every contact is believed to bring twice of what it brings."""

    def larger(effects: Effects) -> Effects:
        cells = {name: replace(belief, mean=2 * belief.mean) for name, belief in effects.tau.cells.items()}
        return replace(effects, tau=replace(effects.tau, cells=cells))

    names = ("effects.json", effects_exam.FILE)
    return {name: canonical_json(larger(decode(Effects, json.loads(champion.files[name])))) for name in names}


def only(verdicts: tuple[Verdict, ...]) -> Verdict:
    (verdict,) = verdicts
    return verdict


WORSE = {
    "next_basket": blunted, "spend": blunted, "channel_propensity": blunted, "base_purchase": blunted, "send_time": flat,
    "opt_out": blunted, "effects": doubled, "next_category": blunted,
}  # fmt: skip
WITHOUT_EXAM = "attention"
"""An estimate whose rows are not held back; it goes on as it is, or by force."""


def check_worse(verdict: Verdict, name: str, version: int) -> None:
    assert (verdict.model, verdict.challenger, verdict.result) == (name, version, "worse")
    assert verdict.measured is not None
    assert verdict.measured.customers > 1000
    assert verdict.measured.low is not None
    assert verdict.measured.low < verdict.measured.difference < 0
    assert verdict.measured.low < -verdict.measured.tolerance


def test_a_worse_challenger_is_refused_with_numbers_and_everything_stays(home: Home, split: Split):
    name = "churn_risk"
    version, before = plant(home, name, shuffled(split)), everything(home)
    with pytest.raises(Refused, match=f"version {version} of {name} against champion") as caught:
        promote(home, name)
    assert everything(home) == before
    check_worse(only(caught.value.verdicts), name, version)
    assert f'dirigent promote {name} --force --reason "WHY"' in caught.value.mend
    assert bundle.load(home).digest == bundle.current(home)


@pytest.mark.long
def test_worse_challengers_of_every_other_model_are_refused_with_numbers_and_everything_stays(home: Home):
    """All at once: they are examined on rows that are read once."""
    assert {*WORSE, "churn_risk", WITHOUT_EXAM} == set(NAMES)
    versions = {name: plant(home, name, worse(registered(home, name))) for name, worse in WORSE.items()}
    before = everything(home)
    with pytest.raises(Refused) as caught:
        promote(home)
    assert everything(home) == before
    assert {verdict.model for verdict in caught.value.verdicts} == set(versions)
    for verdict in caught.value.verdicts:
        check_worse(verdict, verdict.model, versions[verdict.model])
        assert f"version {verdict.challenger} of {verdict.model} against champion" in str(caught.value)
    assert bundle.load(home).digest == bundle.current(home)


def test_an_equal_challenger_and_a_hardly_different_one_pass(home: Home):
    champion = registered(home, "churn_risk")
    plant(home, "churn_risk", {}, {"notes": ["trained again"]})
    assert only(promote(home).verdicts).result == "same"
    model: Any = champion.model()
    moved = Calibration(model.calibration.slope * 1.001, model.calibration.intercept)
    version = plant(home, "churn_risk", described(replace(model, calibration=moved)))
    verdict = only(promote(home).verdicts)
    assert (verdict.result, verdict.measured is None) == ("passed", False)
    assert registered(home, "churn_risk").version == version
    assert bundle.load(home).metrics["churn_risk"]["registered"] == version


def test_force_with_a_reason_is_recorded_and_the_way_back_is_an_exam_too(home: Home, split: Split):
    old, before = registered(home, "churn_risk").version, bundle.current(home)
    version = plant(home, "churn_risk", shuffled(split))
    forced = promote(home, "churn_risk", forced=f"  {WHY}\n")
    assert bundle.current(home) == forced.digest != before
    assert registered(home, "churn_risk").version == version
    last = history.read(home)[-1]
    assert (last.forced, last.previous, last.digest) == (WHY, before, forced.digest)
    assert only(last.verdicts).result == "worse"
    tags = Registry(home).client.get_model_version("churn_risk", str(version)).tags
    assert tags["forced"] == WHY
    assert tags["promoted_in"] == forced.digest
    assert json.loads(tags["exam"])["result"] == "worse"
    assert (home.bundles / before / bundle.MANIFEST).exists()

    better = only(promote(home, "churn_risk", old).verdicts)  # the real model, against one that knows nothing
    assert better.result == "passed"
    assert better.measured is not None
    assert better.measured.low is not None
    assert better.measured.low > 0
    assert bundle.current(home) == before
    assert [one.forced for one in history.read(home)] == [None, WHY, None]


def test_force_without_a_reason_is_refused(home: Home):
    before = everything(home)
    for reason in ("", "  \n", "...", "x" * 501):
        with pytest.raises(InputError, match="needs a reason"):
            promote(home, forced=reason)
        assert everything(home) == before


def test_the_first_promotion_needs_no_exam(home: Home):
    registry = Registry(home)
    for name in NAMES:
        registry.client.delete_registered_model_alias(name, CHAMPION)
    assert {(one.model, one.result, one.champion) for one in promote(home).verdicts} == {
        (n, "first", None) for n in NAMES
    }
    assert all(registered(home, name).version for name in NAMES)


def test_one_that_fails_keeps_back_all_and_the_others_are_named(home: Home, split: Split):
    plant(home, "churn_risk", shuffled(split))
    version, before = plant(home, "effects", {}, {"notes": ["again"]}), everything(home)
    with pytest.raises(Refused, match="churn_risk") as caught:
        promote(home)
    assert everything(home) == before
    assert {one.model: one.refused for one in caught.value.verdicts} == {"churn_risk": True, "effects": False}
    assert "dirigent promote effects\n" in caught.value.mend
    assert "dirigent promote --force" in caught.value.mend
    promote(home, "effects")
    assert registered(home, "effects").version == version


def test_a_challenger_is_never_examined_on_what_it_learned_from(home: Home, split: Split):
    """One that learned until yesterday has no exam; effects are judged by those measured without the newest contacts."""
    plant(home, "churn_risk", shuffled(split), {"held_out_from": "2031-01-01T00:00:00Z"})
    champion = registered(home, "effects")
    plant(home, "effects", {**doubled(champion), effects_exam.FILE: champion.files[effects_exam.FILE]})
    with pytest.raises(Refused) as caught:
        promote(home)
    churned, effect = caught.value.verdicts
    assert churned.result == "not_examined"
    assert "no rows after what both learned from" in str(caught.value)
    assert (
        effect.result == "passed"
    )  # alike in what they learned from the exam's past, whatever they have learned since
    assert effect.measured is not None
    assert effect.measured.difference == 0


@pytest.mark.parametrize(
    ("which", "card", "said"),
    short_first(
        [
            ("challenger", {"held_out_from": None}, "kept nothing back"),
            ("champion", {"held_out_from": None}, ""),
            ("champion", {"features": ("gone_1d",)}, "features that are not computed any more: gone_1d"),
        ],
        1,
    ),
)
def test_what_cannot_be_examined_says_why(home: Home, split: Split, which: str, card: dict[str, Any], said: str):
    features = card.pop("features", ())
    known = split.train if not features else replace(split.train, features=features, rows=split.train.rows[:, :1])
    odd, real = described(fit_linear("churn_risk", known)), registered(home, "churn_risk")
    if which == "champion":
        odd_version = plant(home, "churn_risk", odd, card)
        Registry(home).point("churn_risk", CHAMPION, odd_version)
        Registry(home).point("churn_risk", CANDIDATE, real.version)
    else:
        plant(home, "churn_risk", odd, card)
    if said:
        with pytest.raises(Refused, match=said) as caught:
            promote(home, "churn_risk")
        assert only(caught.value.verdicts).result == "not_examined"
    else:
        assert "errs to its side" in only(promote(home, "churn_risk").verdicts).notes[0]


def test_a_champion_whose_files_are_gone_is_not_taken_for_none(home: Home, split: Split):
    """Otherwise removing its folder would open the gate."""
    plant(home, "churn_risk", shuffled(split))
    run = Registry(home).client.get_model_version("churn_risk", str(registered(home, "churn_risk").version)).run_id
    shutil.rmtree(home.mlflow / "artifacts" / "churn_risk" / str(run))
    with pytest.raises(Refused, match="cannot be examined"):
        promote(home, "churn_risk")


@pytest.mark.long
def test_exam_rows_are_the_test_part_of_the_training(shop_home: Home, split: Split):
    chosen = {name: registered(shop_home, name) for name in NAMES}
    rows = Rows(shop_home, chosen, lambda _text: None)
    assert sorted(rows.active["customer_id"]) == sorted(split.test.customers)
    sent, _ = unseen(rows.sent(), chosen["channel_propensity"], chosen["channel_propensity"])
    assert len(sent) == chosen["channel_propensity"].card["rows"]["test"]
    assert not (shop_home.bundles / bundle.current(shop_home) / effects_exam.FILE).exists()
    assert effects_exam.hold_back(rows.silent()) == ({}, {})
    assert effects_exam.hold_back(rows.contacts.head(30))[0] == {}


@pytest.mark.long
def test_effects_held_back_again_are_those_of_the_training(shop_home: Home):
    champion = registered(shop_home, "effects")
    learned, card = effects_exam.hold_back(Rows(shop_home, {}, lambda _text: None).contacts)
    assert learned[effects_exam.FILE] == champion.files[effects_exam.FILE]
    assert card["held_out_from"] == champion.card["held_out_from"]


def test_where_contacts_have_lost_their_probabilities_their_models_cannot_be_examined(home: Home):
    plant(home, "base_purchase", blunted(registered(home, "base_purchase")))
    path = home.tables / "contacts.parquet"
    with duckdb.connect() as connection:
        rows = f"SELECT * REPLACE (CAST(NULL AS DOUBLE) AS probability) FROM read_parquet('{path}')"
        connection.execute(f"COPY ({rows}) TO '{path}.new' (FORMAT parquet)")
    path.with_suffix(".parquet.new").replace(path)
    with pytest.raises(Refused, match=r"it cannot be examined .*no randomized contacts"):
        promote(home, "base_purchase")


@pytest.mark.long
def test_preparing_the_example_shows_a_refusal_and_then_takes_what_the_code_makes(
    home: Home, split: Split, capsys: pytest.CaptureFixture[str]
):
    version = plant(home, "churn_risk", shuffled(split))
    prepare._promote(home, lambda _text: None)
    assert registered(home, "churn_risk").version == version
    assert "prepared anew" in str(history.read(home)[-1].forced)
    assert "refused: worse" in capsys.readouterr().out


def test_a_bundle_that_cannot_be_written_leaves_no_record_and_no_new_champion(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    plant(home, "churn_risk", {}, {"notes": ["again"]})
    before = everything(home)
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(bundle, "_place", lambda *_given: (_ for _ in ()).throw(full))
    with pytest.raises(OSError, match="No space"):
        promote(home)
    assert everything(home) == before
