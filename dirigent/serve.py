"""`dirigent serve`: the decision service in the foreground."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from dirigent.features import moment
from features.tables.example_clock import AS_OF


def serve_decisions(
    host: Annotated[str | None, typer.Option(help="Address to bind; default DIRIGENT_HOST or 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default DIRIGENT_PORT or 8090.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Start the shop's clock at this moment instead of now.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="How many processes share the port; default DIRIGENT_WORKERS or 1.")
    ] = None,
    example: Annotated[
        bool,
        typer.Option("--example", help=f"Start the clock where the example data ends ({AS_OF:%Y-%m-%d %H:%M} UTC)."),
    ] = False,
) -> None:
    """Serve decisions over HTTP until Ctrl-C. Needs a promoted bundle and a loaded feature store."""
    from serving.server import serve
    from serving.settings import Settings

    changes: dict[str, Any] = {"host": host, "port": port, "workers": workers}
    changes["as_of"] = AS_OF if example else moment(as_of) if as_of else None
    given = {name: value for name, value in changes.items() if value is not None}
    settings = Settings.from_environment(options=given)
    if sys.stderr.isatty():  # a person; the log beside it is written for machines
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        typer.echo(f"Starting; soon at http://{host}:{settings.port}/ui/ (Ctrl-C ends it)", err=True)
    serve(settings)
