"""Who may call: API keys (kept as keyed hashes, with expiry and rotation) and the console's session cookie.

What a role may do stands in `serving.access`, where each key lies in `serving.key_file`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn

from arbitration.errors import InputError
from features.home import Home
from features.suppression import kept_secret
from serving.access import ALLOWED, Act
from serving.key_file import KeyFile, StoredKey

SESSION_SECONDS = 8 * 3600
_PREFIX = "dgt_"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_KEY = 256  # characters; what is longer is no key of ours and is not hashed


@dataclass(frozen=True, slots=True)
class Client:
    """A caller that proved who it is; `name` scopes its `request_id`s, `key_hash` is what its key is kept as."""

    name: str
    role: str
    key_hash: str = field(default="", repr=False, compare=False)

    def may(self, act: Act) -> bool:
        """Whether the role allows it."""
        return act in ALLOWED.get(self.role, frozenset())


def secret(home: Home, name: str, *, expected: bool = False) -> bytes:
    """32 random bytes kept in `keys/<name>`, made on first use and readable by the owner only.

    `expected`: something was already made with it, so that a new one would silently make that worthless: `StateError`.
    """
    return kept_secret(home.keys / name, expected=expected)


def create_key(home: Home, name: str, role: str, *, lifetime: timedelta | None = None, fresh: bool = False) -> str:
    """A new API key for `name`, returned this one time. A name that already has a key loses it at once, and its sessions.

    `lifetime`: from when on it opens nothing; without it the key holds until it is revoked. `fresh`: a name that has a
    key is an `InputError` instead. So is a name that differs from another one only by case: people would take them for one.
    """
    if role not in ALLOWED:
        raise InputError(f"must be one of {', '.join(ALLOWED)}", where="role")
    if not _NAME.fullmatch(name):
        raise InputError("must be letters A to Z and a to z, digits, - and _, at most 64", where="name")
    if lifetime is not None and not timedelta(0) < lifetime <= timedelta(days=3650):
        raise InputError("must be more than nothing and at most ten years", where="lifetime")
    key, now = _new_key(), int(time.time())
    with KeyFile(home.keys).changing() as keys:
        if fresh and name in keys:
            raise InputError("already has a key", where=name, mend=f"dirigent key rotate {name}, or revoke it first")
        alike = next((other for other in keys if other != name and other.casefold() == name.casefold()), None)
        if alike is not None:
            raise InputError(f"is too much like {alike}, which has a key", where=name, mend="choose another name")
        keys[name] = StoredKey(
            name=name, role=role, hash=_digest(_pepper(home), key), created_at=now,
            expires_at=now + int(lifetime.total_seconds()) if lifetime else None,
        )  # fmt: skip
    return key


def rotate_key(home: Home, name: str, *, overlap: timedelta = timedelta(0)) -> str:
    """A new key with the old one's role and length of life; the old one opens for `overlap` more, never past its own end.

    At most two keys of a name are open at a time: a second rotation within the overlap closes the oldest.
    """
    if not timedelta(0) <= overlap <= timedelta(days=30):
        raise InputError("must be at least nothing and at most 30 days", where="overlap")
    key, now = _new_key(), int(time.time())
    with KeyFile(home.keys).changing() as keys:
        old = keys.get(name) or _unknown(name)
        life = None if old.expires_at is None else old.expires_at - (old.rotated_at or old.created_at)
        ends = now + int(overlap.total_seconds())
        keys[name] = StoredKey(
            name=name, role=old.role, hash=_digest(_pepper(home), key), created_at=old.created_at, rotated_at=now,
            expires_at=None if life is None else now + life,
            former_hash=old.hash if overlap else None,
            former_until=0 if not overlap else ends if old.expires_at is None else min(ends, old.expires_at),
        )  # fmt: skip
    return key


def revoke_key(home: Home, name: str) -> None:
    """Close a name's keys and sessions, from the next request on."""
    with KeyFile(home.keys).changing() as keys:
        if name not in keys:
            _unknown(name)
        del keys[name]


def stored_keys(home: Home) -> list[StoredKey]:
    """Every key that is kept, by name; what is kept is a hash, not the key."""
    return sorted(KeyFile(home.keys).read().values(), key=lambda stored: stored.name)


def _unknown(name: str) -> NoReturn:
    shown = name if _NAME.fullmatch(name) else "name"
    raise InputError("has no key", where=shown, mend="see the names: dirigent key list")


class Keys:
    """Checks keys and sessions. The file is read again when it changed, so that a revoked key needs no restart."""

    def __init__(self, home: Home) -> None:
        self._file, self._pepper = KeyFile(home.keys), _pepper(home)
        self._stamp, self._stored = (-1, -1), dict[str, StoredKey]()

    def check(self) -> None:
        """Raises `StateError` or `OSError` when the file cannot be read, so that no key opens anything."""
        self._current()

    def client_of_key(self, key: str) -> Client | None:
        """The caller with this key; one hash is made, and every stored hash is compared in constant time."""
        if not key.startswith(_PREFIX) or len(key) > _LONGEST_KEY:
            return None
        digest, found, now = _digest(self._pepper, key), None, time.time()
        for stored in self._current().values():
            for known in stored.open_hashes(now):
                if hmac.compare_digest(known, digest):
                    found = Client(stored.name, stored.role, known)
        return found

    def open_session(self, client: Client) -> str:
        """A cookie value that stands for the client for eight hours, or as long as its key; it does not contain the key."""
        text = f"{client.name}.{int(time.time()) + SESSION_SECONDS}"
        return f"{text}.{self._seal(client.key_hash, text)}"

    def client_of_session(self, cookie: str) -> Client | None:
        """The caller of a session, as long as it has not run out and the key that opened it still opens."""
        text, _, seal = cookie.rpartition(".")
        name, _, until = text.rpartition(".")
        stored, now = self._current().get(name), time.time()
        if stored is None or not until.isdecimal() or len(until) > 12 or int(until) < now:
            return None
        for known in stored.open_hashes(now):
            if hmac.compare_digest(self._seal(known, text).encode(), seal.encode("utf-8", "replace")):
                return Client(stored.name, stored.role, known)
        return None

    def token(self, session: str) -> str:
        """What a form carries that stands on a page opened with this session; nobody can make one from elsewhere."""
        return hmac.new(self._pepper, f"form.{session}".encode("utf-8", "replace"), "sha256").hexdigest()

    def fits(self, session: str, token: str) -> bool:
        """Whether it is this session's token."""
        return hmac.compare_digest(self.token(session).encode(), token.encode("utf-8", "replace"))

    def _seal(self, key_hash: str, text: str) -> str:
        return hmac.new(self._pepper, f"session.{key_hash}.{text}".encode("utf-8", "replace"), "sha256").hexdigest()

    def _current(self) -> dict[str, StoredKey]:
        stamp = self._file.stamp()
        if stamp != self._stamp:
            self._stored, self._stamp = self._file.read(), stamp
        return self._stored


def _new_key() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


def _pepper(home: Home) -> bytes:
    return secret(home, "pepper", expected=KeyFile(home.keys).path.exists())


def _digest(pepper: bytes, key: str) -> str:
    return hmac.new(pepper, key.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
