"""Who may call: API keys (kept as keyed hashes), their roles, and the console's session cookie.

| role | decide | report outcomes | read decisions and explanations, console | metrics |
|---|---|---|---|---|
| orchestrator | yes | yes | yes | no |
| data_scientist | no | no | yes | yes |
| marketer | no | no | yes | no |
| associate | no | no | yes | no |
| admin | yes | yes | yes | yes |
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from arbitration.errors import InputError, StateError
from features.home import Home

Role = Literal["orchestrator", "data_scientist", "marketer", "associate", "admin"]
Act = Literal["decide", "report", "read", "metrics"]
ALLOWED: Mapping[str, frozenset[Act]] = {
    "orchestrator": frozenset({"decide", "report", "read"}),
    "data_scientist": frozenset({"read", "metrics"}),
    "marketer": frozenset({"read"}),
    "associate": frozenset({"read"}),
    "admin": frozenset({"decide", "report", "read", "metrics"}),
}
SESSION_SECONDS = 8 * 3600
_PREFIX = "dgt_"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Client:
    """A caller that proved who it is; `name` scopes its `request_id`s."""

    name: str
    role: str

    def may(self, act: Act) -> bool:
        """Whether the role allows it (table at the top of this file)."""
        return act in ALLOWED.get(self.role, frozenset())


def secret(home: Home, name: str, *, expected: bool = False) -> bytes:
    """32 random bytes kept in `keys/<name>`, made on first use and readable by the owner only.

    `expected`: something was already made with it, so that a new one would silently make that worthless: `StateError`.
    """
    path = home.keys / name
    if expected and not path.exists():
        raise StateError(
            "is missing, and what was made with it exists", where=str(path), mend="restore it from your backup"
        )
    home.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_secret(path)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32))
    return _read_secret(path)


def _read_secret(path: Path) -> bytes:
    try:
        found = bytes.fromhex(path.read_text().strip())
    except ValueError:
        found = b""
    if len(found) != 32:
        raise StateError("does not hold 32 bytes in hex", where=str(path), mend="restore it from your backup")
    return found


def create_key(home: Home, name: str, role: str) -> str:
    """A new API key for `name`, returned this one time. A name that already has a key loses the old one (rotation)."""
    if role not in ALLOWED:
        raise InputError(f"must be one of {', '.join(ALLOWED)}", where="role")
    if not _NAME.fullmatch(name):
        raise InputError("must be letters A to Z and a to z, digits, - and _, at most 64", where="name")
    key = _PREFIX + secrets.token_urlsafe(32)
    kept = [entry for entry in _entries(_file(home)) if entry["name"] != name]
    entry = {"name": name, "role": role, "hash": _digest(_pepper(home), key), "created_at": int(time.time())}
    _write(_file(home), [*kept, entry])
    return key


class Keys:
    """Checks keys and sessions. The file is read again when it changed, so that a new key needs no restart."""

    def __init__(self, home: Home) -> None:
        self._file, self._pepper = _file(home), _pepper(home)
        self._stamp, self._entries = -1, list[dict[str, Any]]()

    def client_of_key(self, key: str) -> Client | None:
        """The caller with this key; every stored hash is compared, in constant time."""
        digest, found = _digest(self._pepper, key), None
        for entry in self._current():
            if hmac.compare_digest(entry["hash"], digest):
                found = Client(entry["name"], entry["role"])
        return found

    def open_session(self, client: Client) -> str:
        """A cookie value that stands for the client for eight hours; it does not contain the key."""
        text = f"{client.name}.{int(time.time()) + SESSION_SECONDS}"
        return f"{text}.{self._seal(client.name, text)}"

    def client_of_session(self, cookie: str) -> Client | None:
        """The caller of a session, as long as it has not run out and the key behind it has not been replaced."""
        text, _, seal = cookie.rpartition(".")
        name, _, until = text.rpartition(".")
        valid = hmac.compare_digest(self._seal(name, text).encode(), seal.encode())
        if not valid or int(until) < time.time():
            return None
        return next((Client(one["name"], one["role"]) for one in self._current() if one["name"] == name), None)

    def _seal(self, name: str, text: str) -> str:
        behind = next((entry["hash"] for entry in self._current() if entry["name"] == name), secrets.token_hex(16))
        return hmac.new(self._pepper, f"session.{behind}.{text}".encode(), hashlib.sha256).hexdigest()

    def _current(self) -> list[dict[str, Any]]:
        stamp = self._file.stat().st_mtime_ns if self._file.exists() else 0
        if stamp != self._stamp:
            self._entries, self._stamp = _entries(self._file), stamp
        return self._entries


def _file(home: Home) -> Path:
    return home.keys / "api_keys.json"


def _pepper(home: Home) -> bytes:
    return secret(home, "pepper", expected=_file(home).exists())


def _digest(pepper: bytes, key: str) -> str:
    return hmac.new(pepper, key.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _entries(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        return list(json.loads(path.read_text())["keys"])
    except (ValueError, KeyError, TypeError):
        raise StateError("cannot be read", where=str(path), mend="restore it, or delete it and create keys") from None


def _write(path: Path, entries: list[dict[str, Any]]) -> None:
    fresh = path.with_suffix(".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"keys": entries}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
