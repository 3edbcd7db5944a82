"""Why something was refused: with its purpose, moment and unit, and sums that claim no more than all share."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from arbitration.codec import encode
from arbitration.domain import (
    Candidate,
    Reason,
    Rejection,
    SendWindow,
    Stage,
    Treatment,
)
from arbitration.explain import explain
from arbitration.explanation import Lang
from arbitration.reasons import _stop
from features.registry import business_names
from tests.cases.test_cases import decision_of
from tests.unit.arbitration.situations import POLICY
from tests.unit.arbitration.test_associate import LINES


def clause(no: Rejection, features: dict[str, Any], lang: Lang = "en") -> str:
    """What is said of one rejection."""
    decision = replace(
        decision_of({}),
        winner=None,
        ranked=(),
        reasons=(Reason("nothing_admissible", {"messages": 1}),),
        rejections=(no,),
    )
    told = explain(decision, POLICY, names=business_names(), attributions=(), lang=lang, features=features)
    return told.why_not[0].sentence


def rejected(journey: str, channel: str, code: str, stage: Stage, **facts: Any) -> Rejection:
    line = next(line for name, line in LINES if (name, line.channel) == (journey, channel))
    treatment = Treatment(journey, channel, line.template, line.offer, line.kind, line.route_to)
    opens = datetime(2018, 1, 2, 15, tzinfo=UTC)
    return Rejection(Candidate(treatment, SendWindow(opens, opens + timedelta(hours=4), 0)), stage, code, **facts)


def test_what_stood_in_the_way_is_said_with_purpose_time_and_unit() -> None:
    far, near = datetime(9000, 1, 1, tzinfo=UTC), datetime(2018, 1, 2, 17, tzinfo=UTC)
    said = [
        (rejected("welcome", "push", "consent_missing", "consent", missing="consent"), "There is no consent (for marketing)"),
        (rejected("care", "email", "consent_missing", "consent", missing="consent"), "There is no consent (for service)"),
        (rejected("welcome", "push", "pause", "consent", free_at=far), "Contacts are paused for this customer (no end in sight)"),
        (rejected("welcome", "push", "channel_held", "contact_policy", free_at=near, by="in_store == 1"), "In a store now = yes, here: yes, ask again from Tue 2 Jan"),
        (rejected("welcome", "push", "channel_unavailable", "eligibility", by="False"), "(only when the caller asks for this channel)"),
        (
            rejected("cart_recovery", "push", "not_applicable", "eligibility", by="cart_value >= 10 and 1 <= cart_age_hours"),
            "(the rule is: Cart value ≥ USD 10 and 1 ≤ Hours since cart was filled, here: Cart value USD 4.50)",
        ),
    ]  # fmt: skip
    for no, sentence in said:
        assert sentence in clause(no, {"in_store": 1, "cart_value": 4.5})


def test_a_sum_names_one_cause_only_if_all_share_it_and_the_first_moment() -> None:
    near, later = datetime(2018, 1, 2, 17, tzinfo=UTC), datetime(2018, 1, 3, 17, tzinfo=UTC)
    stops = [
        rejected("welcome", "push", "cool_down", "contact_policy", free_at=later),
        rejected("cart_recovery", "push", "cool_down", "contact_policy", free_at=near),
    ]  # fmt: skip
    assert _stop(stops) == {"messages": 2, "missing": None, "free_at": encode(near)}
    lacking = [rejected("welcome", "push", "missing_feature", "eligibility", missing=name) for name in ("a", "a", "b")]
    assert [_stop(lacking[:2])["missing"], _stop(lacking)["missing"]] == ["a", None]
    summed = replace(
        decision_of({}), winner=None, ranked=(), rejections=(), reasons=(Reason("cool_down", _stop(stops)),)
    )
    told = explain(summed, POLICY, names={}, attributions=(), lang="de").sentences[0]
    assert re.search(r"\(Nachrichten: 2, die erste ab Di, 2\. Januar, \d\d:00\)\.$", told)
