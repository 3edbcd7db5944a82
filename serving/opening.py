"""Opening the ledger of an installation: where the settings say it lies, with the secrets of its home."""

from __future__ import annotations

from pathlib import Path

from arbitration.errors import LedgerError
from features.home import Home
from serving.auth import secret
from serving.clock import Clock
from serving.ledger.anchors import path_of, tells_of_entries
from serving.ledger.fitting import check_fits, check_there
from serving.ledger.keyring import Keyring
from serving.ledger.layout import check_layout
from serving.ledger.migrate import holds_keys
from serving.ledger.place import Address, Place
from serving.ledger.store import Ledger
from serving.settings import Settings
from serving.shop_time import clock_of


def place_of(settings: Settings) -> Path | str:
    """The ledger's URL, or its file in the home."""
    return settings.ledger or settings.paths.ledger


_SECRETS = ("ledger_master", "ledger_audit", "suppression")


def keyring_of(home: Home, *, expected: bool = False) -> Keyring:
    """The secrets of a home's ledger, made when there is none yet. `expected`: a ledger exists, so that they must, too; `StateError`."""
    master, audit, suppression = (secret(home, name, expected=expected) for name in _SECRETS)
    return Keyring(master, audit, suppression)


def open_ledger(settings: Settings, clock: Clock | None = None, *, anew: bool = False) -> Ledger:
    """The ledger, for reading and writing; made when there was none yet. `anew`: whatever the home's anchors tell of. Otherwise it must
    be the one that they tell of. Raises `LedgerError` or `StateError`.
    """
    _check_layout(settings)
    anchors = path_of(settings.paths)
    if not anew:
        check_there(Place.of(place_of(settings)), anchors)
    known = _is_made(settings) or (not anew and tells_of_entries(anchors))
    keyring = keyring_of(settings.paths, expected=known)
    ledger = Ledger(place_of(settings), keyring, clock or clock_of(settings))
    if not anew:
        try:
            check_fits(ledger, anchors)
        except BaseException:
            ledger.close()
            raise
    return ledger


def address_of(settings: Settings) -> Address:
    """Where the ledger lies and what opens it, for reading alone. Raises `LedgerError` when there is none; nothing is made then."""
    place = Place.of(place_of(settings))
    _check_layout(settings)
    check_there(place, path_of(settings.paths))
    if (_lacks_secrets(settings.paths) and not _is_made(settings)) or (
        place.path is not None and not place.path.exists()
    ):
        raise LedgerError("there is no ledger yet", where=place.shown, mend="run: dirigent serve, and ask it something")
    return Address(place, keyring_of(settings.paths, expected=True))


def _check_layout(settings: Settings) -> None:
    """An earlier program's ledger has none of the keys that this one's has: what is wrong then is the ledger, not that they are missing.
    With all keys there, opening the ledger says so itself.
    """
    if _lacks_secrets(settings.paths):
        check_layout(Place.of(place_of(settings)))


def _is_made(settings: Settings) -> bool:
    """Whether a ledger was made with secrets, so that new ones would open nothing. A database is asked only where some are missing."""
    place = Place.of(place_of(settings))
    if place.path is not None:
        return place.path.exists() and place.path.stat().st_size > 0
    return _lacks_secrets(settings.paths) and holds_keys(place)


def _lacks_secrets(home: Home) -> bool:
    return not all((home.keys / name).exists() for name in _SECRETS)
