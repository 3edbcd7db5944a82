"""The simulator: seeded, flagged, on top of untouched real rows, with exact probabilities and the effects its truth states."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from features.home import Home
from features.tables.store import open_tables
from training.simulator import truth
from training.simulator.run import simulate


def query(home: Home, sql: str) -> list[tuple[object, ...]]:
    return open_tables(home).execute(sql).fetchall()


def digests(home: Home) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in home.tables.glob("*.parquet")}


def test_the_real_rows_are_those_of_complete_journey(shop_home: Home) -> None:
    counts = "SELECT count(*) FROM {} WHERE NOT simulated"
    assert query(shop_home, "SELECT count(*) FROM customers") == [(2469,)]
    assert query(shop_home, counts.format("events") + " AND type = 'purchase'") == [(155848,)]
    assert query(shop_home, counts.format("events")) == [(155848,)]
    assert query(shop_home, counts.format("contacts") + " AND channel = 'direct_mail'") == [(6589,)]
    assert query(shop_home, counts.format("outcomes") + " AND type = 'converted'") == [(2102,)]
    assert query(shop_home, "SELECT round(sum(value), 2) FROM events WHERE NOT simulated") == [(4596039.58,)]


def test_times_are_utc_so_that_people_shop_in_the_afternoon(shop_home: Home) -> None:
    (hour,) = query(
        shop_home, "SELECT mode(hour(timezone('America/New_York', occurred_at))) FROM events WHERE NOT simulated"
    )[0]
    assert 15 <= int(str(hour)) <= 18


def test_campaigns_only_partly_inside_the_data_are_censored(shop_home: Home) -> None:
    found = query(shop_home, "SELECT DISTINCT treatment FROM contacts WHERE censored ORDER BY ALL")
    assert [row[0] for row in found] == [f"campaign_{n}" for n in (15, 20, 21, 22, 23, 24, 25, 26)]


def test_everything_digital_is_flagged_simulated(shop_home: Home) -> None:
    assert query(shop_home, "SELECT count(*) FROM contacts WHERE channel <> 'direct_mail' AND NOT simulated") == [(0,)]
    assert query(shop_home, "SELECT count(*) FROM events WHERE type <> 'purchase' AND NOT simulated") == [(0,)]
    assert query(shop_home, "SELECT count(*) FROM consents WHERE NOT simulated") == [(0,)]
    assert query(
        shop_home,
        "SELECT count(*) FROM outcomes JOIN contacts USING (contact_id) WHERE outcomes.simulated <> contacts.simulated",
    ) == [(0,)]


def test_no_contact_is_made_without_consent_or_after_a_withdrawal(shop_home: Home) -> None:
    assert query(shop_home, """
        SELECT count(*) FROM contacts c WHERE simulated AND arm = 'random' AND (
            NOT EXISTS (FROM consents k WHERE k.customer_id = c.customer_id AND k.channel = c.channel AND state = 'granted' AND valid_from <= c.sent_at)
            OR EXISTS (FROM consents k WHERE k.customer_id = c.customer_id AND k.channel = c.channel AND state = 'withdrawn' AND valid_from < c.sent_at))
    """) == [(0,)]  # fmt: skip


def test_the_logged_probabilities_are_the_frequencies(shop_home: Home) -> None:
    silent, count = query(
        shop_home, "SELECT avg(CAST(arm = 'silence' AS INT)), count(*) FROM contacts WHERE simulated"
    )[0]
    assert silent == pytest.approx(truth.SILENCE_PROBABILITY, abs=4 * (0.35 * 0.65 / int(str(count))) ** 0.5)
    # Each choice of journey and channel was logged with its own chance: over all rows, 1/p averages to the number of choices.
    rows = query(
        shop_home, "SELECT sum(1 / probability) FILTER (arm = 'silence') / count(*) FROM contacts WHERE simulated"
    )
    assert float(str(rows[0][0])) == pytest.approx(1.0, abs=0.03)


def test_the_contacts_cause_what_the_truth_says(shop_home: Home) -> None:
    ordered = "avg(CAST(contact_id IN (SELECT contact_id FROM outcomes WHERE type = 'converted') AS INT))"
    (cart,) = query(shop_home, f"SELECT {ordered} FROM contacts WHERE simulated AND journey = 'cart_recovery'")[0]
    (post,) = query(shop_home, f"SELECT {ordered} FROM contacts WHERE simulated AND journey = 'post_purchase'")[0]
    (silent,) = query(shop_home, f"SELECT {ordered} FROM contacts WHERE simulated AND arm = 'silence'")[0]
    lift = [float(str(one)) - float(str(silent)) for one in (cart, post)]
    assert lift[0] == pytest.approx(truth.JOURNEY_EFFECT["cart_recovery"] * (1 - truth.SLEEPING_DOGS), abs=0.03)
    assert lift[1] == pytest.approx(truth.JOURNEY_EFFECT["post_purchase"] * (1 - truth.SLEEPING_DOGS), abs=0.01)


@pytest.mark.long
def test_the_same_seed_writes_the_same_rows_and_another_seed_others(shop_home: Home, tmp_path: Path) -> None:
    shutil.copytree(shop_home.tables, tmp_path / "tables")
    before = digests(shop_home)
    simulate(Home(tmp_path))
    assert digests(Home(tmp_path)) == before
    simulate(Home(tmp_path), seed=1)
    assert digests(Home(tmp_path))["contacts.parquet"] != before["contacts.parquet"]
    assert digests(Home(tmp_path))["customers.parquet"] == before["customers.parquet"]
