"""Where a shop's data lives on disk: one folder, `DIRIGENT_HOME` (default `.dirigent`), and the names inside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from arbitration.errors import InputError

Progress = Callable[[str], None]


def silent(_text: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one root folder; nothing is created until it is written."""

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """The folder named by `DIRIGENT_HOME`, made absolute. Raises `InputError` when it is set to nothing: that would be the folder at hand."""
        named = os.environ.get("DIRIGENT_HOME", ".dirigent")
        if not named:
            raise InputError("is empty", where="DIRIGENT_HOME", mend="name a folder or unset it")
        return cls(Path(named).resolve())

    @property
    def tables(self) -> Path:
        """Canonical tables, one Parquet file each."""
        return self.root / "tables"

    @property
    def features(self) -> Path:
        """Feature snapshots, one Parquet file per view; Feast's offline store reads them."""
        return self.root / "features"

    @property
    def feast(self) -> Path:
        """Feast's registry and online store."""
        return self.root / "feast"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artifacts."""
        return self.root / "mlflow"

    @property
    def bundles(self) -> Path:
        """Serving bundles, one folder per digest, and `current`, a file that holds the live digest."""
        return self.root / "bundles"

    @property
    def keys(self) -> Path:
        """Secrets of this installation: API keys (hashed), the draw salt, the bundle's signing key."""
        return self.root / "keys"

    @property
    def rights(self) -> Path:
        """Whose rows nothing may read, and the hashes of the erased. It lies beside the tables it speaks of, even when those
        are links into another home: whoever reads a shop's tables also reads who must not be found in them.
        """
        tables = self.tables
        return (tables.resolve().parent if tables.is_symlink() else self.root) / "rights"

    @property
    def ledger(self) -> Path:
        """The SQLite ledger of decisions and outcomes."""
        return self.root / "ledger.db"
