"""The one error tree; every error says what happened, where, and how to mend it.

DirigentError
+-- InputError        what a caller or a shop brought is wrong (HTTP 4xx, exit code 2)
|   +-- CatalogError  a journey file: file, line, column
|   +-- ExpressionError  a rule over features: column within the rule
|   +-- TableError    a data file: file, row, column, what was expected
+-- StateError        something needed is missing, altered or locked (HTTP 503, exit code 3)
    +-- BundleError   the serving bundle
    +-- FeatureStoreError
    +-- LedgerError
"""

from __future__ import annotations


class DirigentError(Exception):
    """Base of all errors. `what` happened, `where`, and `mend`: what to do about it; `str()` joins them on one line."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        text = f"{where}: {what}" if where else what
        super().__init__(text + (_joint(mend) + mend.strip() if mend else ""))


def _joint(mend: str) -> str:
    """How the mend follows what happened: on a line of its own, as a new sentence, or as a clause."""
    if mend.startswith("\n"):
        return "\n"
    return "; " if mend[0].islower() else ". "


class InputError(DirigentError):
    """What a caller or a shop brought is wrong."""

    exit_code = 2


class CatalogError(InputError):
    """A journey file is wrong; `where` is file:line:column."""


class ExpressionError(InputError):
    """A rule over features is wrong; `column` counts from 1 within the rule."""

    def __init__(self, what: str, *, column: int = 1, mend: str = "") -> None:
        self.column = column
        super().__init__(what, where=f"column {column}", mend=mend)


class TableError(InputError):
    """A data file is wrong; `where` is file, row and column."""


class StateError(DirigentError):
    """Something needed is missing, altered or locked."""

    exit_code = 3


class BundleError(StateError):
    """The serving bundle is missing, altered or does not fit this version."""


class FeatureStoreError(StateError):
    """The feature store is empty, missing or cannot be read."""


class LedgerError(StateError):
    """The ledger is locked or cannot be read."""
