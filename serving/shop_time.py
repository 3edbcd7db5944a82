"""The time of a home: a service with a declared clock leaves a note of it, so that every verb beside it lives in the same time.

Without it `dirigent privacy retain` beside the example of 2018 would find everything years old, and remove it.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from arbitration.errors import StateError
from features.home import Home
from serving.clock import Clock
from serving.ledger.auditing import latest
from serving.ledger.schema import from_micros
from serving.ledger.store import Ledger
from serving.logs import log
from serving.settings import Settings

BEHIND = timedelta(minutes=5)
"""A declared clock begins anew with every start, so that the ledger has mostly seen a little more; from here on it is told."""
ANOTHER = timedelta(days=31)
"""What lies further ahead was written in another present."""


def check_time(ledger: Ledger) -> None:
    """Warn when the ledger has seen later moments than a declared clock begins with: time waits for them, customer by customer, so that their
    decisions carry the later moment. Raises `StateError` when they are so late that two presents have met in one ledger.
    """
    if not ledger.clock.declared:
        return
    with ledger.reading() as reading:
        now = reading.now()
        seen = latest(reading.connection)
    last = now if seen is None else from_micros(seen)
    told = f"the ledger holds customers' moments up to {last:%Y-%m-%d %H:%M} UTC, later than the declared clock, {now:%Y-%m-%d %H:%M} UTC"
    mend = (
        "was the service started here without --example or --as-of? Decisions about the customers of that time would carry the later"
        f" moment; start it with --as-of {last + timedelta(minutes=1):%Y-%m-%dT%H:%MZ}, or with another home (DIRIGENT_HOME)"
    )
    if last - now > ANOTHER:
        raise StateError(told, where="DIRIGENT_AS_OF", mend=mend)
    if last - now > BEHIND:
        log.warning("clock behind the ledger", what=told, mend=mend)


def clock_of(settings: Settings) -> Clock:
    """The clock that the settings declare, else the one that the home's service declared, else the machine's.

    Raises `StateError` when the note cannot be read.
    """
    if settings.as_of is not None:
        return Clock(settings.as_of, settings.as_of_began)
    path = _path(settings.paths)
    if not path.exists():
        return Clock()
    try:
        told = json.loads(path.read_text())
        return Clock(datetime.fromisoformat(told["as_of"]), float(told["began"]))
    except (ValueError, KeyError, TypeError):
        raise StateError("says no time", where=str(path), mend="delete it and start the service anew") from None


def declare(settings: Settings) -> None:
    """Note the time of the service that starts, or that it is the machine's."""
    path = _path(settings.paths)
    if settings.as_of is None or settings.as_of_began is None:
        path.unlink(missing_ok=True)
        return
    fresh = path.with_suffix(".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"as_of": settings.as_of.isoformat(), "began": settings.as_of_began}, file)
    fresh.replace(path)


def _path(home: Home) -> Path:
    return home.root / "clock.json"
