"""The retraining notebook runs from its first cell to its last in a shop of its own, and promotes what it says it promotes."""

from __future__ import annotations

import shutil
from pathlib import Path

import jupytext
import nbclient
import pytest

from features.home import Home
from training import bundle
from training.registry import registered

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_home(shop_home: Home, tmp_path: Path) -> Home:
    """A copy that may be written to."""
    return Home(shutil.copytree(shop_home.root, tmp_path / "home"))


def test_the_retraining_notebook_trains_compares_shows_and_promotes(own_home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DIRIGENT_HOME", str(own_home.root))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    before = registered(own_home, "churn_risk").version
    notebook = jupytext.read(ROOT / "notebooks" / "01_retrain.py")
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    said = "".join(output.get("text", "") for output in outputs)
    assert f"promoted: serving bundle {bundle.current(own_home)}" in said
    assert registered(own_home, "churn_risk").version > before
    assert bundle.load(own_home).churn_risk.kind == "tree"
