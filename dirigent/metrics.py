"""Model metrics for people: each model beside its challenger and its reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from dirigent.terminal import console
from features.home import Home

Card = Mapping[str, Any]


def metrics_table(cards: Iterable[Card]) -> Table:
    """One row per model and kind; the promoted kind is marked."""
    cards = list(cards)
    simulated = any(card.get("simulated") for card in cards)
    learned = " (all but churn_risk and next_category are learned from SIMULATED contacts)" if simulated else ""
    table = Table(title=f"Models of chances, on time-held-out tests{learned}")
    for heading in ("model", "kind", "AUC", "calibration error", "log-loss", "test rows", "reference"):
        table.add_column(heading, justify="left" if heading in {"model", "kind", "reference"} else "right")
    for card in cards:
        if "auc" not in card.get("test", {}):
            continue
        reference = ", ".join(
            f"{name.replace('_auc', '')} AUC {value:.3f}" for name, value in card.get("reference", {}).items()
        )
        for kind, test, best in _kinds(card):
            mark = "[green]champion[/] " if best else ""
            numbers = (f"{test['auc']:.4f}", f"{test['ece']:.4f}", f"{test['log_loss']:.4f}", f"{test['rows']:,}")
            table.add_row(card["name"] if best else "", f"{mark}{kind}", *numbers, reference if best else "")
    return table


def amounts_table(cards: Iterable[Card]) -> Table:
    """One row per model of money and kind; the kind in use is marked."""
    table = Table(title="Models of money, on time-held-out tests (learned from real purchases)")
    for heading in ("model", "kind", "mean error", "predicted / observed", "rank", "deviance", "test rows"):
        table.add_column(heading, justify="left" if heading in {"model", "kind"} else "right")
    for card in cards:
        if "mae" not in card.get("test", {}):
            continue
        for kind, test, best in _kinds(card):
            mark = "[green]champion[/] " if best else ""
            numbers = (
                f"{test['mae']:.2f}",
                f"{test['total_ratio']:.3f}",
                f"{test['rank']:.3f}",
                f"{test['deviance']:.2f}",
            )
            table.add_row(card["name"] if best else "", f"{mark}{kind}", *numbers, f"{test['rows']:,}")
    return table


def print_metrics(cards: Iterable[Card]) -> None:
    """The tables, the effects and every note."""
    cards = list(cards)
    for table in (metrics_table, amounts_table):
        if (found := table(card for card in cards if card.get("best"))).row_count:
            console.print(found)
    for card in cards:
        if "overall" in card:
            overall, contacts = card["overall"], "SIMULATED contacts" if card.get("simulated") else "contacts"
            console.print(
                f"effect of a contact: {overall['mean']:.4f} ± {overall['sd']:.4f} orders within 14 days, from {overall['rows']:,} {contacts}"
            )
    for card in cards:
        for note in card.get("notes", ()) if card.get("best") else ():
            console.print(f"[dim]{card['name']}: {note}[/]")


def print_bundle_metrics(home: Home) -> None:
    """What the live bundle's models measured."""
    from training.bundle import load

    print_metrics([dict(card) for card in load(home).metrics.values()])


def _kinds(card: Card) -> list[tuple[str, Mapping[str, float], bool]]:
    rows = [(card["kind"], card["test"], True)]
    return rows + [(other["kind"], other["test"], False) for other in card["challengers"]]
