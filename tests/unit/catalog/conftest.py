"""A copy of the example catalog to change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.loading import EXAMPLE

Edit = Callable[[str, str, str], Path]


@pytest.fixture
def edited(tmp_path: Path) -> Edit:
    """A copy of the example with one replacement in one file; called again, one more in the same copy."""
    folder = tmp_path / "catalog"

    def edit(file: str, old: str, new: str) -> Path:
        if not folder.exists():
            shutil.copytree(EXAMPLE, folder)
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    return edit
