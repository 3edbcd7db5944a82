"""Runs tests/cases/*.json: a change to the base situation, and what the decision must then hold.

`change` is merged into base.json (RFC 7396: null removes). A file's name is `<reason code>__<condition>__<outcome>`.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from arbitration.codec import decode, encode
from arbitration.decide import decide
from arbitration.domain import Context, Decision, Estimates
from arbitration.policy import Policy

FOLDER = Path(__file__).parent
FILES = sorted(path for path in FOLDER.glob("*.json") if path.stem != "base")


def merged(base: Any, change: Any) -> Any:
    """RFC 7396, JSON Merge Patch."""
    if not isinstance(change, dict) or not isinstance(base, dict):
        return change
    result = {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
    return {key: value for key, value in result.items() if value is not None or key not in change}


def decision_of(change: dict[str, Any]) -> Decision:
    base = json.loads((FOLDER / "base.json").read_text(encoding="utf-8"))
    given = merged(base, change)
    given["context"] = {"features": {}, "time_zone": None, **given["context"]}
    return decide(
        decode(Context, given["context"]),
        decode(Estimates, given["estimates"]),
        decode(Policy, given["policy"]),
        decision_id="case",
        now=datetime.fromisoformat(given["now"]),
        draw=given["draw"],
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_case(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    assert set(case) == {"about", "change", "expect"}
    check_decision(decision_of(case["change"]), case["expect"])


def check_decision(decision: Decision, expect: dict[str, Any]) -> None:
    """Everything that a case file expects holds; a key that nobody reads is a mistake in the file."""
    ranked = {item.candidate.treatment.id: item.candidate for item in decision.ranked}
    first_windows = [item.candidate.window.opens_at for item in decision.ranked]
    seen: dict[str, object] = {
        "outcome": decision.outcome,
        "arm": decision.arm,
        "winner": decision.winner.candidate.treatment.id if decision.winner else None,
        "reasons": [reason.code for reason in decision.reasons if reason.code in expect.get("reasons", ())],
        "proposed": len(decision.ranked) + len(decision.rejections),
        "plan": [step.candidate.treatment.id for step in decision.plan.steps],
        "passes": [treatment for treatment in expect.get("passes", ()) if treatment in ranked],
        "opens_at": encode(min(first_windows, default=None)),
    }
    checks = {key: value for key, value in expect.items() if key in seen}
    assert checks == {key: seen[key] for key in checks}
    assert all(encode(opens_at) >= expect.get("opens_from", "") for opens_at in first_windows)
    if "opens_before" in expect:
        assert all(encode(ranked[treatment].window.opens_at) < expect["opens_before"] for treatment in expect["passes"])
    check_rejections(decision, expect)
    assert not set(expect) - set(seen) - {"opens_from", "opens_before", "rejected", "rejected_windows"}


def check_rejections(decision: Decision, expect: dict[str, Any]) -> None:
    """`rejected` holds for a treatment that has no window left, `rejected_windows` for one candidate."""
    for treatment, wanted in expect.get("rejected", {}).items():
        assert treatment not in {item.candidate.treatment.id for item in decision.ranked}
        found = [encode(no) for no in decision.rejections if no.candidate.treatment.id == treatment]
        assert any(wanted.items() <= no.items() for no in found), found
    for candidate, wanted in expect.get("rejected_windows", {}).items():
        found = [encode(no) for no in decision.rejections if no.candidate.id == candidate]
        assert [wanted.items() <= no.items() for no in found] == [True], found
