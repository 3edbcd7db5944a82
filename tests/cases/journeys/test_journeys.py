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
from arbitration.expression import compile_expression
from arbitration.policy import Journey, Policy
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


def test_no_journey_that_sells_is_suitable_while_a_support_case_is_open() -> None:
    selling = [one for one in example().journeys.values() if one.purpose == "marketing" and not _suppresses(one)]
    assert len(selling) == 9
    for journey in selling:
        suitable = compile_expression(journey.suitable)
        known = {"recency_days": 1.0, "money_28d": 60.0, "contacts_all_7d": 0}
        assert suitable(known | {"support_cases_28d": 0}) is True, journey.id
        assert suitable(known | {"support_cases_28d": 1}) is False, journey.id


def _suppresses(journey: Journey) -> bool:
    return all(line.kind == "suppress" for line in journey.treatments)
