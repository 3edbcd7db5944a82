"""A broken file is refused with file, row and column; nothing is changed then."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arbitration.errors import TableError
from features.home import Home
from features.snapshots import build_snapshots
from features.store import FeatureStore
from features.tables.importer import import_folder
from features.tables.store import open_tables

CUSTOMERS = "customer_id,created_at,time_zone,locale\nanna,2020-01-01T00:00:00Z,Europe/Berlin,de-DE\nben,2020-02-01T08:00:00+01:00,America/New_York,en-US\n"
EVENTS = 'event_id,customer_id,occurred_at,type,value,currency,properties\n1,anna,2020-03-01T10:00:00+01:00,purchase,12.5,EUR,"{""items"":3}"\n'


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "customers.csv").write_text(CUSTOMERS)
    (tmp_path / "shop" / "events.csv").write_text(EVENTS)
    return tmp_path / "shop"


def rows(home: Home, query: str) -> list[tuple[object, ...]]:
    return open_tables(home).execute(query).fetchall()


def test_good_files_become_tables_in_utc(files: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert import_folder(files, home).counts == {"customers": 2, "events": 1}
    assert rows(home, "SELECT strftime(occurred_at, '%H:%M'), value, simulated FROM events") == [("09:00", 12.5, False)]
    assert rows(home, "SELECT count(*) FROM contacts") == [(0,)]


def test_a_cell_that_may_be_empty_is_taken_in_empty(files: Path, tmp_path: Path) -> None:
    (files / "events.csv").write_text(EVENTS.replace('12.5,EUR,"{""items"":3}"', ",,"))
    contacts = "contact_id,customer_id,journey,channel,sent_at,probability,cost,censored\n1,anna,welcome,email,2020-03-01T10:00:00Z,,,\n"
    (files / "contacts.csv").write_text(contacts)
    consents = "customer_id,channel,purpose,state,legal_basis,valid_from,valid_to\nanna,email,marketing,granted,consent,2020-03-01T10:00:00Z,\n"
    (files / "consents.csv").write_text(consents)
    home = Home(tmp_path / "home")
    assert import_folder(files, home).counts == {"customers": 2, "events": 1, "contacts": 1, "consents": 1}
    assert rows(home, "SELECT value, currency, properties FROM events") == [(None, None, None)]
    assert rows(home, "SELECT probability, cost, censored FROM contacts") == [(None, None, False)]


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        (
            "customers.csv",
            "Europe/Berlin",
            "Berlin",
            "customers.csv, row 2, column time_zone: expected an IANA time zone",
        ),
        (
            "customers.csv",
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:00:00",
            "customers.csv, row 2, column created_at: expected a time with an offset",
        ),
        ("customers.csv", "de-DE", "", "customers.csv, row 2, column locale: expected a value"),
        (
            "customers.csv",
            "ben,",
            "anna,",
            "customers.csv, row 3, column customer_id: expected a key that appears once",
        ),
        ("customers.csv", "locale\n", "Locale\n", "column locale: expected this column"),
        ("customers.csv", "locale\n", "e-mail\n", "column e-mail: expected no direct identifiers"),
        ("customers.csv", "de-DE\n", "de-DE,more\n", "customers.csv, row 2: Expected Number of Columns: 4 Found: 5"),
        (
            "customers.csv",
            "de-DE",
            "anna@example.org",
            "customers.csv, row 2, column locale: expected no e-mail address",
        ),
        (
            "customers.csv",
            "2020-01-01T00:00:00Z",
            "2020-01-30",
            "customers.csv, row 2, column created_at: expected a time with an offset",
        ),
        (
            "customers.csv",
            "anna,",
            "Anna Muster,",
            "customers.csv, row 2, column customer_id: expected a pseudonymous id",
        ),
        ("customers.csv", "anna,", "kündig,", "customers.csv, row 2, column customer_id: expected a pseudonymous id"),
        ("customers.csv", "locale\n", "customer_name\n", "column customer_name: expected no direct identifiers"),
        ("customers.csv", "locale\n", "e_mail_adresse\n", "column e_mail_adresse: expected no direct identifiers"),
        ("customers.csv", "locale\n", "mobile_phone\n", "column mobile_phone: expected no direct identifiers"),
        (
            "events.csv",
            '""items"":3',
            '""phone"":""1""',
            "events.csv, row 2, column properties: expected no direct identifiers among the keys",
        ),
        (
            "events.csv",
            '""items"":3',
            '""first name"":""Max""',
            "events.csv, row 2, column properties: expected no direct identifiers among the keys",
        ),
        (
            "events.csv",
            '""items"":3',
            '""note"":""call +49 170 1234567""',
            "events.csv, row 2, column properties: expected no e-mail address",
        ),
        ("events.csv", "12.5", "twelve", "events.csv, row 2, column value: expected a finite number"),
        ("events.csv", "12.5", "NaN", "events.csv, row 2, column value: expected a finite number"),
        ("events.csv", "12.5", "1e999", "events.csv, row 2, column value: expected a finite number"),
        ("events.csv", "EUR", "euro", "events.csv, row 2, column currency: expected a three-letter currency code"),
        ("events.csv", '"{""items"":3}"', "[1]", "events.csv, row 2, column properties: expected a JSON object"),
        (
            "events.csv",
            "1,anna",
            "1,clara",
            "events.csv, row 2, column customer_id: expected a customer_id that customers holds",
        ),
        ("events.csv", "type,value", "typ,value", "column typ: expected only the columns"),
    ],
)
def test_a_broken_file_is_refused_and_nothing_changes(
    files: Path, tmp_path: Path, *, file: str, before: str, after: str, said: str
) -> None:
    home = Home(tmp_path / "home")
    import_folder(files, home)
    kept = {path.name: path.read_bytes() for path in home.tables.iterdir()}
    text = (files / file).read_text()
    assert before in text
    (files / file).write_text(text.replace(before, after, 1))
    with pytest.raises(TableError) as caught:
        import_folder(files, home)
    assert said in str(caught.value)
    assert {path.name: path.read_bytes() for path in home.tables.iterdir()} == kept
    assert {path.name for path in home.root.iterdir()} == {"tables", "rights"}


def test_parquet_with_a_naive_time_is_refused(files: Path, tmp_path: Path) -> None:
    (files / "customers.csv").unlink()
    duckdb.connect().execute(
        f"COPY (SELECT 'anna' AS customer_id, TIMESTAMP '2020-01-01' AS created_at, 'UTC' AS time_zone, 'de' AS locale) TO '{files}/customers.parquet' (FORMAT parquet)"
    )
    with pytest.raises(
        TableError, match=r"customers\.parquet, column created_at: expected a time type with a time zone"
    ):
        import_folder(files, Home(tmp_path / "home"))


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"PAR1"])
def test_an_unreadable_file_is_refused_by_name(files: Path, tmp_path: Path, content: bytes) -> None:
    (files / "customers.csv").unlink()
    (files / "customers.parquet").write_bytes(content)
    with pytest.raises(TableError, match=r"customers\.parquet"):
        import_folder(files, Home(tmp_path / "home"))


def test_a_file_of_no_table_is_refused(files: Path, tmp_path: Path) -> None:
    (files / "orders.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match=r"unknown table orders\.csv"):
        import_folder(files, Home(tmp_path / "home"))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40))
def test_no_text_in_a_cell_crashes_the_import(files: Path, tmp_path: Path, text: str) -> None:
    quoted = '"' + text.replace('"', '""').replace("\x00", "").encode("utf-8", "ignore").decode() + '"'
    (files / "customers.csv").write_text(CUSTOMERS.replace("de-DE", quoted))
    refused = ""
    try:
        counts = import_folder(files, Home(tmp_path / "home")).counts
    except TableError as error:
        refused = str(error)
    assert "customers.csv" in refused or (not refused and counts["customers"] == 2)


def test_ordinary_names_and_hashes_are_no_identifiers(files: Path, tmp_path: Path) -> None:
    (files / "customers.csv").write_text(
        f"customer_id,created_at,time_zone,locale,store_name,email_hash,birth_year\nanna,2020-01-01T00:00:00Z,Europe/Berlin,de-DE,Mitte,{'ab12' * 8},1980\n"
    )
    (files / "events.csv").write_text(
        EVENTS.replace(
            '""items"":3', '""product_name"":""Milk 3.5"", ""mailing"":1, ""at"":""2020-01-01T00:00:00+01:00""'
        )
    )
    (files / "identities.csv").write_text(
        f"alias_type,alias,customer_id,valid_from\nemail_hash,{'ab12cd' * 8},anna,2020-01-01T00:00:00Z\n"
    )
    assert import_folder(files, Home(tmp_path / "home")).counts["identities"] == 1


def test_a_file_without_customers_replaces_nothing(files: Path, tmp_path: Path) -> None:
    (files / "customers.csv").write_text("customer_id,created_at,time_zone,locale\n")
    (files / "events.csv").unlink()
    with pytest.raises(TableError, match="at least one customer"):
        import_folder(files, Home(tmp_path / "home"))


def test_odd_letters_in_folders_and_columns_are_no_trouble(files: Path, tmp_path: Path) -> None:
    text = (
        CUSTOMERS.replace("locale\n", 'locale,"we""ird"\n')
        .replace("de-DE\n", "de-DE,x\n")
        .replace("en-US\n", "en-US,y\n")
    )
    (files / "customers.csv").write_text(text)
    home = Home(tmp_path / "o'brien")
    assert import_folder(files, home).counts["customers"] == 2
    assert rows(home, """SELECT "we""ird" FROM customers ORDER BY customer_id""") == [("x",), ("y",)]


def test_a_shop_without_contacts_gets_its_features(files: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    import_folder(files, home)
    counts = build_snapshots(home, datetime(2020, 6, 1, tzinfo=UTC))
    assert counts["channel"] == 0
    assert counts["customer"] > 0
    store = FeatureStore(home)
    store.apply()
    store.materialize(datetime(2020, 6, 1, tzinfo=UTC))
    assert store.online("anna", []).values["purchases_total"] == 1


@pytest.mark.parametrize(
    ("categories", "fits"),
    [
        ("{}", True), ('{"tea": 2, "größer \\"x\\"": 0.5, "free": 0}', True), ('{"tea": -1}', False), ('{"tea": "2"}', False),
        ('{"tea": null}', False), ('{"tea": {"green": 1}}', False), ('{"tea": 1e300}', False), ('["tea"]', False), ('"tea"', False),
        ("null", False), ('{" ": 1}', False), ('{"' + 65 * "x" + '": 1}', False), ('{"e-mail": 1}', False),
    ],
)  # fmt: skip
def test_categories_of_a_purchase_are_names_and_money(files: Path, tmp_path: Path, categories: str, fits: bool) -> None:
    cell = f'{{"categories": {categories}}}'.replace('"', '""')
    (files / "events.csv").write_text(EVENTS.replace('{""items"":3}', cell))
    home = Home(tmp_path / "home")
    if fits:
        assert import_folder(files, home).counts["events"] == 1
        return
    with pytest.raises(TableError, match=r"events.csv, row 2, column properties: expected (in `categories`|no direct)"):
        import_folder(files, home)
