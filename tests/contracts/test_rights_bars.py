"""Whoever is erased at the moment at which the list of the barred is set right stays on it."""

from __future__ import annotations

import pytest

from features.home import Home
from features.rights import bar, barred
from serving import forgetting
from serving.ledger import rights
from serving.ledger.store import Ledger


def erased(ledger: Ledger, home: Home, customer: str) -> None:
    """What another process does in the meantime: the ledger forgets, the files bar."""
    ledger.write(customer, lambda tx: rights.erase(tx, f"x-{customer}", customer, "unlawful"))
    bar(home, customer, "erasure")


def test_who_is_erased_in_between_is_not_taken_off_the_list(ledger, tmp_path, monkeypatch):
    if ledger.place.is_sqlite:
        pytest.skip("nobody writes to SQLite in between")
    home, real = Home(tmp_path / "home"), rights.unfinished

    def unfinished(reading):
        found = real(reading)
        erased(ledger, home, "c2")
        return found

    erased(ledger, home, "c1")
    monkeypatch.setattr(forgetting, "unfinished", unfinished)
    forgetting.bar_leaving(ledger, home)
    assert barred(home, "erasure") == {"c1", "c2"}


def test_the_list_follows_the_ledger(ledger, tmp_path):
    home = Home(tmp_path / "home")
    erased(ledger, home, "c1")
    bar(home, "c3", "erasure")
    assert forgetting.bar_leaving(ledger, home) == 1
    assert barred(home, "erasure") == {"c1"}
