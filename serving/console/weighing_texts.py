"""The texts of the two sections that say how sure a decision is and what would change it."""

from __future__ import annotations

from collections.abc import Mapping

from arbitration.policy import BusinessName

WEIGHING: Mapping[str, BusinessName] = {
    "sure_title": BusinessName("How sure it is", "Wie sicher es ist"),
    "sure_none": BusinessName(
        "No values were compared, so there is nothing to weigh.",
        "Es wurden keine Werte verglichen, also gibt es nichts abzuwägen.",
    ),
    "sure_picture": BusinessName("{first}: {margin} ahead of {second}", "{first}: {margin} vor {second}"),
    "sure_range": BusinessName(
        "One standard deviation of the effect: {low} to {high}.",
        "Eine Standardabweichung der Wirkung: {low} bis {high}.",
    ),
    "drops_intro": BusinessName(
        "Parts of the value that decide: each was taken as 0, one at a time, and the ranking was made again.",
        "Teile des Werts, die entscheiden: jeder wurde einzeln auf 0 gesetzt und neu gereiht.",
    ),
    "drops_none": BusinessName(
        "No single part decides: whichever is taken as 0, the choice stays.",
        "Kein einzelner Teil entscheidet: welcher auch auf 0 gesetzt wird, die Wahl bleibt.",
    ),
    "changes_title": BusinessName("What would change it", "Was es ändern würde"),
    "changes_intro": BusinessName(
        "Each line is one single change. It was decided again with that change, and something else came first.",
        "Jede Zeile ist eine einzelne Änderung. Damit wurde neu entschieden, und etwas anderes lag vorn.",
    ),
    "changes_none": BusinessName(
        "No single change that was tried brings another choice.",
        "Keine einzelne Änderung, die versucht wurde, führt zu einer anderen Wahl.",
    ),
    "change_consent": BusinessName("Consent", "Einwilligung"),
    "change_feature": BusinessName("Customer", "Person"),
    "change_cap": BusinessName("Limit", "Grenze"),
    "change_contact": BusinessName("Earlier contact", "Früherer Kontakt"),
    "change_time": BusinessName("Time", "Zeit"),
    "change_lever": BusinessName("Lever", "Gewichtung"),
}
"""`change_` and a kind of change: what is changed."""
