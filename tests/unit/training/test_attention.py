"""The price of attention from randomized weekly caps: a planted price is found within its interval, and what is no draw is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from arbitration.errors import TableError
from features.home import Home
from features.tables.contract import TABLES
from features.tables.importer import import_folder
from features.tables.store import connect, empty, open_tables
from tests.small_shop import NAMES, write_shop
from training.attention import Attention, notes
from training.caps import balance, experiment, measure, wald
from training.effects import Belief, Beliefs, Effects

CAPS, CHANCES = np.array([0, 1, 3]), np.array([0.5, 0.25, 0.25])
WEEKS, TAU, BASKET = 12, 0.02, 60.0
START = pd.Timestamp("2020-01-06", tz="UTC")


def effects(tau: float = TAU) -> Effects:
    cell = Belief(tau, 0.0005, 5000)
    beliefs = Beliefs({"news/email": cell, "news/push": cell}, {"news": cell}, cell)
    return Effects(beliefs, beliefs, {}, 14, "e" * 12)


def shop(lost: float, seed: int = 1, customers: int = 3000, *, dated: bool = True) -> duckdb.DuckDBPyConnection:
    """A purchase a week of about BASKET; every contact brings TAU orders at once, and loses `lost` of spend altogether.

    Busy customers spend more and are sent more, so a plain comparison of contacts would be wrong.
    """
    rng = np.random.default_rng(seed)
    connection = connect()
    names = np.array([f"c{number}" for number in range(customers)])
    drawn = rng.choice(3, customers, p=CHANCES)
    busy = rng.gamma(2.0, 0.5, customers)
    wanted = rng.poisson(2 * busy[:, None], (customers, WEEKS))
    sent = np.minimum(wanted, CAPS[drawn][:, None])
    value = BASKET * (0.5 + 0.5 * busy[:, None]) + (TAU * BASKET - lost) * sent + rng.normal(0, 5, sent.shape)
    people = pd.DataFrame({
        "customer_id": names, "created_at": START - pd.Timedelta(days=200), "time_zone": "UTC", "locale": "en", "tier": None, "birth_year": None,
        "weekly_cap": CAPS[drawn].astype(str), "weekly_cap_probability": CHANCES[drawn].astype(str),
    })  # fmt: skip
    if dated:
        people["weekly_cap_from"] = START.isoformat()
    week = np.tile(np.arange(WEEKS), customers)
    who = np.repeat(names, WEEKS)
    at = START + pd.to_timedelta(week * 7 + 3, unit="D")
    events = pd.DataFrame({"customer_id": who, "occurred_at": at, "value": value.ravel()})
    before = pd.DataFrame({"customer_id": names, "occurred_at": START - pd.Timedelta(days=5), "value": 30 + 30 * busy})
    last = pd.DataFrame(
        {"customer_id": ["nobody"], "occurred_at": [START + pd.Timedelta(days=7 * WEEKS)], "value": [BASKET]}
    )
    times = sent.ravel()
    contacts = pd.DataFrame({"customer_id": np.repeat(who, times), "sent_at": np.repeat(at, times)})
    contacts["channel"] = np.where(rng.random(len(contacts)) < 0.25, "push", "email")
    silent = pd.DataFrame({"customer_id": names, "sent_at": START + pd.Timedelta(days=1), "channel": "none"})
    everything = {
        "customers": people,
        "events": pd.concat([before, events, last]).assign(type="purchase", simulated=False),
        "contacts": pd.concat([contacts.assign(journey="news", arm="random"), silent.assign(journey="silence", arm="silence")]),
    }  # fmt: skip
    for name, frame in everything.items():
        connection.register("frame", frame)
        connection.execute(
            f"CREATE TABLE {name} AS SELECT * FROM ({empty(TABLES[name])}) UNION ALL BY NAME SELECT * FROM frame"
        )
        connection.unregister("frame")
    return connection


@pytest.mark.parametrize("lost", [2.0, 0.5])
def test_a_planted_price_is_found_within_its_interval(lost: float):
    found = measure(shop(lost), effects())
    low, high = found.interval
    assert low < lost < high
    assert high - low < 1.0
    assert found.usable
    assert (found.customers, found.rows) == (3000, 3000 * WEEKS)
    assert found.mix == {"email": pytest.approx(0.75, abs=0.02), "push": pytest.approx(0.25, abs=0.02)}
    assert abs(found.unbalanced) < 4
    assert any("shrunk toward the catalog's price" in note for note in notes(found))


def test_what_the_contact_itself_brings_is_not_taken_for_attention():
    """Without its own effect in the account, a contact that brings 1.2 and loses 2.0 would seem to lose 0.8."""
    connection = shop(2.0)
    with_own, without = measure(connection, effects()), measure(connection, effects(0.0))
    basket = experiment(connection, effects())["basket"].iloc[0]
    assert with_own.lost - without.lost == pytest.approx(TAU * basket, rel=0.02)


def test_the_spend_before_the_draw_takes_noise_out_and_no_truth():
    found, plain = measure(shop(2.0), effects()), measure(shop(2.0, dated=False), effects())
    assert found.sd < plain.sd / 2


def test_nine_in_ten_intervals_and_more_hold_the_truth():
    rng, held = np.random.default_rng(5), []
    for _ in range(300):
        drawn = rng.choice(3, 600, p=CHANCES)
        contacts = rng.binomial(CAPS[drawn] * WEEKS, 0.6)
        spend = 700 + rng.gamma(2, 100, 600) - 1.5 * contacts
        rows = pd.DataFrame({
            "weekly_cap": CAPS[drawn], "weekly_cap_probability": CHANCES[drawn], "weeks": WEEKS, "contacts": contacts, "spend": spend, "direct": 0.0, "before": np.nan,
        })  # fmt: skip
        lost, sd, _ = wald(rows, 0.0)
        held.append(abs(lost - 1.5) <= 1.96 * sd)
    assert 0.91 <= np.mean(held) <= 0.98


def test_without_caps_or_with_one_cap_alone_nothing_is_measured():
    connection = shop(2.0, customers=300)
    connection.execute("ALTER TABLE customers DROP COLUMN weekly_cap")
    assert measure(connection, effects()) == Attention()
    assert "the catalog's price of attention stands" in notes(Attention())[0]
    connection = shop(2.0, customers=300)
    connection.execute("UPDATE customers SET weekly_cap = '2'")
    assert measure(connection, effects()) == Attention()


def test_caps_drawn_since_the_customer_is_known_need_no_date():
    found = measure(shop(2.0, dated=False), effects())
    assert found.unbalanced == 0.0
    assert found.rows == 3000 * ((200 + 7 * WEEKS) // 7)


def test_a_shop_brings_its_caps_as_attributes_of_its_customers(tmp_path: Path):
    folder = write_shop(tmp_path / "files")
    path = folder / "customers.csv"
    head, *people = path.read_text().splitlines()
    drawn = [f"{line},{number % 3},0.33,{START.isoformat()}" for number, line in enumerate(people)]
    path.write_text("\n".join([f"{head},weekly_cap,weekly_cap_probability,weekly_cap_from", *drawn]) + "\n")
    import_folder(folder, Home(tmp_path / "home"))
    found = experiment(open_tables(Home(tmp_path / "home")), effects()).set_index("customer_id")
    assert found["weekly_cap"].to_dict() == {name: number % 3 for number, name in enumerate(NAMES)}
    assert set(found["weekly_cap_probability"]) == {0.33}
    assert (found["contacts"] == found["on email"] + found["on push"]).all()
    assert (found["before"] == 10.0).all()  # one purchase of 10 before the draw


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("weekly_cap", "two"), ("weekly_cap", "-1"), ("weekly_cap_probability", "0"), ("weekly_cap_probability", "1.5"),
        ("weekly_cap_probability", None), ("weekly_cap_from", "in spring"),
    ],
)  # fmt: skip
def test_attributes_that_are_no_draw_are_refused_with_the_customer(column: str, value: str | None):
    connection = shop(2.0, customers=300)
    connection.execute(f"UPDATE customers SET {column} = ? WHERE customer_id = 'c7'", [value])
    with pytest.raises(TableError, match="1 customers have a weekly cap that is no draw") as caught:
        measure(connection, effects())
    assert "customer c7" in caught.value.where
    assert "weekly_cap_probability above 0" in caught.value.mend


def test_caps_that_went_to_the_best_customers_are_not_used():
    connection = shop(2.0)
    connection.execute("UPDATE events SET value = value * (1 + CAST(weekly_cap AS INT)) FROM customers "
                       f"WHERE events.customer_id = customers.customer_id AND occurred_at < TIMESTAMPTZ '{START}'")  # fmt: skip
    found = measure(connection, effects())
    assert found.unbalanced > 5
    assert not found.usable
    assert found.price(0.05, 0.25, {}).tier == 0
    assert any("differ in what was spent before" in note for note in notes(found))
    assert balance(experiment(connection, effects())) == pytest.approx(found.unbalanced)


MEASURED = Attention(2.0, 0.2, 400.0, 3000, 36_000, {"email": 0.75, "push": 0.25}, version="v")


def test_the_price_is_money_per_unit_of_pressure_and_near_the_measurement():
    found = MEASURED.price(0.05, 0.25, {"email": 1.0, "push": 0.8})
    assert found.mean == pytest.approx(2.0 * 0.25 / 0.95, rel=0.05)
    assert (found.tier, found.source) == (1, "attention v")
    assert 0 < found.sd < 0.2 * 0.25 / 0.95


def test_a_noisy_measurement_stays_near_the_prior_and_a_precise_one_leaves_it():
    noisy = replace(MEASURED, lost=1.0, sd=20.0).price(0.05, 0.25, {})
    assert noisy.mean == pytest.approx(0.05, abs=0.01)
    precise = replace(MEASURED, sd=0.001).price(0.05, 0.25, {})
    assert precise.mean == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize("lost", [-5.0, -0.1, 0.0])
def test_attention_never_costs_less_than_nothing(lost: float):
    assert replace(MEASURED, lost=lost).price(0.05, 0.25, {}).mean >= 0.0
    assert replace(MEASURED, lost=lost).price(0.0, 0.25, {}).mean >= 0.0


@pytest.mark.parametrize(
    "changed", [{"strength": 9.0}, {"customers": 100}, {"rows": 0}, {"unbalanced": -6.0}, {"sd": 0.0}]
)
def test_a_weak_experiment_leaves_the_catalogs_price(changed: dict[str, float]):
    found = replace(MEASURED, **changed).price(0.05, 0.25, {})
    assert (found.mean, found.tier, found.source) == (0.05, 0, "prior")


def test_channels_without_pressure_cannot_price_it():
    assert MEASURED.price(0.05, 0.25, {"email": 0.0, "push": 0.0}).mean == 0.05
