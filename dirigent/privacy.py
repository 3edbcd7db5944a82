"""`dirigent privacy`: what a person may ask of their own data, and what the shop must do by itself."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arbitration.errors import InputError
from dirigent.terminal import console, stage

if TYPE_CHECKING:
    from serving.ledger.store import Ledger
    from serving.settings import Settings

app = typer.Typer(
    help="Access, erasure, objection, suppression, retention, and whether every contact was allowed.",
    no_args_is_help=True,
)
Customer = Annotated[str, typer.Argument(help="The customer's pseudonymous id.", show_default=False)]


@app.command()
def export(
    customer: Customer,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new file, for its owner alone.")],
) -> None:
    """Write all that is known of a customer to one JSON file (GDPR Art. 15)."""
    from catalog.loading import load_catalog
    from features.store import FeatureStore
    from serving.exporting import document_of

    with opened() as (settings, ledger), stage("Export"):
        home = settings.paths
        channels = load_catalog(settings.catalog).channels
        found = document_of(ledger, home, FeatureStore(home), channels, customer)
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError("exists already", where=str(output), mend="name a new file") from None
    with os.fdopen(handle, "wb") as file:
        file.write(found)
    console.print(f"  {output}, {len(found):,} bytes")


@app.command()
def erase(
    customer: Annotated[str | None, typer.Argument(help="The customer's id; without it, what is unfinished.")] = None,
    reason: Annotated[
        str, typer.Option(help="no_longer_needed, consent_withdrawn, objection, unlawful or legal_obligation.")
    ] = "no_longer_needed",
) -> None:
    """Forget a customer (GDPR Art. 17), in the ledger and in every file; only keyed hashes stay on the suppression list."""  # fmt: skip
    from serving.forgetting import bar_leaving, finish_erasures
    from serving.ledger import rights
    from serving.schemas_rights import GROUNDS

    if reason not in GROUNDS:
        raise InputError(f"must be one of {', '.join(GROUNDS)}", where="--reason")
    with opened() as (settings, ledger), stage("Erasure") as progress:
        if customer is not None:
            name = ledger.keyring.new_id("x")
            ledger.write(customer, lambda tx: rights.erase(tx, name, customer, reason))
            progress("the ledger has forgotten")
        bar_leaving(ledger, settings.paths)
        count = finish_erasures(ledger, settings.paths, progress)
    console.print(f"  {count:,} erased from every file")


@app.command("object")
def object_to_marketing(
    customer: Customer,
    lift: Annotated[bool, typer.Option("--lift", help="The customer took the objection back.")] = False,
) -> None:
    """Keep a customer's objection to direct marketing (GDPR Art. 21(2)): nothing of theirs is read or modelled any more."""
    from serving.forgetting import follow_objection
    from serving.ledger import rights

    with opened() as (settings, ledger):
        if lift:
            ledger.write(customer, rights.objection_lifted)
        else:
            ledger.write(customer, rights.objected)
        follow_objection(ledger, settings.paths, customer)
    console.print("the objection is lifted" if lift else "the objection holds")


@app.command()
def suppress(
    names: Annotated[list[str], typer.Argument(help="Customer ids, or alias_type:alias.", show_default=False)],
) -> None:
    """Put names on the suppression list, as keyed hashes: nobody is ever spoken to, or taken in by an import, under one of them."""
    from features import suppression
    from serving.ledger import rights

    with opened() as (settings, ledger):
        new = ledger.write(None, lambda tx: rights.suppress(tx, names, "by_hand"))
        suppression.suppress(settings.paths, names)
    console.print(f"{new:,} of {len(names):,} names are new on the list")


@app.command()
def retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what is too old, and leave it.")] = False,
) -> None:
    """Take out what is kept for too long, finish erasures, and make the files follow the ledger. Run it once a day."""
    from serving.forgetting import keep_to

    with opened() as (settings, ledger), stage("Retention") as progress:
        found = keep_to(ledger, settings.paths, dry_run=dry_run, progress=progress)
    for name, count in found.items():
        console.print(f"  {name:<24}{count:>10,}")


@app.command("evidence-gaps")
def show_evidence_gaps(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Name every contact that nothing proves to have been allowed at its time. Exit code 1 when there is one."""
    from serving.ledger.evidence_gaps import evidence_gaps

    with opened() as (_, ledger), ledger.reading() as reading:
        gaps = evidence_gaps(reading)
    for gap in gaps:
        told = {"reservation_id": gap.reservation_id, "channel": gap.channel, "missing": gap.missing}
        console.print(json.dumps(told) if as_json else f"  {'  '.join(told.values())}", markup=False, soft_wrap=True)
    if gaps:
        raise typer.Exit(1)
    if not as_json:
        console.print("every contact was allowed at its time")


@contextmanager
def opened() -> Iterator[tuple[Settings, Ledger]]:
    """The settings and the ledger they name, also while the service runs."""
    from serving.opening import open_ledger
    from serving.settings import Settings

    settings = Settings.from_environment()
    ledger = open_ledger(settings)
    try:
        yield settings, ledger
    finally:
        ledger.close()
