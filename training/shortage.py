"""The one way to say that there is too little to learn a model from. Training skips such a model and goes on with the others.

A leak, an unreadable table and a fault of the program are other errors: they stop the training.
"""

from __future__ import annotations

from arbitration.errors import StateError

LONGER = "Import a longer history; see features/tables/contract.py."


class TooLittle(StateError):
    """There are no rows to learn from, too few of them, or all had the same outcome."""
