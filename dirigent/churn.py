"""`dirigent churn`: who will not buy again, from an events file alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arbitration.errors import InputError
from dirigent.terminal import console, stage
from features.files import refuse_unwritable, replace, settle

if TYPE_CHECKING:
    from training.lapse_risk.run import Forecast


def forecast_churn(
    *,
    events: Annotated[
        Path,
        typer.Option(
            help="Parquet with customer_id, occurred_at, type, and value or amount; type purchase is what counts."
        ),
    ],
    cutoff: Annotated[
        str, typer.Option(help="The moment of the forecast, such as 2024-03-01 (UTC without an offset).")
    ],
    out: Annotated[
        Path, typer.Option(help="Parquet to write: customer_id, probability of no purchase in the horizon.")
    ],
    report: Annotated[Path, typer.Option(help="JSON to write: back-test, references, model card, warnings.")],
    active_days: Annotated[
        int, typer.Option(help="A customer is active who bought in so many days before the cutoff.")
    ] = 90,
    horizon: Annotated[int, typer.Option(help="Days from the cutoff in which a purchase is waited for.")] = 60,
) -> None:
    """Forecast who of the active customers will not buy in the horizon; learned only from events before the cutoff."""
    from training.lapse_risk.run import forecast, question_of

    if len({path.resolve() for path in (events, out, report)}) < 3:
        raise InputError("the same file is named twice", mend="events, out and report are three files")
    refuse_unwritable(out, report)
    with stage("Churn") as progress:
        found = forecast(events, question_of(cutoff, active_days, horizon), progress)
    _write(found, out, report)
    _show(found, out)


def _write(found: Forecast, out: Path, report: Path) -> None:
    """Both files whole or not at all."""
    fresh = out.with_name(f"{out.name}.new")
    found.table.to_parquet(fresh, index=False)
    settle(fresh, out)
    replace(report, (json.dumps(found.report, indent=2, allow_nan=False) + "\n").encode())


def _show(found: Forecast, out: Path) -> None:
    """The back-test as a table, and every warning."""
    report: dict[str, Any] = found.report
    back_test = report["back_test"]
    if back_test:
        console.print(
            f"  back-test at {back_test['cutoff']}: {back_test['customers']:,} customers, {back_test['stayed_away']:,} stayed away"
        )
        console.print(f"  {'':<14}{'AUC':>8}{'log-loss':>10}{'cal. error':>12}{'count bias':>12}{'lift':>7}")
        for name, one in back_test["measures"].items():
            console.print(
                f"  {name:<14}{one['auc']:>8.3f}{one['log_loss']:>10.4f}{one['calibration_error']:>12.4f}"
                f"{one['count_bias']:>+12.1%}{one['top_decile_lift']:>7.2f}"
            )
    for warning in report["warnings"]:
        console.print(f"  [yellow]{warning['name']}[/]: {warning['text']}", soft_wrap=True)
    expected = report["forecast"]["expected_to_stay_away"]
    console.print(f"  {len(found.table):,} customers in {out}; {expected:,.0f} of them are expected not to buy")
