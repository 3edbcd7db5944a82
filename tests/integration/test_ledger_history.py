"""The shop's tables in the ledger: what is copied, when it is copied again, and what stays."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from arbitration.domain import Consent, Contact
from arbitration.errors import TableError
from arbitration.policy import BusinessName, Cap
from catalog.loading import load_catalog
from features.home import Home
from features.tables.contract import TABLES
from features.tables.store import canonical, connect
from serving.clock import Clock
from serving.context import standing_of
from serving.ledger import history
from serving.ledger.consents import add_consent
from serving.ledger.contacts import not_sent
from serving.ledger.history import _hours_of, load_history, reach_of
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger
from serving.settings import EXAMPLE_CATALOG
from tests.contracts.conftest import hold, send
from tests.empty_ledger import empty_ledger

NOW = datetime(2018, 1, 2, 15, tzinfo=UTC)
EXAMPLE = load_catalog(EXAMPLE_CATALOG)
WELCOME = EXAMPLE.journeys["welcome"]
POLICY = replace(EXAMPLE, journeys={"welcome": WELCOME, "receipt": replace(WELCOME, id="receipt", purpose="service")})


def write(home: Home, name: str, rows: list[dict[str, object]]) -> None:
    """A table of the shop, in the types of the data contract."""
    home.tables.mkdir(parents=True, exist_ok=True)
    file: Path = home.tables / f"{name}.parquet"
    with connect() as duck:
        values = ", ".join(
            "(" + ", ".join("NULL" if v is None else f"'{v}'" for v in row.values()) + ")" for row in rows
        )
        columns = ", ".join(f'"{column}"' for column in rows[0])
        query = canonical(TABLES[name], rows[0], f"(VALUES {values}) AS rows({columns})")
        duck.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)")


def contact(number: int, journey: str, sent_at: datetime) -> dict[str, object]:
    return {
        "contact_id": f"k{number}",
        "customer_id": "1",
        "journey": journey,
        "channel": "push",
        "sent_at": sent_at.isoformat(),
    }


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    customers = [
        {"customer_id": "1", "created_at": "2017-01-01T00:00:00Z", "time_zone": "America/New_York", "locale": "de"}
    ]
    write(home, "customers", customers)
    consent = {
        "customer_id": "1",
        "channel": "push",
        "purpose": "marketing",
        "state": "granted",
        "legal_basis": "consent",
    }
    write(
        home, "consents", [consent | {"evidence_id": "e1", "valid_from": "2017-06-01T02:00:00+02:00", "valid_to": None}]
    )
    alias = {"alias_type": "pos_card", "alias": "77"}
    write(
        home,
        "identities",
        [
            alias | {"customer_id": "9", "valid_from": "2017-01-01T00:00:00Z"},
            alias | {"customer_id": "1", "valid_from": "2017-07-01T00:00:00Z"},
            alias | {"customer_id": "8", "valid_from": "2019-01-01T00:00:00Z"},
        ],
    )
    write(
        home,
        "contacts",
        [
            contact(1, "welcome", NOW - timedelta(days=1)),
            contact(2, "receipt", NOW - timedelta(days=2)),
            contact(3, "welcome", NOW - timedelta(days=92)),
            contact(4, "welcome", NOW + timedelta(days=1)),
            contact(5, "silence", NOW - timedelta(days=3)),
        ],
    )
    seen = {
        "outcome_id": "o1",
        "contact_id": "k1",
        "type": "clicked",
        "occurred_at": (NOW - timedelta(hours=9)).isoformat(),
    }
    by_machine = seen | {"outcome_id": "o2", "contact_id": "k2", "type": "opened"}
    write(home, "outcomes", [seen | {"machine_open": "false"}, by_machine | {"machine_open": "true"}])
    return home


@pytest.fixture
def ledger(home):
    found = Ledger(empty_ledger(home.ledger), Keyring.fresh(), Clock(NOW))
    load_history(found, home, NOW, POLICY)
    yield found
    found.close()


def test_profile_consents_aliases_and_recent_contacts_arrive(ledger):
    with ledger.reading() as reading:
        profile = reading.profile("1")
        assert (profile.time_zone, profile.locale) == ("America/New_York", "de")
        standing = reading.standing("1", NOW - timedelta(days=200), NOW, "shop")
        assert standing.consents == (
            Consent("push", "marketing", "granted", "consent", "e1", datetime(2017, 6, 1, tzinfo=UTC)),
        )
        assert standing.contacts == (
            Contact("receipt", "push", NOW - timedelta(days=2), "service", engaged=False),
            Contact("welcome", "push", NOW - timedelta(days=1), "marketing", engaged=True),
        )
        assert reading.customer_of("pos_card", "77", NOW) == "1"
        assert reading.customer_of("pos_card", "77", datetime(2016, 1, 1, tzinfo=UTC)) is None


def test_loading_again_changes_nothing_and_a_changed_file_replaces_only_history(ledger, home):
    with ledger.writing("1") as tx:
        hold(tx, "d-1", channel="email", at=NOW)
        add_consent(tx, Consent("push", "marketing", "withdrawn", "none", "outcome:x:1", NOW), "shop")
    load_history(ledger, home, NOW, POLICY)
    write(home, "contacts", [contact(7, "welcome", NOW - timedelta(days=5))])
    load_history(ledger, home, NOW, POLICY)
    with ledger.reading() as reading:
        standing = reading.standing("1", NOW - timedelta(days=91), reading.now(), "shop")
    assert [(one.channel, one.sent_at) for one in standing.contacts] == [
        ("push", NOW - timedelta(days=5)),
        ("email", NOW),
    ]
    assert [one.state for one in standing.consents] == ["granted", "withdrawn"], "a withdrawal must survive an import"


def shop(policy):
    """What is asked of a service to know how a customer stands."""
    return SimpleNamespace(policy=policy, settings=SimpleNamespace(brand="shop"))


def longer_cap(policy):
    return replace(
        policy,
        contact_policy=replace(
            policy.contact_policy, caps=(Cap("half_year", BusinessName("half a year", "ein halbes Jahr"), 5, 24 * 183),)
        ),
    )


@pytest.mark.parametrize(("calendar", "days"), [("day", 1), ("week", 7), ("month", 31)])
def test_a_calendar_cap_reaches_back_as_far_as_its_longest_period(calendar, days):
    cap = Cap("cap", BusinessName("cap", "Grenze"), 5, calendar=calendar)
    policy = replace(POLICY, contact_policy=replace(POLICY.contact_policy, caps=(cap,)))
    assert _hours_of(cap) == 24 * days + 1  # a day of 25 hours
    assert reach_of(policy) == timedelta(days=91)


def longer_rest(policy):
    return replace(policy, journeys=dict(policy.journeys) | {"welcome": replace(WELCOME, cooldown_hours=24 * 183)})


@pytest.mark.parametrize("change", [longer_cap, longer_rest])
def test_history_reaches_as_far_as_the_longest_cap_or_cool_down(ledger, home, change):
    policy = change(POLICY)
    assert (reach_of(POLICY), reach_of(policy)) == (timedelta(days=91), timedelta(days=183))
    with ledger.reading() as reading:
        assert len(standing_of(reading, shop(policy), "1", NOW).contacts) == 2
    load_history(ledger, home, NOW, policy)  # on the same day, from the same files
    with ledger.reading() as reading:
        contacts = standing_of(reading, shop(policy), "1", NOW).contacts
    assert contacts[0].sent_at == NOW - timedelta(days=92)
    assert len(contacts) == 3


def test_a_contact_that_comes_back_with_the_shops_tables_counts_once(ledger, home):
    with ledger.writing("1") as tx:
        send(tx, "d-1", at=NOW)
    back = contact(7, "welcome", NOW - timedelta(minutes=1)) | {"decision_id": "d-1"}
    later = contact(8, "welcome", NOW - timedelta(minutes=2)) | {"decision_id": "d-1", "channel": "email"}
    write(home, "contacts", [back, later, back | {"contact_id": "k9", "decision_id": "d-elsewhere"}])
    load_history(ledger, home, NOW, POLICY)
    with ledger.writing("1") as tx:
        sent = [(one.channel, one.sent_at) for one in standing_of(tx, shop(POLICY), "1", NOW).contacts]
        minute = timedelta(minutes=1)
        assert sent == [("email", NOW - 2 * minute), ("push", NOW - minute), ("push", NOW)]
        not_sent(tx, "d-1", 0, "not_sent")
        assert len(standing_of(tx, shop(POLICY), "1", NOW).contacts) == 3, "sent, says the shop: it counts"


def test_a_shop_without_customers_is_said_so(tmp_path):
    home = Home(tmp_path / "empty")
    with pytest.raises(TableError, match="import"):
        load_history(Ledger(home.ledger, Keyring.fresh()), home, NOW, POLICY)


@pytest.mark.postgres
def test_hosts_that_start_together_copy_the_shop_once_and_one_after_the_other(home, postgres, monkeypatch):
    url, keyring, copied = postgres.new_database(), Keyring.fresh(), list[str]()
    ledgers = [Ledger(url, keyring, Clock(NOW)) for _ in range(3)]
    real, together = history._copy, threading.Barrier(3)

    def slow(connection, source, *given):
        copied.append(source.table.name)
        time.sleep(1)  # four tables take longer than anybody waits for a lock otherwise
        real(connection, source, *given)

    def start(ledger: Ledger) -> None:
        together.wait(10)
        load_history(ledger, home, NOW, POLICY)

    monkeypatch.setattr(history, "_copy", slow)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(start, ledgers))
    assert copied == ["shop_customers", "shop_aliases", "shop_consents", "shop_contacts"]
    with ledgers[0].reading() as reading:
        assert reading.profile("1").locale == "de"
    for ledger in ledgers:
        ledger.close()
