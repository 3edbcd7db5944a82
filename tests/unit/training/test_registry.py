"""Whether training is up to date: the live bundle against the tables and the code as they are now."""

from __future__ import annotations

from pathlib import Path

from features.home import Home
from training.contents import Contents
from training.pipeline import inputs_digest
from training.registry import is_current

from .conftest import export


def test_training_is_current_until_a_table_changes(tmp_path: Path, contents: Contents):
    home = Home(tmp_path)
    home.tables.mkdir()
    (home.tables / "events.parquet").write_bytes(b"first")
    assert not is_current(home)
    export(home, contents, inputs=inputs_digest(home))
    assert is_current(home)
    (home.tables / "events.parquet").write_bytes(b"second")
    assert not is_current(home)
    (home.tables / "events.parquet").write_bytes(b"first")
    assert is_current(home)
    (home.tables / "consents.parquet").write_bytes(b"")
    assert not is_current(home)
