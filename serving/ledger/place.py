"""Where a ledger lies: a SQLite file, or a PostgreSQL database named by a URL. What is shown of it never holds a password."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from arbitration.errors import InputError

if TYPE_CHECKING:
    from serving.ledger.keyring import Keyring

_POSTGRES = ("postgresql", "postgresql+psycopg", "postgres")


@dataclass(frozen=True, slots=True)
class Place:
    """One ledger. `path` is its file, None for PostgreSQL; `url` is what SQLAlchemy opens, `shown` what people may read."""

    url: str = field(repr=False)  # it may hold a password
    shown: str
    path: Path | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether one file holds it, on this machine."""
        return self.path is not None

    @classmethod
    def of(cls, named: Path | str) -> Place:
        """The place of a file's path or a URL `postgresql://name:password@host:port/database`. Raises `InputError`."""
        if isinstance(named, Path) or "://" not in named:
            path = Path(named)
            return cls(f"sqlite:///{path}", str(path), path)
        try:
            url = make_url(named)
        except ArgumentError:
            url = None
        if url is None or url.drivername not in _POSTGRES or not url.database:
            raise InputError(
                "is neither a file nor postgresql://name:password@host:port/database", where="DIRIGENT_LEDGER",
                mend="correct it, or unset it for a file in DIRIGENT_HOME",
            )  # fmt: skip
        url = url.set(drivername="postgresql+psycopg")
        shown = url.set(drivername="postgresql").render_as_string(hide_password=True)
        return cls(url.render_as_string(hide_password=False), shown)


@dataclass(frozen=True, slots=True)
class Address:
    """A ledger and the secrets that open it: what another process needs to read it, too."""

    place: Place
    keyring: Keyring
