"""`docs/decision.md` says what the engine does: every computed part of the page is computed again."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from arbitration.errors import StateError
from scripts.decision_page import BLOCK, PAGE, rewritten, walk
from scripts.decision_parts import PARTS, Walk

MEND = "write the page anew: python -m scripts.decision_page"
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


@pytest.fixture(scope="module")
def given(shop_home) -> Walk:
    return walk(shop_home)


def part_of(page: str, name: str) -> str:
    """One computed part with its markers."""
    [part] = [found[0] for found in BLOCK.finditer(page) if found[2] == name]
    return part


def differences(page: str, engine: str) -> list[str]:
    """Lines that differ by more than the last digit of a number: another processor may round a model's last bit differently."""
    ours, theirs = page.splitlines(), engine.splitlines()
    found = [f"{line!r} / {other!r}" for line, other in zip(ours, theirs, strict=False) if not _same(line, other)]
    return found if len(ours) == len(theirs) else [f"{len(ours)} lines / {len(theirs)} lines", *found]


def _same(line: str, other: str) -> bool:
    if NUMBER.sub("#", line) != NUMBER.sub("#", other):
        return False
    return all(_close(*pair) for pair in zip(NUMBER.findall(line), NUMBER.findall(other), strict=True))


def _close(number: str, other: str) -> bool:
    digits = len(number.partition(".")[2])
    if digits != len(other.partition(".")[2]):
        return False
    return abs(float(number.replace(",", "")) - float(other.replace(",", ""))) <= (1.01 * 10**-digits if digits else 1)


@pytest.mark.parametrize("name", PARTS)
def test_the_page_shows_what_the_engine_computes(given, name):
    page = PAGE.read_text()
    assert differences(part_of(page, name), part_of(rewritten(page, given), name)) == [], MEND


def test_no_amount_stands_outside_the_computed_parts():
    prose = BLOCK.sub("", PAGE.read_text())
    assert re.findall(r"\d+\.\d+", prose) == []
    assert "SIMULATED" in prose


def test_the_walk_shows_a_whole_funnel(given):
    decision = given.decision
    assert decision.winner is not None
    assert len(decision.plan.steps) == 3, "a household with a whole plan is more instructive"
    assert len(given.best) >= 3
    assert given.english.counterfactuals


def test_another_decision_makes_another_page(given):
    page = PAGE.read_text()
    dearer = replace(given.winner.value, margin=given.winner.value.margin + 1)
    other = replace(given.decision, winner=replace(given.winner, value=dearer))
    with pytest.raises(StateError, match="value"):
        rewritten(page, replace(given, decision=other))
    assert differences("net +1.081, window 4", "net +1.081, window 6") != []
    assert differences("net +1.081", "net +1.091") != []
    assert differences("net +1.081", "net −1.081") != []
    assert differences("net +1.081", "net +1.080") == []


def test_a_page_without_its_parts_is_refused(given):
    with pytest.raises(StateError, match="known"):
        rewritten("<!-- computed: known -->\n<!-- end -->", given)
