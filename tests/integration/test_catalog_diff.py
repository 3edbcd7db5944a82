"""`dirigent catalog diff` over a prepared home: who would get something else, and nothing of the home changes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.loading import EXAMPLE
from dirigent.audience import Favorite, favorites, prepared
from dirigent.catalog import app
from features.home import Home

ASKED = 40


@pytest.fixture(scope="module")
def believed(shop_home: Home) -> list[Favorite]:
    """The favorites by the example's catalog."""
    return favorites(shop_home, [EXAMPLE], ASKED, lambda *_: None)[0]


@pytest.fixture
def silent_catalog(tmp_path: Path) -> Path:
    """The example without a journey that may win: a lever takes more than any contact brings."""
    folder = tmp_path / "catalog"
    shutil.copytree(EXAMPLE, folder)
    text = (folder / "journeys.yaml").read_text(encoding="utf-8")
    (folder / "journeys.yaml").write_text(text.replace("    effect_prior:", "    lever: -999.0\n    effect_prior:"))
    return folder


def _state(home: Home) -> dict[str, tuple[int, int]]:
    places = [
        home.ledger,
        *home.tables.glob("*"),
        *home.bundles.rglob("*"),
        *home.keys.glob("*"),
        *home.feast.glob("*"),
    ]
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in places if file.is_file()}


def test_the_favorites_are_one_per_customer_and_the_same_each_time(shop_home: Home, believed: list[Favorite]) -> None:
    assert prepared(shop_home)
    steps: list[tuple[int, int]] = []
    found = favorites(shop_home, [EXAMPLE], ASKED, lambda done, total: steps.append((done, total)))[0]
    assert steps == [(number, ASKED) for number in range(1, ASKED + 1)]
    assert len({one.customer_id for one in found}) == ASKED
    assert any(one.summary.favorite for one in found)
    assert found == believed


def test_catalogs_that_are_asked_together_answer_as_if_asked_alone(
    shop_home: Home, believed: list[Favorite], silent_catalog: Path, tmp_path: Path
) -> None:
    other = tmp_path / "without_handover"
    shutil.copytree(EXAMPLE, other)
    journeys, channels = (other / name for name in ("journeys.yaml", "channels.yaml"))
    text = journeys.read_text(encoding="utf-8")
    assert text.count("channel: handover") == 1
    journeys.write_text(text.replace("channel: handover", "channel: call_hint"), encoding="utf-8")
    text = channels.read_text(encoding="utf-8")
    channels.write_text(text[: text.index("  handover:")], encoding="utf-8")
    catalogs = [EXAMPLE, silent_catalog, other]
    together = favorites(shop_home, catalogs, ASKED, lambda *_: None)
    alone = [favorites(shop_home, [catalog], ASKED, lambda *_: None)[0] for catalog in catalogs[1:]]
    assert together == [believed, *alone]
    assert together[0] != together[1]


def test_the_difference_counts_customers_and_money_and_writes_nothing(
    shop_home: Home, believed: list[Favorite], silent_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIRIGENT_HOME", str(shop_home.root))
    acting = sum(one.summary.favorite is not None for one in believed)
    state = _state(shop_home)
    result = CliRunner().invoke(app, ["diff", str(EXAMPLE), str(silent_catalog), "--customers", str(ASKED)])
    assert result.exit_code == 0, result.output
    assert _state(shop_home) == state
    told = re.search(
        r"(\d+) of 40 customers would get something else; silence gains (\d+) and loses 0; .* → \+0\.00 USD",
        result.output,
    )
    assert told is not None, result.output
    assert (int(told[1]), int(told[2])) == (acting, acting)
    assert acting > 0
    assert re.search(rf"silence +{ASKED - acting} +{ASKED} ", result.output)
    assert "journey Thank you (post_purchase): lever 0.00 → -999.00 USD" in result.output
    assert re.search(r"^ \w+.* \(\w+\) +[1-9]\d* +0 ", result.output, re.MULTILINE)
    assert re.search(r"\w, \S.* \(\w+/\w+/\w+\) +silence ", result.output)
    assert "asking the customers of the prepared home with both catalogs\n" in result.output
