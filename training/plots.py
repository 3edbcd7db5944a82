"""Pictures for people: reliability, gain and what moves a model, each as a matplotlib figure; and a figure as PNG. Nothing is shown."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from training.contest import Contest
from training.evaluate import gain_table, reliability
from training.models import FloatArray, Model
from training.names import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = {"tree": "#0b5394", "linear": "#b45f06", "mean": "#38761d", "rates": "#38761d", "shares": "#38761d"}
LABELS = {
    "tree": "LightGBM", "linear": "Logistic regression", "mean": "Shrunk mean", "rates": "Rate of the channel", "shares": "Shrunk own share",
}  # fmt: skip
SUMMARY_ROWS, SUMMARY_FEATURES = 1500, 15


def reliability_plot(contest: Contest, simulated: bool = False) -> Figure:
    """Predicted against observed share, or mean, in ten bins of the test part; on the diagonal a prediction is what happens."""
    figure, axes = _figure(f"{contest.name}: predicted and observed{_mark(simulated)}")
    top = 0.0
    for kind, probabilities in _predictions(contest).items():
        table = reliability(contest.split.test.labels, probabilities)
        axes.plot(
            table["predicted"], table["observed"], "o-", color=COLORS[kind], label=_label(contest, kind), markersize=5
        )
        top = max(top, float(table[["predicted", "observed"]].to_numpy().max()))
    axes.plot([0, top * 1.05], [0, top * 1.05], color="#888888", linewidth=1, linestyle="--", label="perfect")
    money = contest.loss == "deviance"
    axes.set(
        xlabel="Predicted mean" if money else "Predicted probability",
        ylabel="Observed mean" if money else "Observed share",
    )
    axes.legend(frameon=False)
    return figure


def gain_plot(contest: Contest, simulated: bool = False) -> Figure:
    """Share of all positives, or of all money, found among the highest-ranked customers of the test part."""
    what = "money" if contest.loss == "deviance" else "positives"
    figure, axes = _figure(f"{contest.name}: {what} found among the highest-ranked{_mark(simulated)}")
    for kind, probabilities in _predictions(contest).items():
        table = gain_table(contest.split.test.labels, probabilities)
        axes.plot(
            [0, *table["rows"]],
            [0, *table["positives"]],
            "o-",
            color=COLORS[kind],
            label=_label(contest, kind),
            markersize=5,
        )
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle="--", label="random")
    axes.set(xlabel="Share of rows, highest first", ylabel=f"Share of {what} found")
    axes.legend(frameon=False)
    return figure


def shap_summary(model: Model, rows: FloatArray, simulated: bool = False) -> Figure:
    """SHAP summary: one dot per customer and feature, to the right where it raises the log-odds, colored by the value."""
    import matplotlib.pyplot as plt
    import shap

    taken = rows[:: max(1, len(rows) // SUMMARY_ROWS)]
    shares = model.contributions(taken)
    explanation = shap.Explanation(
        values=shares[:, :-1],
        base_values=shares[:, -1],
        data=taken,
        feature_names=[readable(name) for name in model.features],
    )
    figure = plt.figure(figsize=(9, 6.5), layout="constrained")
    shap.plots.beeswarm(
        explanation, max_display=SUMMARY_FEATURES, show=False, plot_size=None, group_remaining_features=False
    )
    kind = "Tweedie regression" if (model.kind, model.link) == ("linear", "log") else LABELS[model.kind]
    title = f"{model.name}: what moves the prediction ({kind}){_mark(simulated)}"
    figure.gca().set_title(title, loc="left", fontsize=12)
    figure.gca().set_xlabel(f"SHAP value (change in {'log money' if model.link == 'log' else 'log-odds'})")
    plt.close(figure)  # pyplot must not keep it
    return figure


@lru_cache(maxsize=8)
def png(figure: Figure) -> bytes:
    """A finished figure as PNG. Several trials of a contest share figures, and drawing is most of what recording a model costs.

    Matplotlib draws a figure that has a layout twice, the first time to find the layout alone; found beforehand, once is enough.
    """
    if layout := figure.get_layout_engine():
        layout.execute(figure)
        figure.set_layout_engine("none")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def _label(contest: Contest, kind: str) -> str:
    """What a legend calls a kind of model."""
    return "Tweedie regression" if (kind, contest.loss) == ("linear", "deviance") else LABELS[kind]


def _mark(simulated: bool) -> str:
    """What a title says of a model that learned from simulated contacts, on a line of its own."""
    return "\n(SIMULATED contacts)" if simulated else ""


def _predictions(contest: Contest) -> Mapping[str, FloatArray]:
    test = contest.split.test
    return {
        trial.model.kind: np.asarray(trial.model.predict(test.columns(trial.model.features)))
        for trial in contest.trials
    }


def _figure(title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes
