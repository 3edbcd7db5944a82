"""A spec that cannot be right is refused with the field, before any table is read."""

from __future__ import annotations

import pytest

from arbitration.errors import InputError
from tests.unit.training.invented_experiment import CONTENT, spec
from training.experiment.spec import parse_spec, read_spec


def test_a_whole_spec_is_read_from_yaml(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(
        "id: row\narm: arm\nsilence: no\nreward: money\nmargin: 0.3\nprobability: {no: 0.5, 1: 0.5}\n"
        "cost: {1: 0.6}\ncluster: household\nfeatures: [recency, region]\n"
    )
    found = read_spec(path)
    assert found.silence == "no"
    assert found.probability == {"no": 0.5, "1": 0.5}
    assert found.named_arms() == ("no", "1")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"probability": {"none": 0.0, "spring": 1.0}}, "arm 'none' must be above 0"),
        ({"probability": {"none": 0.5, "spring": 1.5}}, "arm 'spring' must be above 0 and at most 1"),
        ({"probability": {"none": float("nan"), "spring": 0.5}}, "arm 'none' must be above 0"),
        ({"probability": {"none": 0.5, "spring": 0.3}}, "must sum to 1"),
        ({"probability": {"spring": 0.5, "sale": 0.5}}, "silence names arm 'none'"),
        ({"cost": {"winter": 0.1}}, "cost names arm 'winter'"),
        ({"cost": {"sale": -1}}, "0 or more"),
        ({"margin": 0}, "margin must be a number above 0"),
        ({"features": ["money"]}, "'money' is the reward and cannot be a feature: it would leak"),
        ({"features": ["arm"]}, "'arm' is the arm and cannot be a feature"),
        ({"features": ["recency", "recency"]}, "twice"),
        ({"arm": "money"}, "three different columns"),
        ({"rewards": "money"}, "rewards is no field of a spec"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(changed, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        spec(**changed)


def test_a_spec_without_probabilities_is_refused_with_the_reason():
    without = {key: value for key, value in CONTENT.items() if key != "probability"}
    with pytest.raises(InputError, match="probability is missing: a log without probabilities"):
        parse_spec(without)


def test_all_faults_are_told_at_once():
    with pytest.raises(InputError, match=r"id is missing.*reward is missing"):
        parse_spec({"arm": "arm", "silence": "none", "probability": {"none": 1.0}})


@pytest.mark.parametrize("text", ["[1, 2]", "id: [", "id: 1: 2"])
def test_a_file_that_is_no_spec_is_refused(tmp_path, text):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(InputError):
        read_spec(path)


def test_a_spec_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_spec(tmp_path / "spec.yaml")
