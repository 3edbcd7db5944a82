"""A LightGBM text that would crash the library is refused before the library sees it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from arbitration.errors import BundleError
from training.models import TreeModel
from training.structure import check_trees

ROOT = Path(__file__).resolve().parents[3]

# Each changes one number somewhere in the model; what passes the check must not crash the library.
FUZZ = """
import random, re, sys
from arbitration.errors import BundleError
from training.booster import Booster
from training.structure import check_trees
import numpy as np

text, rows = sys.stdin.read(), np.random.default_rng(1).gamma(2, 10, (40, 3))
numbers = [m.span() for m in re.finditer(r"-?\\d+(\\.\\d+)?([eE][-+]?\\d+)?", text.split("end of trees")[0])]
random.seed(5)
refused = passed = 0
for _ in range(600):
    start, end = random.choice(numbers)
    value = random.choice(["0", "1", "-1", "7", "99999", "-99999", "2147483647", "nan", "inf", "1e308", ""])
    changed = text[:start] + value + text[end:]
    try:
        check_trees(changed, 3, "fuzz")
    except BundleError:
        refused += 1
        continue
    try:
        booster = Booster(changed)
        booster.margins(rows), booster.contributions(rows)
    except BundleError:
        pass
    passed += 1
print(refused, passed)
"""


def test_a_sound_model_passes(tree: TreeModel):
    assert check_trees(tree.text(), 3, "model") == 12


def test_what_passes_the_check_never_crashes_the_library(tree: TreeModel):
    done = subprocess.run(
        [sys.executable, "-c", FUZZ], input=tree.text(), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    refused, passed = map(int, done.stdout.split())
    assert refused > 100
    assert refused + passed == 600


def first(name: str, text: str, value: str, at: int = 0) -> str:
    """The text with one number of the first tree's `name` line replaced; sizes stay right where the length does."""
    line = re.search(rf"^{name}=(.*)$", text, re.MULTILINE)
    assert line
    numbers = line.group(1).split(" ")
    old = numbers[at]
    numbers[at] = value[: len(old)] if len(value) >= len(old) else value
    return text[: line.start(1)] + " ".join(numbers) + text[line.end(1) :]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("split_feature", "9", "a feature that does not exist"),
        ("left_child", "9", "is not a tree"),
        ("right_child", "0", "is not a tree"),
        ("decision_type", "71", "decision type"),
        ("num_cat", "1", "categories"),
        ("is_linear", "1", "linear"),
        ("max_feature_idx", "3", "does not read 3 features"),
        ("num_class", "2", "more than one class"),
    ],
)
def test_one_wrong_number_is_named(tree: TreeModel, name: str, value: str, says: str):
    with pytest.raises(BundleError, match=says):
        check_trees(first(name, tree.text(), value), 3, "model")


def test_a_cycle_is_refused(tree: TreeModel):
    """Both children lines hold every node once, but a node is reached from one behind it."""
    line = re.search(r"left_child=(.*)\nright_child=(.*)\n", tree.text())
    assert line
    left, right = line.group(1).split(), line.group(2).split()
    both = [*left, *right]
    inner = [at for at, child in enumerate(both) if int(child) > 0]
    leaf = next(at for at, child in enumerate(both) if int(child) < 0 and at % len(left) >= int(both[inner[0]]))
    both[inner[0]], both[leaf] = both[leaf], both[inner[0]]
    body = f"left_child={' '.join(both[: len(left)])}\nright_child={' '.join(both[len(left) :])}\n"
    with pytest.raises(BundleError, match="cycle"):
        check_trees(tree.text().replace(line.group(0), body, 1), 3, "model")


@pytest.mark.parametrize("text", ["", "tree\nversion=v4\n", "not a model at all"])
def test_what_is_no_model_is_refused(text: str):
    with pytest.raises(BundleError, match="not a sound LightGBM model"):
        check_trees(text, 3, "model")


def test_a_lost_tree_is_refused(tree: TreeModel):
    text = tree.text()
    start, end = text.index("Tree=3\n"), text.index("Tree=4\n")
    with pytest.raises(BundleError):
        check_trees(text[:start] + text[end:], 3, "model")
