"""Direct identifiers are refused wherever a shop's files could hide one; what only looks a little like one is taken in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arbitration.errors import TableError
from features.home import Home
from features.tables.importer import import_folder
from features.tables.store import open_tables

CUSTOMERS = "customer_id,created_at,time_zone,locale,segment\nanna,2020-01-01T00:00:00Z,Europe/Berlin,de-DE,{}\n"
HASH = "0f" * 32


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "customers.csv").write_text(CUSTOMERS.format("gold"))
    return tmp_path / "shop"


def take(shop: Path) -> dict[str, int]:
    return dict(import_folder(shop, Home(shop.parent / "home")).counts)


def write_event(shop: Path, properties: str) -> None:
    row = f"1,anna,2020-03-01T10:00:00Z,purchase,{quoted(properties)}\n"
    (shop / "events.csv").write_text("event_id,customer_id,occurred_at,type,properties\n" + row)


def write_contact(shop: Path, names: tuple[str, ...], value: str) -> None:
    columns = {"contact_id": "1", "customer_id": "anna", "journey": "welcome", "channel": "email"}
    columns |= {"sent_at": "2020-03-01T10:00:00Z", **dict.fromkeys(names, value)}
    (shop / "contacts.csv").write_text(",".join(columns) + "\n" + ",".join(map(quoted, columns.values())) + "\n")


def write_alias(shop: Path, kind: str, alias: str) -> None:
    text = f"alias_type,alias,customer_id,valid_from\n{kind},{alias},anna,2020-01-01T00:00:00Z\n"
    (shop / "identities.csv").write_text(text)


IDENTIFYING = (
    "anna@example.org",
    "write to jörg@müller.de now",
    "anna＠example.org",
    "anna%40example.org",
    "anna (at) example.org",
    "+49 170 1234567",
    "+49(0)170/1234567",
    "0049 170 1234567",
    "0170 1234567",
    "(030) 123456",
    "030/1234567",
    "tel:01701234567",
)


@pytest.mark.parametrize("value", IDENTIFYING)
def test_an_identifier_is_refused_in_an_attribute_a_json_value_and_a_template(shop: Path, value: str) -> None:
    (shop / "customers.csv").write_text(CUSTOMERS.format(quoted(value)))
    with pytest.raises(
        TableError, match=r"row 2, column segment: expected no e-mail address or phone number"
    ) as caught:
        take(shop)
    assert value not in str(caught.value)
    (shop / "customers.csv").write_text(CUSTOMERS.format("gold"))
    for properties in ({"note": value}, {"deep": [{"note": value}]}):
        write_event(shop, json.dumps(properties))
        with pytest.raises(TableError, match=r"events\.csv, row 2, column properties: expected no e-mail"):
            take(shop)
    (shop / "events.csv").unlink()
    names = ("treatment", "offer", "arm", "decision_id")
    write_contact(shop, names, value)
    with pytest.raises(TableError) as caught:
        take(shop)
    for name in names:
        assert f"contacts.csv, row 2, column {name}: expected no e-mail" in str(caught.value)
    assert value not in str(caught.value)


def test_escaped_letters_hide_neither_a_json_key_nor_a_value(shop: Path) -> None:
    write_event(shop, r'{"note":"anna\u0040example\u002eorg"}')
    with pytest.raises(TableError, match="no e-mail address or phone number in any value"):
        take(shop)
    write_event(shop, r'{"\u0065mail" : 1}')
    with pytest.raises(TableError, match="no direct identifiers among the keys"):
        take(shop)


@pytest.mark.parametrize(
    "key",
    ["email", "customerEmail", "eMail", "emailAddress", "phoneNumber", "billing_address", "shippingAddress", "lieferadresse", "Anschrift",
     "straße", "contactPhone", "userName", "familienname", "recipient_name", "name", "work.email", "whatsapp"],
)  # fmt: skip
def test_a_name_that_says_identifier_is_refused_as_json_key_and_as_column(shop: Path, key: str) -> None:
    write_event(shop, json.dumps({"deep": [{key: "x"}]}, ensure_ascii=False, indent=1))
    with pytest.raises(TableError, match="no direct identifiers among the keys"):
        take(shop)
    (shop / "events.csv").unlink()
    (shop / "customers.csv").write_text(CUSTOMERS.format("gold").replace("segment", key))
    with pytest.raises(TableError, match="expected no direct identifiers"):
        take(shop)


@pytest.mark.parametrize("kind", ["email", "phone_number", "customer_name", "e_mail"])
def test_an_alias_type_that_says_identifier_in_the_clear_is_refused(shop: Path, kind: str) -> None:
    write_alias(shop, kind, HASH)
    with pytest.raises(TableError, match=r"identities\.csv, row 2, column alias_type: expected no direct identifiers"):
        take(shop)


@pytest.mark.parametrize(
    ("kind", "alias"),
    [
        ("email_hash", "anna.example.org"), ("email_hash", "anna"), ("phone_hash", "491701234567"), ("email_sha256", "0f" * 15),
        ("phone_token", "491701234567890123"), ("email_token", "anna.muster.example"), ("email_hash", "anna@example.org"),
    ],
)  # fmt: skip
def test_a_clear_value_under_a_type_that_promises_a_hash_is_refused(shop: Path, kind: str, alias: str) -> None:
    write_alias(shop, kind, alias)
    with pytest.raises(TableError, match=r"identities\.csv, row 2, column alias: expected a") as caught:
        take(shop)
    assert alias not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "alias"),
    [("email_hash", HASH), ("phone_md5", "0f" * 16), ("email_sha256", "aZ09_-" * 7 + "q"), ("email_token", "tok-a1b2c3d4e5f6g7"),
     ("pos_card", "77"), ("mobile_ad_id", "ab12"), ("loyalty_card", "491701234567")],
)  # fmt: skip
def test_hashes_tokens_and_card_numbers_are_good_aliases(shop: Path, kind: str, alias: str) -> None:
    write_alias(shop, kind, alias)
    assert take(shop)["identities"] == 1


def test_an_attribute_that_promises_a_hash_must_hold_one(shop: Path) -> None:
    text = CUSTOMERS.replace("segment", "email_hash")
    (shop / "customers.csv").write_text(text.format("anna.example.org"))
    with pytest.raises(TableError, match="column email_hash: expected a hash of at least 32 hex digits"):
        take(shop)
    (shop / "customers.csv").write_text(text.format(HASH))
    assert take(shop)["customers"] == 1


@pytest.mark.parametrize(
    "value",
    ["2020-01-02T08:00:00+01:00", "01/02/2020", "SKU 0123-456789", "4012345678901", "1.234,50", "08:00-12:30", "B2B 50/50", "store 0815", "10 000 000",
     "size 36 / 38 40 42", "@home", "a@b"],
)  # fmt: skip
def test_dates_codes_and_numbers_are_no_identifiers(shop: Path, value: str) -> None:
    (shop / "customers.csv").write_text(CUSTOMERS.format(quoted(value)))
    write_event(shop, json.dumps({"product_name": value, "store_name": "Mitte", "mailing": 1, "productName": "x"}))
    assert take(shop) == {"customers": 1, "events": 1}
    found = open_tables(Home(shop.parent / "home")).execute("SELECT segment FROM customers").fetchall()
    assert found == [(value,)]
