"""`dirigent privacy`: what a person may ask of their own data, and what the shop must do by itself."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arbitration.errors import InputError
from dirigent.terminal import console, stage

if TYPE_CHECKING:
    from features.home import Home
    from serving.ledger.store import Ledger
    from serving.settings import Settings

app = typer.Typer(
    help="Access, erasure, objection, suppression, retention, and whether every contact was allowed.",
    no_args_is_help=True,
)
UNKNOWN = "nothing was known of this id"
LABELS = {
    "evidence of nothing": "evidence no consent needs",
    "references of erased": "references to the erased",
    "came back": "erased ids asked again",
    "barred wrongly": "barred, but did not object",
}
"""What the retention job's counts are called for people, where its own word says too little."""
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

    _check_new(output)
    with opened() as (settings, ledger), stage("Export"):
        home = settings.paths
        known = _known(ledger, home, customer)
        channels = load_catalog(settings.catalog).channels
        found = document_of(ledger, home, FeatureStore(home), channels, customer)
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError("exists already", where=str(output), mend="name a new file") from None
    with os.fdopen(handle, "wb") as file:
        file.write(found)
    console.print(f"  {output}, {len(found):,} bytes")
    if not known:
        console.print(UNKNOWN)


def _check_new(file: Path) -> None:
    """Raises `InputError` when no new file can be made there: better before the work than after it."""
    if file.exists():
        raise InputError("exists already", where=str(file), mend="name a new file")
    if not file.parent.is_dir():
        raise InputError("is no folder", where=str(file.parent), mend="make it or name another one")


@app.command()
def erase(
    customer: Annotated[str | None, typer.Argument(help="The customer's id; without it, what is unfinished.")] = None,
    reason: Annotated[
        str, typer.Option(help="no_longer_needed, consent_withdrawn, objection, unlawful or legal_obligation.")
    ] = "no_longer_needed",
    even_unknown: Annotated[
        bool,
        typer.Option("--even-unknown", help="Also an id of which nothing is known: it goes on the suppression list."),
    ] = False,
) -> None:
    """Forget a customer (GDPR Art. 17), in the ledger and in every file; only keyed hashes stay on the suppression list."""  # fmt: skip
    from serving.forgetting import bar_leaving, finish_erasures
    from serving.ledger import rights
    from serving.schemas_rights import GROUNDS

    if reason not in GROUNDS:
        raise InputError(f"must be one of {', '.join(GROUNDS)}", where="--reason")
    with opened() as (settings, ledger), stage("Erasure") as progress:
        if customer is not None:
            if not even_unknown and not _known(ledger, settings.paths, customer):
                raise InputError(UNKNOWN, where="dirigent privacy erase", mend="check the id, or give --even-unknown")
            name = ledger.keyring.new_id("x")
            ledger.write(customer, lambda tx: rights.erase(tx, name, customer, reason))
            progress(f"the ledger has forgotten ({name})")
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
        known = _known(ledger, settings.paths, customer)
        if lift:
            ledger.write(customer, rights.objection_lifted)
        else:
            ledger.write(customer, rights.objected)
        follow_objection(ledger, settings.paths, customer)
    if not known:
        console.print(UNKNOWN)
    console.print("the objection is lifted" if lift else "the objection holds")


@app.command()
def suppress(
    names: Annotated[list[str], typer.Argument(help="Customer ids, or alias_type:alias.", show_default=False)],
) -> None:
    """Put names on the suppression list, as keyed hashes: nobody is ever spoken to, or taken in by an import, under one of them."""
    from features import suppression
    from serving.ledger import rights

    if not all(map(_is_name, names)):
        raise InputError("must be pseudonymous ids, or alias_type:alias", where="names", mend="no address, no number")
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
        console.print(f"  {LABELS.get(name, name):<28}{count:>10,}")


@app.command("evidence-gaps")
def show_evidence_gaps(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Name every contact that nothing proves to have been allowed at its time. Exit code 1 when there is one."""
    from serving.ledger.evidence_gaps import evidence_gaps, judged

    with opened() as (_, ledger), ledger.reading() as reading:
        count, gaps = judged(reading), evidence_gaps(reading)
    for gap in gaps:
        told = {"reservation_id": gap.reservation_id, "channel": gap.channel, "missing": gap.missing}
        console.print(json.dumps(told) if as_json else f"  {'  '.join(told.values())}", markup=False, soft_wrap=True)
    if gaps:
        raise typer.Exit(1)
    if not as_json:
        console.print(f"{count:,} contacts: every one was allowed at its time")


def _known(ledger: Ledger, home: Home, customer: str) -> bool:
    """Whether the ledger or a table of the shop holds anything of this id."""
    from features.tables.contract import TABLES
    from features.tables.store import open_tables

    with ledger.reading() as reading:
        if reading.subject_of(customer) is not None:
            return True
    if not (home.tables / "customers.parquet").exists():
        return False
    names = [table.name for table in TABLES.values() if table.column("customer_id")]
    with open_tables(home, without=("erasure",)) as tables:
        asked = (f"SELECT 1 FROM {name} WHERE customer_id = ? LIMIT 1" for name in names)
        return any(tables.execute(query, [customer]).fetchone() for query in asked)


def _is_name(name: str) -> bool:
    """Whether it can be a customer's id, or an alias with its type before a colon."""
    from serving.schemas import IDENTIFIER, NAME

    kind, _, alias = name.partition(":")
    return bool(re.fullmatch(IDENTIFIER, name) or (re.fullmatch(NAME, kind) and re.fullmatch(IDENTIFIER, alias)))


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
