"""`dirigent train`: train, judge and register models in MLflow."""

from __future__ import annotations

from typing import Annotated

import typer

from dirigent.terminal import stage
from features.home import Home


def train_models(
    model: Annotated[
        str | None,
        typer.Argument(
            help="churn_risk, next_basket, spend, channel_propensity, base_purchase, send_time, opt_out or effects; all when left out."
        ),
    ] = None,
) -> None:
    """Train models on the feature store, compare each with its challenger, register both in MLflow."""
    from dirigent.metrics import print_metrics
    from training.registry import train

    with stage("Train") as progress:
        results = train(Home.from_environment(), model, progress)
    print_metrics(result.card for result in results)
