"""`dirigent relay`: tell what happens in the ledger to others, as CloudEvents."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from dirigent.terminal import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.ledger.store import Ledger
    from serving.outbox.relay import Told
    from serving.outbox.sinks import Sink


def relay_events(
    to: Annotated[
        list[str] | None,
        typer.Option(
            help="jsonl:PATH, https://…, or kafka:HOST:PORT/TOPIC; may be given several times. Default: a file in the home."
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Tell what is due by now, then end.")] = False,
    from_start: Annotated[
        bool,
        typer.Option("--from-start", help="Tell new sinks also what happened before; without it they start from now."),
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only show how far each sink is behind.")] = False,
    forget: Annotated[
        str | None,
        typer.Option(
            help="Only forget a sink that will not come back, by its name in --status; no event waits for it then."
        ),
    ] = None,
) -> None:
    """Relay the ledger's events to files, webhooks and Kafka: at least once, in order for each customer. One relay works at a time.

    With --once, exit code 1 says that something could not be delivered yet.
    """
    from serving.logs import configure
    from serving.opening import open_ledger
    from serving.outbox import forgetting
    from serving.outbox.sinks import open_sinks
    from serving.settings import Settings

    settings = Settings.from_environment()
    configure(settings.log_level)
    ledger = open_ledger(settings)
    try:
        if status:
            _show(ledger)
        elif forget is not None:
            left = forgetting.forget(ledger, forget)
            console.print(f"{forget}: forgotten; {left:,} events were not told to it", markup=False, soft_wrap=True)
        else:
            _tell(ledger, open_sinks(to or [None], settings.paths, settings.brand), once=once, from_start=from_start)
    finally:
        ledger.close()


def _tell(ledger: Ledger, sinks: Sequence[Sink], *, once: bool, from_start: bool) -> None:
    """Relay until told to end, or what is due by now."""
    from serving.outbox import relay

    ending = _until_told()
    if not once:
        relay.run(ledger, sinks, ending, from_start=from_start)
        return
    known = _known(ledger)
    _report(relay.drain(ledger, sinks, ending, from_start=from_start), known, from_start=from_start)


def _known(ledger: Ledger) -> frozenset[str]:
    """The sinks that an earlier run told of events, by name."""
    from serving.outbox.status import standings

    with ledger.reading() as reading:
        return frozenset(one.sink for one in standings(reading))


def _report(told: dict[str, Told] | None, known: frozenset[str], *, from_start: bool) -> None:
    if told is None:
        console.print("another process relays")
        return
    for sink, one in told.items():
        failed = f", {one.failed:,} attempts failed" if one.failed else ""
        console.print(f"{sink}: delivered {one.delivered:,}{failed}", markup=False, soft_wrap=True)
        if sink not in known and not from_start:
            console.print("  new sink: it starts from now; --from-start only with its first run")
        elif sink in known and from_start:
            console.print("  known sink: --from-start changes nothing")
    if any(one.failed for one in told.values()):
        raise typer.Exit(1)


def _until_told() -> threading.Event:
    """Set by Ctrl-C and SIGTERM: what was offered is still settled then."""
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    return ending


def _show(ledger: Ledger) -> None:
    from serving.outbox.status import standings

    with ledger.reading() as reading:
        found = standings(reading)
    for one in found:
        age = "" if one.oldest is None else f", the oldest {one.oldest.total_seconds():,.0f} s old"
        console.print(f"{one.sink}: {one.pending:,} pending{age}", markup=False, soft_wrap=True)
        if one.failing:
            text = f"  {one.failing:,} failing, {one.stuck:,} of them ten times or more: {one.error}"
            console.print(text, markup=False, soft_wrap=True)
    if not found:
        console.print("no sink was ever told anything")
