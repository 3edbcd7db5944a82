"""Where a verb writes to is looked at before it works, and which program it is can be asked."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arbitration.errors import InputError
from dirigent.main import app


def typed(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.strip()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DIRIGENT_HOME", str(tmp_path / "home"))


def test_the_version_is_told():
    told = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["version"]
    assert typed("--version") == f"dirigent {told}"


def test_an_export_to_nowhere_is_refused_before_anything_is_opened(tmp_path):
    with pytest.raises(InputError, match="nowhere: is no folder"):
        typed("privacy", "export", "1", "-o", str(tmp_path / "nowhere" / "x.json"))
    there = tmp_path / "there.json"
    there.write_text("")
    with pytest.raises(InputError, match="exists already"):
        typed("privacy", "export", "1", "-o", str(there))
    assert not (tmp_path / "home").exists()


def test_cards_that_cannot_be_written_are_refused_before_the_training(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(FileExistsError):
        typed("train", "--cards", str(file))
    assert not (tmp_path / "home").exists()
