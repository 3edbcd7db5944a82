"""Opening the ledger of an installation: where the settings say it lies, with the secrets of its home."""

from __future__ import annotations

from pathlib import Path

from arbitration.errors import LedgerError
from features.home import Home
from serving.auth import secret
from serving.clock import Clock
from serving.ledger.keyring import Keyring
from serving.ledger.place import Address, Place
from serving.ledger.store import Ledger
from serving.settings import Settings


def place_of(settings: Settings) -> Path | str:
    """The ledger's URL, or its file in the home."""
    return settings.ledger or settings.paths.ledger


def keyring_of(home: Home, *, expected: bool = False) -> Keyring:
    """The secrets of a home's ledger, made when there is none yet. `expected`: a ledger exists, so that they must, too; `StateError`."""
    names = ("ledger_master", "ledger_audit", "suppression")
    master, audit, suppression = (secret(home, name, expected=expected) for name in names)
    return Keyring(master, audit, suppression)


def open_ledger(settings: Settings, clock: Clock | None = None) -> Ledger:
    """The ledger, for reading and writing. Raises `LedgerError` or `StateError`."""
    home = settings.paths
    exists = settings.ledger is None and home.ledger.exists() and home.ledger.stat().st_size > 0
    return Ledger(
        place_of(settings), keyring_of(home, expected=exists), clock or Clock(settings.as_of, settings.as_of_began)
    )


def address_of(settings: Settings) -> Address:
    """Where the ledger lies and what opens it, for reading alone. Raises `LedgerError` when there is none; nothing is made then."""
    if settings.ledger is None and not settings.paths.ledger.exists():
        raise LedgerError(
            "there is no ledger yet", where=str(settings.paths.ledger), mend="run: dirigent serve, and ask it something"
        )
    return Address(Place.of(place_of(settings)), keyring_of(settings.paths))
