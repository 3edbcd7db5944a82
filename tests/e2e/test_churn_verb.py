"""`dirigent churn` as a person runs it, on simulated purchases: files, exit codes, messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from arbitration.errors import DirigentError
from dirigent.main import app
from tests.unit.training.simulated_purchases import CUTOFF, simulated_purchases, written


def churn(folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "dirigent.main",
        "churn",
        "--out",
        str(folder / "p.parquet"),
        "--report",
        str(folder / "r.json"),
    ]
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def quickly(folder, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same in this process; what `dirigent.main.run` does with an error is seen where a process of its own is started."""
    files = ("--out", str(folder / "p.parquet"), "--report", str(folder / "r.json"))
    done = CliRunner().invoke(app, ["churn", *files, *arguments])
    if isinstance(done.exception, DirigentError):
        return subprocess.CompletedProcess(arguments, done.exception.exit_code, done.stdout, str(done.exception))
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return written(simulated_purchases(250), tmp_path_factory.mktemp("shop"))


def test_a_file_becomes_probabilities_and_a_report(shop, tmp_path):
    done = churn(tmp_path, "--events", str(shop), "--cutoff", CUTOFF, "--active-days", "90", "--horizon", "45")
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(tmp_path / "p.parquet")
    assert table.columns.tolist() == ["customer_id", "probability"]
    assert len(table) > 50
    assert table["probability"].between(0, 1).all()
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["question"] == {"cutoff": f"{CUTOFF}T00:00:00+00:00", "active_days": 90, "horizon_days": 45}
    assert report["back_test"]["measures"]["blend"]["auc"] > 0.6
    assert "features at" in done.stdout
    assert "bg_nbd" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.parquet", "r.json"]


def test_wrong_requests_are_one_line_and_leave_no_file(shop, tmp_path):
    for run, arguments, words in (
        (churn, ("--events", str(shop), "--cutoff", "soon"), "'soon' is no date"),
        (quickly, ("--events", str(shop), "--cutoff", "1999-01-01"), "no event of type purchase before the cutoff"),
        (quickly, ("--events", str(tmp_path / "none.parquet"), "--cutoff", CUTOFF), "no such file"),
        (quickly, ("--events", str(shop), "--cutoff", CUTOFF, "--horizon", "0"), "0 days"),
        (quickly, ("--events", str(shop), "--cutoff", CUTOFF, "--out", str(shop)), "the same file is named twice"),
        (quickly, ("--events", str(shop), "--cutoff", CUTOFF, "--report", str(shop.parent)), "is a folder"),
    ):
        done = run(tmp_path, *arguments)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert not list(tmp_path.iterdir())


def test_help_names_the_columns():
    done = subprocess.run([sys.executable, "-m", "dirigent.main", "churn", "--help"], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "COLUMNS": "200"})  # fmt: skip
    assert done.returncode == 0
    assert "customer_id, occurred_at, type" in done.stdout
