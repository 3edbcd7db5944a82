"""`dirigent choose` as a shop runs it: files in, the chosen arms and a report out; what is wrong is one line and exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from pyarrow import parquet

from tests.unit.training.invented_experiment import CONTENT, asked, experiment, given, table

SECONDS = 300


@pytest.fixture
def folder(tmp_path):
    parquet.write_table(table(experiment(2000, difference=1.0)), tmp_path / "train.parquet")
    parquet.write_table(asked(), tmp_path / "test.parquet")
    (tmp_path / "spec.yaml").write_text(json.dumps(CONTENT))  # JSON is YAML
    return tmp_path


def choose(folder, train="train.parquet"):
    words = [
        "choose",
        "--train",
        train,
        "--test",
        "test.parquet",
        "--spec",
        "spec.yaml",
        "--out",
        "actions.parquet",
        "--report",
        "report.json",
    ]
    return subprocess.run(
        [sys.executable, "-m", "dirigent.main", *words], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
    )  # fmt: skip


def test_files_in_actions_and_report_out(folder):
    done = choose(folder)
    assert done.returncode == 0, done.stderr
    actions = parquet.read_table(folder / "actions.parquet")
    assert actions["row"].to_pylist() == asked()["row"].to_pylist()
    assert (given(actions).sum(axis=1) == 1).all()
    report = json.loads((folder / "report.json").read_text())
    assert report["evidence"]["tier"] == 2
    assert "tier 2" in done.stdout
    assert "gain shown" in done.stdout


def test_a_leak_is_refused_on_one_line_and_nothing_is_written(folder):
    rows = experiment(2000)
    parquet.write_table(table(rows.assign(orders=rows["money"])), folder / "leaking.parquet")
    done = choose(folder, "leaking.parquet")
    assert done.returncode == 2
    assert "'orders' tells the reward" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        "leaking.parquet",
        "spec.yaml",
        "test.parquet",
        "train.parquet",
    ]
