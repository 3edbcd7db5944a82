"""What pages call the models, and what the next category among them is for."""

from __future__ import annotations

from collections.abc import Mapping

from arbitration.policy import BusinessName

MODELS: Mapping[str, BusinessName] = {
    "model_churn_risk": BusinessName(
        "Risk of no purchase in the next 28 days", "Risiko, in den nächsten 28 Tagen nicht zu kaufen"
    ),
    "model_channel_propensity": BusinessName(
        "Chance of a reaction to this contact", "Chance auf eine Reaktion auf diesen Kontakt"
    ),
    "model_send_time": BusinessName("Chance of a reaction at this time", "Chance auf eine Reaktion zu dieser Zeit"),
    "influence_figures": BusinessName("The strongest influences", "Die stärksten Einflüsse"),
    "at_chosen_time": BusinessName(
        "At the chosen time it is {probability}, as told at the top.",
        "Zum gewählten Zeitpunkt sind es {probability}, wie oben genannt.",
    ),
    "next_category": BusinessName("Likeliest next category", "Wahrscheinlichste nächste Warengruppe"),
    "next_category_note": BusinessName(
        "a chance of {share}; for the content alone", "mit einer Chance von {share}; nur für den Inhalt"
    ),
    "model_next_category": BusinessName(
        "Chance that the next purchase is mostly of the category told",
        "Chance, dass der nächste Einkauf vor allem aus der genannten Warengruppe ist",
    ),
}
