"""`dirigent sweep`: give back what was reserved and never confirmed, and tell postponed journeys whose time has come."""

from __future__ import annotations

import threading
from typing import Annotated

import typer

from dirigent.terminal import console, counted


def sweep_ledger(
    once: Annotated[bool, typer.Option("--once", help="One round, then end; without it, until Ctrl-C.")] = False,
) -> None:
    """Sweep the ledger. The service does this by itself; use it where the service does not run, or from a scheduler."""
    from serving.opening import open_ledger
    from serving.settings import Settings
    from serving.sweeper import resign, run, sweep

    settings = Settings.from_environment()
    ledger = open_ledger(settings)
    try:
        if not once:
            run(ledger, settings.paths, threading.Event())
            return
        holder = ledger.keyring.new_id("h")
        swept = sweep(ledger, holder)
        resign(ledger, holder)
    finally:
        ledger.close()
    if swept is None:
        console.print("another process sweeps")
        return
    console.print(
        f"expired {counted(swept.expired, 'reservation')}, {counted(swept.due, 'postponed journey')} {'is' if swept.due == 1 else 'are'} due,"
        f" forgot {counted(swept.forgotten, 'answer')}"
        + (f"; {counted(swept.left, 'customer')} could not be swept, run it again" if swept.left else "")
    )
