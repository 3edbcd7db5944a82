"""The record of promotions: signed, in order, complete; and never in the way of the next promotion."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arbitration.errors import BundleError
from features.home import Home
from training import bundle, history
from training.history import Promotion
from training.verdict import Measured, Verdict

DIGESTS = tuple(letter * 64 for letter in "abcd")
MEASURED = Measured(10, 9, 0.4, 0.5, 0.6, -0.1, 0.01, -0.12, 0.004)


def promotion(number: int, forced: str | None = None) -> Promotion:
    verdict = Verdict(
        "churn_risk", number + 1, number or None, "worse" if number else "first", MEASURED if number else None
    )
    return Promotion(
        datetime(2026, 1, 1 + number, tzinfo=UTC), DIGESTS[number], DIGESTS[number - 1] if number else None, 0.02,
        (verdict,), forced,
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Three promotions, the last one live; the middle one was forced."""
    home = Home(tmp_path)
    for number, forced in enumerate((None, "the old one was trained on broken data", None)):
        history.append(home, promotion(number, forced))
    bundle.point(home, DIGESTS[2])
    return home


def test_what_was_recorded_is_what_is_read(home: Home):
    found = history.read(home)
    assert found == [promotion(0), promotion(1, "the old one was trained on broken data"), promotion(2)]
    assert history.path_of(home).stat().st_mode & 0o077 == 0


def test_a_home_in_which_nothing_was_promoted_has_no_record(tmp_path: Path):
    assert history.read(Home(tmp_path)) == []


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda content: b"\n".join(change(content.splitlines())) + b"\n"


@pytest.mark.parametrize(
    ("tear", "said"),
    [
        (lambda content: content.replace(b"broken", b"better"), ":2: was altered"),
        (lines(lambda all_: [all_[0], all_[2]]), ":2: does not follow"),
        (lines(lambda all_: all_[1:]), ":1: does not follow"),
        (lines(lambda all_: [all_[0], all_[2], all_[1]]), ":2: does not follow"),
        (lines(lambda all_: [*all_, all_[1]]), ":4: does not follow"),
        (lines(lambda all_: all_[:1]), "no record of the live bundle"),
        (lambda content: content[:-40], ":3: is no record"),
        (lambda content: content + b"{}\n", ":4: is no record"),
        (lambda content: b"[1]\n" + content, ":1: is no record"),
        (lambda _content: b"", "no record of the live bundle"),
    ],
)
def test_whatever_is_torn_is_named(home: Home, tear: Callable[[bytes], bytes], said: str):
    path = history.path_of(home)
    path.write_bytes(tear(path.read_bytes()))
    with pytest.raises(BundleError, match=said):
        history.read(home)


@pytest.mark.parametrize("at", range(5, 95, 10))
def test_one_changed_byte_is_noticed(home: Home, at: int):
    path = history.path_of(home)
    content = bytearray(path.read_bytes())
    content[len(content) * at // 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError):
        history.read(home)


def test_lines_of_another_installation_are_not_believed(home: Home, tmp_path: Path):
    (home.keys / bundle.KEY).unlink()
    history.append(home, promotion(3))
    with pytest.raises(BundleError, match=":1: was altered, or signed by another installation"):
        history.read(home)


def test_a_promotion_that_was_interrupted_before_its_bundle_went_live_is_no_fault(home: Home):
    history.append(home, promotion(3))
    assert [one.digest for one in history.read(home)] == list(DIGESTS)
    assert bundle.current(home) == DIGESTS[2]


def test_a_torn_record_does_not_stop_the_next_promotion(home: Home):
    path = history.path_of(home)
    path.write_bytes(path.read_bytes()[:-40])
    history.append(home, promotion(3))
    assert len(path.read_bytes().splitlines()) == 4
    with pytest.raises(BundleError, match=":3: is no record"):
        history.read(home)
