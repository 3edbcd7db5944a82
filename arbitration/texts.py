"""Every reason in English and German, by its code. Both languages use the same facts; what stands around is in `frames.py`.

A gate's text is a clause that completes "... may not speak because ..." as well as it stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from arbitration.policy import BusinessName


def _both(en: str, de: str) -> BusinessName:
    return BusinessName(en=en, de=de)


GATE_TEXTS: Mapping[str, BusinessName] = {
    "objection": _both(
        "The customer objected to marketing; nothing was evaluated",
        "Die Person hat Werbung widersprochen; nichts wurde ausgewertet",
    ),
    "suppression": _both(
        "The customer is on the suppression list; nothing was evaluated",
        "Die Person steht auf der Sperrliste; nichts wurde ausgewertet",
    ),
    "unknown_journey": _both("The catalog does not know this journey", "Der Katalog kennt diese Journey nicht"),
    "pause": _both("Contacts are paused for this customer", "Kontakte sind für diese Person ausgesetzt"),
    "consent_missing": _both("There is no consent", "Es liegt keine Einwilligung vor"),
    "consent_denied": _both("The customer said no", "Die Person hat Nein gesagt"),
    "consent_withdrawn": _both("Consent was withdrawn", "Die Einwilligung wurde widerrufen"),
    "consent_expired": _both("Consent has expired", "Die Einwilligung ist abgelaufen"),
    "consent_evidence_incomplete": _both(
        "Consent cannot be proven, so it does not count", "Die Einwilligung ist nicht nachweisbar und zählt daher nicht"
    ),
    "journey_stopped": _both("The journey is stopped", "Die Journey ist angehalten"),
    "unknown_time_zone": _both(
        "The customer's time zone is unknown, so quiet hours cannot be kept",
        "Die Zeitzone ist unbekannt, Ruhezeiten lassen sich nicht einhalten",
    ),
    "quiet_hours": _both("It is quiet hours for the customer then", "Dann gilt für die Person Ruhezeit"),
    "channel_cap": _both("The channel's limit is reached", "Die Grenze des Kanals ist erreicht"),
    "group_cap": _both(
        "The limit for a group of journeys is reached", "Die Grenze für eine Gruppe von Journeys ist erreicht"
    ),
    "overall_cap": _both("The limit over all channels is reached", "Die Grenze über alle Kanäle ist erreicht"),
    "cool_down": _both("The journey spoke a short while ago", "Die Journey hat erst kürzlich gesprochen"),
    "exclusive_group": _both("A related journey is still running", "Eine verwandte Journey läuft noch"),
    "live_winner": _both(
        "Another contact is reserved for the customer", "Für die Person ist ein anderer Kontakt vorgemerkt"
    ),
    "channel_held": _both(
        "The channel waits, because the customer is spoken to elsewhere",
        "Der Kanal wartet, weil die Person anderswo angesprochen wird",
    ),
    "channel_not_servable": _both("The caller cannot serve the channel", "Der Aufrufer kann den Kanal nicht bedienen"),
    "channel_unavailable": _both(
        "The customer cannot be reached here now", "Die Person ist hier gerade nicht erreichbar"
    ),
    "trigger_missing": _both("Nothing has asked the journey to speak", "Kein Auslöser ruft die Journey auf"),
    "trigger_expired": _both("The journey's trigger has expired", "Der Auslöser der Journey ist abgelaufen"),
    "not_eligible": _both("The customer is not eligible", "Die Person ist nicht berechtigt"),
    "not_applicable": _both("The journey is not relevant now", "Die Journey ist gerade nicht relevant"),
    "not_suitable": _both(
        "The journey would not be in the customer's interest", "Die Journey wäre nicht im Interesse der Person"
    ),
    "missing_feature": _both("Something the rule needs is unknown", "Etwas, das die Regel braucht, ist unbekannt"),
    "out_of_stock": _both("What it needs is not in stock", "Was dafür nötig ist, ist nicht vorrätig"),
    "points_short": _both("The customer holds too few points", "Die Person hat zu wenige Punkte"),
}

STOP_TEXTS: Mapping[str, BusinessName] = {
    "value_unknown": _both("Its value cannot be reckoned", "Der Wert lässt sich nicht berechnen"),
}
"""What stops a candidate after it has passed every gate."""

SELECTION_TEXTS: Mapping[str, BusinessName] = {
    "worth_most": _both(
        "This is worth most: {net} expected, {decided_on} on the cautious side.",
        "Das ist am meisten wert: {net} erwartet, {decided_on} vorsichtig gerechnet.",
    ),
    "explored": _both(
        "It was tried in order to learn, with a chance of {probability}: {net} expected, {decided_on} on the cautious side.",
        "Das wurde zum Lernen versucht, mit {probability} Wahrscheinlichkeit: {net} erwartet, {decided_on} vorsichtig gerechnet.",
    ),
    "runner_up": _both(
        "Next comes {choice} with {net} expected; on the cautious side it is worth {lost_by} less.",
        "Danach kommt {choice} mit {net} erwartet; vorsichtig gerechnet ist das {lost_by} weniger.",
    ),
    "silence_next": _both(
        "The next best choice would be silence; this is worth {decided_on} more on the cautious side.",
        "Die nächstbeste Wahl wäre Schweigen; dies ist vorsichtig gerechnet {decided_on} mehr wert.",
    ),
    "consent_held": _both(
        "{channel} is allowed by {basis}, evidence {evidence}.",
        "{channel} ist erlaubt durch {basis}, Nachweis {evidence}.",
    ),
    "no_consent_needed": _both("{channel} needs no opt-in.", "{channel} braucht keine Einwilligung."),
    "fallback": _both(
        "Without a reaction {channel} is planned next ({send_at}); the whole plan is worth {plan_value} if nothing is bought in between.",
        "Ohne Reaktion ist als Nächstes {channel} vorgesehen ({send_at}); der ganze Plan ist {plan_value} wert, wenn dazwischen nichts gekauft wird.",
    ),
    "churn_stake": _both(
        "The risk of no purchase in the next 28 days is {risk}; a purchase now is expected to bring {stake} more in later purchases.",
        "Das Risiko, in 28 Tagen nicht zu kaufen, ist {risk}; ein Einkauf jetzt bringt durch spätere Einkäufe voraussichtlich {stake} zusätzlich.",
    ),
    "cold_start": _both("Nothing is known of this customer yet.", "Über diese Person ist noch nichts bekannt."),
    "degraded": _both("Decided without: {names}.", "Entschieden ohne: {names}."),
    "holdout": _both(
        "The customer belongs to the permanent control group.", "Die Person gehört zur dauerhaften Kontrollgruppe."
    ),
    "silence_floor": _both(
        "Silence was drawn to keep a comparison; {choice} would be worth {net}, {decided_on} on the cautious side.",
        "Zum Vergleich wurde geschwiegen; {choice} wäre {net} wert, {decided_on} vorsichtig gerechnet.",
    ),
    "silence_worth_more": _both(
        "Nothing is worth it: even {choice} is worth {net} expected, {decided_on} on the cautious side.",
        "Nichts lohnt sich: selbst {choice} bringt {net} erwartet, {decided_on} vorsichtig gerechnet.",
    ),
    "nothing_admissible": _both(
        "No message may be sent now; {messages} were considered.",
        "Keine Nachricht darf jetzt gesendet werden; {messages} wurden geprüft.",
    ),
}
LESS_SURE_TEXTS: Mapping[str, BusinessName] = {
    "worth_most": _both(
        "On the cautious side this is worth most: {decided_on}, {net} expected.",
        "Vorsichtig gerechnet ist das am meisten wert: {decided_on}, {net} erwartet.",
    ),
    "runner_up": _both(
        "Next comes {choice} with {net} expected, more but less surely; on the cautious side it is worth {lost_by} less.",
        "Danach kommt {choice} mit {net} erwartet, mehr, aber weniger sicher; vorsichtig gerechnet ist das {lost_by} weniger.",
    ),
}
"""The same where more is expected of the runner-up, so that the figure that ranks is named first."""

# What a decision had to do without, by the name that `degraded` gives it; a view's name follows after the underscore.
DEGRADED: Mapping[str, BusinessName] = {
    "unknown_customer": _both("any knowledge of the customer", "jede Kenntnis der Person"),
    "missing_customer": _both("the customer's history", "die Kaufhistorie"),
    "missing_channel": _both("the channels' history", "die Kanalhistorie"),
    "missing_timing": _both("the customer's hours of activity", "die Aktivitätszeiten"),
    "missing_context": _both("the current situation", "die aktuelle Situation"),
    "missing_category": _both("what was bought", "was gekauft wurde"),
    "stale_customer": _both("a fresh customer history", "eine aktuelle Kaufhistorie"),
    "stale_channel": _both("a fresh history of the channels", "eine aktuelle Kanalhistorie"),
    "stale_timing": _both("fresh hours of activity", "aktuelle Aktivitätszeiten"),
    "stale_context": _both("a fresh view of the situation", "einen aktuellen Blick auf die Situation"),
    "stale_category": _both("a fresh view of what was bought", "einen aktuellen Blick auf das Gekaufte"),
}

MODELS: Mapping[str, BusinessName] = {
    "churn_risk": _both(
        "the risk of no purchase in the next 28 days", "das Risiko, in den nächsten 28 Tagen nicht zu kaufen"
    ),
    "channel_propensity": _both("the chance of a reaction", "die Chance auf eine Reaktion"),
    "send_time": _both("the chance of a reaction at this time", "die Chance auf eine Reaktion zu dieser Zeit"),
    "next_category": _both(
        "the chance that the next purchase is mostly of the category told",
        "die Chance, dass der nächste Einkauf vor allem aus der genannten Warengruppe ist",
    ),
}

BASES: Mapping[str, BusinessName] = {
    "consent": _both("consent", "Einwilligung"),
    "existing_customer_7_3": _both("the existing-customer exception", "die Bestandskunden-Ausnahme"),
    "contract": _both("the contract", "den Vertrag"),
    "none": _both("nothing", "nichts"),
}

MISSING: Mapping[str, BusinessName] = {
    "consent": _both("consent", "Einwilligung"),
    "consent_evidence": _both("evidence", "Nachweis"),
    "legal_basis": _both("a legal basis that fits", "eine passende Rechtsgrundlage"),
    "time_zone": _both("time zone", "Zeitzone"),
    "stock": _both("what is left of it", "der Bestand"),
}
