"""`dirigent catalog`: mistakes end with exit code 2, warnings do not, and a difference needs no prepared home."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from arbitration.errors import CatalogError
from catalog.loading import EXAMPLE
from dirigent import catalog as verbs
from dirigent.catalog import app
from tests.unit.catalog.conftest import Edit


def ran(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_catalog_in_order_is_one_line() -> None:
    result = ran("check")
    assert result.exit_code == 0
    assert result.output.startswith("✓ 12 journeys, 12 channels, ")
    assert result.output.count("\n") == 1


def test_a_warning_is_told_with_its_place_and_is_no_failure(edited: Edit) -> None:
    folder = edited("journeys.yaml", "effect_prior: 0.05", "effect_prior: 0.5")
    result = ran("check", folder)
    assert result.exit_code == 0
    first, last = result.output.splitlines()
    assert first.startswith(f"Warning {folder}/journeys.yaml:")
    assert "an effect of 0.5 purchases per contact" in first
    assert last.endswith(", 1 warning")


def test_all_mistakes_are_in_the_error_that_ends_the_program_with_2(edited: Edit) -> None:
    edited("channels.yaml", "cost: 0.001", "cost: dear")
    folder = edited("economics.yaml", "margin_rate: 0.25", "margin_rate: 25")
    error = ran("check", folder).exception
    assert isinstance(error, CatalogError)
    assert error.exit_code == 2
    assert ["dear" in line for line in str(error).splitlines()] == [True, False]


def test_equal_catalogs_have_no_difference(edited: Edit) -> None:
    folder = edited("economics.yaml", "economics:", "# nothing\neconomics:")
    result = ran("diff", EXAMPLE, folder)
    assert (result.exit_code, result.output) == (0, "The two catalogs mean the same.\n")


def test_without_a_prepared_home_the_difference_is_told_in_words_alone(
    edited: Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIRIGENT_HOME", str(tmp_path / "nowhere"))
    folder = edited("contact_policy.yaml", "quiet_to: 8", "quiet_to: 9")
    result = ran("diff", EXAMPLE, folder)
    assert result.exit_code == 0
    assert "1 change\n  contact policy: quiet_to 8 → 9\n" in result.output
    assert f"there is no prepared home at {tmp_path / 'nowhere'}" in result.output
    assert not (tmp_path / "nowhere").exists()


def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 9.0, 10.5, 10.5, 12.0, 21.0, 21.0])
    monkeypatch.setattr("dirigent.catalog.time.monotonic", lambda: next(clock))
    console = Console(width=120)
    monkeypatch.setattr(verbs, "console", console)
    assert not console.is_terminal
    with verbs._progress() as step:
        for done in range(1, 5):
            step(1000 * done, 4000)
    told = [line for line in capsys.readouterr().out.splitlines() if line]
    assert told == [
        "asking the customers of the prepared home with both catalogs",
        "  2,000 of 4,000 customers",
        "  4,000 of 4,000 customers",
    ]
