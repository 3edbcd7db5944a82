"""Geometry of the pictures: what is drawn adds up to what is written."""

from __future__ import annotations

import math
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from arbitration.domain import PARTS, Attribution, Contribution, Value
from arbitration.explanation import Sensitivity
from catalog.loading import EXAMPLE, load_catalog
from serving.console.doubts import distance
from serving.console.influences import SHOWN, influences, strongest
from serving.console.voice import Voice
from serving.console.waterfall import EDGE, LEAST, WIDTH, Scale, parts_of, waterfall

VOICE = Voice.of(load_catalog(EXAMPLE), "en", "America/New_York")
MONEY = st.floats(-50, 50).map(lambda amount: round(amount, 6))


def value(parts: list[float], spread: float) -> Value:
    net = 0.0
    for part in parts:
        net += part
    return Value(*parts, net, net - spread, net + spread, net - spread / 2, 1, (1,) * len(PARTS))


def amounts(**parts: float) -> list[float]:
    """The parts by name, the others 0."""
    return [parts.get(part, 0.0) for part in PARTS]


VALUES = st.builds(value, st.lists(MONEY, min_size=len(PARTS), max_size=len(PARTS)), st.floats(0, 20))


@given(VALUES)
def test_a_waterfall_ends_at_the_net_and_each_bar_begins_where_the_last_ended(worth):
    picture = waterfall(worth, VOICE)
    *parts, net = picture.bars
    assert math.isclose(math.fsum(bar.amount for bar in parts), worth.net, abs_tol=1e-9)
    assert net.amount == worth.net
    before = picture.zero_x
    for bar in parts:
        edges = (bar.x, bar.x + bar.width)
        assert min(abs(before - edge) for edge in edges) <= LEAST
        assert min(abs(bar.joint - edge) for edge in edges) <= LEAST
        before = bar.joint
    assert abs(before - net.joint) < 0.02


@given(VALUES)
def test_everything_drawn_stays_inside_the_picture(worth):
    picture = waterfall(worth, VOICE)
    for bar in picture.bars:
        assert bar.x >= EDGE
        assert bar.x + bar.width <= WIDTH - EDGE + LEAST
    assert EDGE <= picture.low_x <= picture.high_x <= WIDTH - EDGE
    assert picture.bars[-1].y + 36 <= picture.height


def test_parts_that_few_shops_use_are_left_out_where_they_are_zero():
    few = [name for name, _ in parts_of(value(amounts(margin=0.1), 0))]
    assert few == ["margin", "future", "channel_cost", "opt_out_cost", "attention_cost"]
    more = value(amounts(shadow_cost=-0.1, lever=0.3, subsidy_cost=-0.2, points_cost=-0.1, progress=0.1), 0)
    assert {name for name, _ in parts_of(more)} == set(PARTS) - {"incentive_cost"}


def test_a_value_of_nothing_still_has_a_picture():
    picture = waterfall(value(amounts(), 0.0), VOICE)
    assert all(bar.width == LEAST for bar in picture.bars)
    assert {bar.kind for bar in picture.bars} == {"nothing", "net"}


def test_amounts_below_a_cent_are_not_shown_as_zero():
    picture = waterfall(value(amounts(margin=0.3, future=0.1, channel_cost=-0.001, attention_cost=-0.04), 0.1), VOICE)
    assert picture.bars[2].text.replace("\xa0", " ") == "−USD 0.0010"


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=40), st.floats(-3, 3))
def test_influences_and_the_rest_add_up_to_the_model(margins, base):
    parts = tuple(Contribution(f"f{number}", 1.0, margin) for number, margin in enumerate(margins))
    total = base + math.fsum(margins)
    view = influences(Attribution("churn_risk", base, parts, total, 0.5), VOICE)
    assert math.isclose(
        view.base_margin + math.fsum(row.line.margin for row in view.rows), view.total_margin, abs_tol=1e-9
    )
    assert len(view.rows) == (min(len(margins), SHOWN + 1))
    for row in view.rows:
        assert EDGE <= row.x <= row.x + row.width <= WIDTH - EDGE + LEAST
        left = row.x + row.width <= view.zero_x + LEAST
        assert left if row.direction == "lowers" else row.x >= view.zero_x - LEAST


def test_a_chance_that_the_chosen_time_changes_is_told_in_both_forms():
    given = Attribution("channel_propensity", 0.0, (), 0.0, 0.087)
    said = influences(given, VOICE, 0.094).calibrated.replace("\xa0", " ")
    assert said.endswith("8.7%. At the chosen time it is 9.4%, as told at the top.")
    for unchanged in (None, 0.087, 0.08703):
        assert "chosen time" not in influences(given, VOICE, unchanged).calibrated


def test_the_strongest_come_first_and_a_rest_of_one_stands_alone():
    parts = [Contribution(f"f{number}", None, number * (-1) ** number / 10) for number in range(12)]
    top, rest = strongest(parts)
    assert [part.feature for part in top] == [f"f{number}" for number in range(11, 3, -1)]
    assert len(rest) == 4
    assert strongest(parts[:9]) == (sorted(parts[:9], key=lambda part: -abs(part.margin)), [])


@given(st.floats(0, 5), st.floats(0, 5))
def test_the_lead_and_its_uncertainty_stay_inside_the_picture(margin, spread):
    told = SimpleNamespace(sensitivity=Sensitivity("silence", "silence", margin, spread, (), ""))
    naming = SimpleNamespace(choice=lambda _: "silence")
    view = distance(told, naming, VOICE)
    assert view.zero_x >= EDGE
    assert view.zero_x + view.width <= WIDTH - EDGE + LEAST
    assert EDGE <= view.low_x <= view.high_x <= WIDTH - EDGE
    assert (view.low_x < view.zero_x) is (view.low_x < view.high_x and spread > margin) or spread - margin < 0.05


def test_a_scale_without_length_puts_all_at_its_edge():
    assert Scale(0.0, 0.0).x(0.0) == EDGE
