"""`dirigent`: the list of verbs, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from arbitration.errors import DirigentError, StateError
from dirigent import (
    __version__,
    catalog,
    change,
    choose,
    churn,
    decide,
    demo,
    features,
    import_,
    journey,
    key,
    privacy,
    promote,
    relay,
    replay,
    review,
    serve,
    simulate,
    sweep,
    train,
    verify,
)

app = typer.Typer(
    name="dirigent",
    help="Decide which one journey may speak to a customer, on which channel, when, and what follows, or that silence is worth more.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"dirigent {__version__}")
        raise typer.Exit


@app.callback()
def _every_verb(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    pass


app.command("import")(import_.import_tables)
app.command("simulate")(simulate.simulate_rows)
app.command("features")(features.build)
app.command("train")(train.train_models)
app.command("churn")(churn.forecast_churn)
app.command("promote")(promote.promote_models)
app.command("serve")(serve.serve_decisions)
app.command("decide")(decide.ask)
app.command("choose")(choose.choose_arms)
app.command("replay")(replay.replay_decisions)
app.add_typer(key.app, name="key")
app.add_typer(catalog.app, name="catalog")
app.add_typer(privacy.app, name="privacy")
app.command("verify")(verify.verify_ledger)
app.add_typer(change.app, name="change")
app.add_typer(journey.app, name="journey")
app.add_typer(review.app, name="review")
app.command("relay")(relay.relay_events)
app.command("sweep")(sweep.sweep_ledger)
app.command("demo")(demo.run_demo)


def run() -> None:
    """Entry point of the console script. What it writes is for its owner alone: a home holds customers and keys."""
    os.umask(0o077)
    try:
        app()
    except DirigentError as error:
        _refuse(error)
    except OSError as error:
        _refuse(_of_system(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _of_system(error: OSError) -> StateError:
    return StateError(
        f"cannot be used ({error.strerror or error})",
        where=str(error.filename or ""),
        mend="check that DIRIGENT_HOME is a folder you may write to, and disk space",
    )


def _refuse(error: DirigentError) -> NoReturn:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]Error[/] {_escaped(str(error))}")
    sys.exit(error.exit_code)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    run()
