"""Which keys a ledger was made with: a check value of each, so that a program with another home's keys is refused and not noticed late.

Seals that another audit key made would never verify again, and hashes of another suppression key would recognize nobody who was
erased. A check value says nothing of its key: it is an HMAC of a constant under 32 random bytes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from arbitration.errors import StateError
from serving.ledger.keyring import Keyring
from serving.ledger.place import Place
from serving.ledger.schema import imports

_FILES = {"master": "ledger_master", "audit": "ledger_audit", "suppression": "suppression"}
_ABOUT = b"dirigent ledger key"
_NAMES = tuple(f"key:{name}" for name in _FILES)


def marks_of(keyring: Keyring) -> dict[str, str]:
    """The check value of every key, by the name that its row has."""
    keys = {"master": keyring.master, "audit": keyring.audit, "suppression": keyring.suppression}
    return {f"key:{name}": hmac.new(key, _ABOUT, hashlib.sha256).hexdigest() for name, key in keys.items()}


def stored_marks(connection: Connection) -> dict[str, str]:
    """The check values that a ledger holds; none, or all."""
    asked = select(imports.c.name, imports.c.fingerprint).where(imports.c.name.in_(_NAMES))
    return {str(row.name): str(row.fingerprint) for row in connection.execute(asked)}


def compare(stored: Mapping[str, str], keyring: Keyring, place: Place) -> None:
    """Raise `StateError`, naming the key's file, when a ledger was made with another key. What is not stored is not compared."""
    for name, mark in marks_of(keyring).items():
        if not hmac.compare_digest(stored.get(name, mark).encode("utf-8", "replace"), mark.encode()):
            raise StateError(
                f"is not the key that the ledger {place.shown} was made with",
                where=f"keys/{_FILES[name.removeprefix('key:')]} in DIRIGENT_HOME",
                mend="copy the folder keys of the home that made the ledger, or restore it from the backup of the ledger",
            )


def note(connection: Connection, keyring: Keyring, place: Place) -> None:
    """Write down the keys of a ledger that has no check values yet; else `compare`. Only one program may do so at a time."""
    stored = stored_marks(connection)
    compare(stored, keyring, place)
    missing = [{"name": name, "fingerprint": mark} for name, mark in marks_of(keyring).items() if name not in stored]
    if missing:
        connection.execute(insert(imports), missing)
