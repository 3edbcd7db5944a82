"""Runs tests/cases/journeys/*.json: what each journey of the example catalog is meant to do, one situation per file.

`change` is merged into journeys/base.json (a customer for whom no journey speaks) as in `test_cases`; the policy is the example
catalog itself, so that a change to a journey shows here. A file's name is `<journey>__<condition>__<outcome>`.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from arbitration.codec import decode
from arbitration.decide import decide
from arbitration.domain import Context, Decision, Estimates
from arbitration.policy import Policy
from catalog.loading import EXAMPLE, load_catalog
from tests.cases.test_cases import FOLDER, check_decision, merged

FILES = sorted(path for path in (FOLDER / "journeys").glob("*.json") if path.stem != "base")


@cache
def example() -> Policy:
    return load_catalog(EXAMPLE)


def decision_of(change: dict[str, Any]) -> Decision:
    given = merged(json.loads((FOLDER / "journeys" / "base.json").read_text(encoding="utf-8")), change)
    return decide(
        decode(Context, given["context"]),
        decode(Estimates, given["estimates"]),
        example(),
        decision_id="case",
        now=datetime.fromisoformat(given["now"]),
        draw=given["draw"],
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_journey(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    assert set(case) == {"about", "change", "expect"}
    check_decision(decision_of(case["change"]), case["expect"])


def test_every_journey_has_a_case_in_which_it_wins() -> None:
    won = {json.loads(file.read_text(encoding="utf-8"))["expect"].get("winner", "").split("/")[0] for file in FILES}
    assert won >= set(example().journeys)
    assert {file.stem.split("__")[0] for file in FILES} == set(example().journeys)


def test_the_base_customer_hears_nothing() -> None:
    decision = decision_of({})
    assert decision.outcome == "silence"
    assert decision.ranked == ()
