"""`dirigent train`: train, judge and register models in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dirigent.terminal import console, stage
from features.home import Home


def train_models(
    model: Annotated[
        str | None,
        typer.Argument(
            help="churn_risk, next_basket, spend, next_category, channel_propensity, base_purchase, send_time, opt_out, effects or attention; all when left out."
        ),
    ] = None,
    cards: Annotated[Path | None, typer.Option(help="A folder for the model cards, as Markdown.")] = None,
) -> None:
    """Train models on the feature store, compare each with its challenger, register both in MLflow."""
    from dirigent.metrics import print_metrics
    from training.cards import markdown
    from training.registry import train

    if cards is not None:  # before the work, which takes minutes
        cards.mkdir(parents=True, exist_ok=True)
    with stage("Train") as progress:
        results = train(Home.from_environment(), model, progress)
    print_metrics(result.card for result in results)
    if cards is not None:
        for result in results:
            if result.best:
                (cards / f"{result.name}.md").write_text(markdown(result.card), encoding="utf-8")
        console.print(f"  model cards in {cards}")
