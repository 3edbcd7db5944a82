"""Every text of the pages in English and German; both hold the same placeholders, which a test compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from arbitration.frames import PARTS_NAMED
from arbitration.policy import BusinessName
from serving.console.formats import Lang
from serving.console.model_texts import MODELS
from serving.console.reserved_texts import RESERVED
from serving.console.weighing_texts import WEIGHING


def _both(en: str, de: str) -> BusinessName:
    return BusinessName(en=en, de=de)


FRAME: Mapping[str, BusinessName] = {
    "skip": _both("Skip to content", "Zum Inhalt springen"),
    "decisions": _both("Decisions", "Entscheidungen"),
    "language": _both("Language", "Sprache"),
    "simulated_title": _both("Simulated data.", "Simulierte Daten."),
    "simulated": _both(
        "Some of the contacts, reactions, consents, points, tiers and app visits behind these estimates come from a simulator, "
        "not from real customers. Read the numbers as an example, not as a result.",
        "Ein Teil der Kontakte, Reaktionen, Einwilligungen, Punkte, Stufen und App-Besuche hinter diesen Schätzungen stammt "
        "aus einer Simulation, nicht von echten Personen. Die Zahlen sind ein Beispiel, kein Ergebnis.",
    ),
    "missing_title": _both("There is no such decision", "Diese Entscheidung gibt es nicht"),
    "missing_text": _both(
        "No decision with this id is stored here. The list holds the newest ones.",
        "Unter dieser Kennung ist keine Entscheidung gespeichert. Die Liste zeigt die neuesten.",
    ),
    "to_list": _both("To the list of decisions", "Zur Liste der Entscheidungen"),
}

HEAD: Mapping[str, BusinessName] = {
    "decision_title": _both("Decision", "Entscheidung"),
    "headline_act": _both(
        "Send “{journey}” by {channel} on {send_at}.", "„{journey}“ am {send_at} Uhr per {channel} senden."
    ),
    "headline_now": _both("Show “{journey}” now: {channel}.", "„{journey}“ jetzt zeigen: {channel}."),
    "headline_module": _both("Show “{journey}” {when}: {channel}.", "„{journey}“ {when} zeigen: {channel}."),
    "headline_reward": _both(
        "Present the reward of “{journey}” {when}: {channel}.", "Prämie zu „{journey}“ {when} überreichen: {channel}."
    ),
    "headline_route": _both(
        "Hand over from “{journey}” to “{route_to}” {when}.", "Von „{journey}“ an „{route_to}“ {when} übergeben."
    ),
    "headline_suppress": _both(
        "Leave out “{channel}” {when}, because of “{journey}”.", "„{channel}“ {when} weglassen, wegen „{journey}“."
    ),
    "headline_silence": _both("Send nothing now.", "Jetzt nichts senden."),
    "when_now": _both("now", "jetzt"),
    "when_at": _both("on {moment}", "am {moment} Uhr"),
    "zone": _both("All times in the customer's time zone, {zone}.", "Alle Zeiten in der Zeitzone der Person, {zone}."),
    "zone_unknown": _both(
        "The time zone is unknown; all times in UTC.", "Die Zeitzone ist unbekannt; alle Zeiten in UTC."
    ),
    "why": _both("Why", "Warum"),
    "at_a_glance": _both("At a glance", "Auf einen Blick"),
    "expected_value": _both("Expected value", "Erwarteter Wert"),
    "range": _both("likely {low} to {high}", "wahrscheinlich {low} bis {high}"),
    "silence_value": _both("silence is worth 0 by definition", "Schweigen ist per Definition 0 wert"),
    "chosen": _both("How it was chosen", "Wie gewählt wurde"),
    "arm_exploit": _both("Best value", "Bester Wert"),
    "arm_silence": _both("Nothing was worth sending", "Nichts lohnte sich"),
    "arm_explore": _both("Tried in order to learn", "Zum Lernen versucht"),
    "arm_holdout": _both("Control group", "Kontrollgruppe"),
    "arm_silence_floor": _both("Silence for comparison", "Schweigen zum Vergleich"),
    "no_choice": _both("There was no choice", "Es gab keine Wahl"),
    "no_choice_note": _both("nothing could be sent", "nichts durfte gesendet werden"),
    "probability": _both("drawn with a probability of {share}", "gezogen mit Wahrscheinlichkeit {share}"),
    "reaction": _both("Chance of a reaction", "Chance auf eine Reaktion"),
    "tier_0": _both("evidence: rules and priors", "Grundlage: Regeln und Annahmen"),
    "tier_1": _both("evidence: averages of similar contacts", "Grundlage: Mittel ähnlicher Kontakte"),
    "tier_2": _both(
        "from a model that reads this customer's data", "aus einem Modell, das die Daten dieser Person liest"
    ),
    "valid_until": _both("Valid until", "Gültig bis"),
    "decided_at": _both("decided {moment}", "entschieden {moment}"),
    "customer": _both("Customer", "Person"),
    "mode_live": _both("live", "live"),
    "mode_shadow": _both("shadow: decided, not sent", "Schatten: entschieden, nicht gesendet"),
    "degraded_title": _both("Decided with less than usual", "Mit weniger als üblich entschieden"),
}

WORTH: Mapping[str, BusinessName] = {
    "worth_title": _both("What it is worth", "Was es wert ist"),
    "effect_note": _both(
        "Expected: {count} extra purchases per 100 contacts ({basis}), each earning {now} now and {later} in later purchases.",
        "Erwartet: {count} zusätzliche Einkäufe je 100 Kontakte ({basis}); jeder bringt {now} jetzt und {later} durch spätere Einkäufe.",
    ),
    "effect_note_suppress": _both(
        "Expected: {count} purchases fewer per 100 advertisements left out ({basis}); each would have earned {now} now, {later} later.",
        "Erwartet: {count} Einkäufe weniger je 100 weggelassene Werbekontakte ({basis}); jeder hätte {now} jetzt, {later} später gebracht.",
    ),
    "effect_note_route": _both(
        "Expected: {count} extra purchases per 100 customers handed over ({basis}), each earning {now} now and {later} in later purchases.",
        "Erwartet: {count} zusätzliche Einkäufe je 100 übergebene Personen ({basis}); jeder bringt {now} jetzt und {later} durch spätere "
        "Einkäufe.",
    ),
    "effect_assumed": _both("an assumption of the catalog", "eine Annahme aus dem Katalog"),
    "effect_measured": _both("measured on earlier contacts", "an früheren Kontakten gemessen"),
    "effect_measured_simulated": _both("measured on simulated contacts", "an simulierten Kontakten gemessen"),
    "worth_intro": _both(
        "Expected additional money from this one contact, compared with sending nothing.",
        "Erwartetes zusätzliches Geld durch diesen einen Kontakt, verglichen mit Schweigen.",
    ),
    "worth_intro_suppress": _both(
        "Expected additional money from leaving this advertisement out, compared with showing it.",
        "Erwartetes zusätzliches Geld durch das Weglassen dieser Werbung, verglichen damit, sie zu zeigen.",
    ),
    "worth_intro_route": _both(
        "Expected additional money from handing over, compared with not doing so.",
        "Erwartetes zusätzliches Geld durch die Übergabe, verglichen damit, nicht zu übergeben.",
    ),
    "worth_of_best": _both(
        "Silence was chosen. This is the best that could have been done: {choice}.",
        "Gewählt wurde Schweigen. Dies ist das Beste, was möglich war: {choice}.",
    ),
    "worth_none": _both(
        "No contact passed the checks, so there is nothing to value.",
        "Kein Kontakt kam durch die Prüfungen, also gibt es nichts zu bewerten.",
    ),
    **PARTS_NAMED,
    "evidence_0": _both("rests on rules and priors", "beruht auf Vorgaben"),
    "evidence_1": _both("rests on averages", "beruht auf Mittelwerten"),
    "evidence_2": _both("rests on a model", "beruht auf einem Modell"),
    "net": _both("Net", "Summe"),
    "part": _both("Part", "Teil"),
    "amount": _both("Amount", "Betrag"),
    "ranked_on": _both("Cautious value, used for ranking", "Vorsichtiger Wert, danach gereiht"),
    "range_row": _both("Range: ± 1 standard deviation of the effect", "Bereich: ± 1 Standardabweichung der Wirkung"),
    "waterfall_title": _both("How the parts add up to {net}", "Wie die Teile zu {net} werden"),
    "waterfall_desc": _both(
        "{parts}. Net {net}, likely between {low} and {high}.",
        "{parts}. Summe {net}, wahrscheinlich zwischen {low} und {high}.",
    ),
    "rounded": _both(
        "Each amount is rounded for display; the sum is not made of rounded parts.",
        "Jeder Betrag ist für die Anzeige gerundet; die Summe nicht aus gerundeten Teilen gebildet.",
    ),
}

INFLUENCE: Mapping[str, BusinessName] = {
    "influence_title": _both("What moved the models", "Was die Modelle bewegt hat"),
    "influence_intro": _both(
        "Each bar is one thing known of the customer. To the right it raises the model's estimate, to the left it lowers it. "
        "This describes the model; it does not prove a cause.",
        "Jeder Balken ist eine Angabe zur Person. Nach rechts hebt sie die Schätzung des Modells, nach links senkt sie sie. "
        "Das beschreibt das Modell und beweist keine Ursache.",
    ),
    "influence_none": _both("No model looked at this customer.", "Kein Modell hat diese Person betrachtet."),
    "model_base_purchase": _both("Chance to buy without any contact", "Chance, auch ohne Kontakt zu kaufen"),
    "from_to": _both(
        "The model starts from {base}; this customer's data lead to {raw}.",
        "Das Modell geht von {base} aus; die Daten dieser Person führen zu {raw}.",
    ),
    "calibrated": _both(
        "Calibrated against what really happened: {probability}.",
        "Kalibriert an dem, was wirklich geschah: {probability}.",
    ),
    "feature": _both("What is known", "Was bekannt ist"),
    "effect": _both("Effect", "Wirkung"),
    "log_odds": _both("Log-odds", "Log-Odds"),
    "raises": _both("raises", "hebt"),
    "lowers": _both("lowers", "senkt"),
    "none": _both("no effect", "ohne Wirkung"),
    "odds": _both("odds × {factor}", "Quote × {factor}"),
    "others": _both("{count} others together", "{count} weitere zusammen"),
    "base": _both("Starting point", "Ausgangswert"),
    "sum": _both("Sum", "Summe"),
    "bars_title": _both("Strongest influences: {model}", "Stärkste Einflüsse: {model}"),
    "log_odds_note": _both(
        "Log-odds are the model's own unit: they add up, and their sum becomes the probability.",
        "Log-Odds sind die Einheit des Modells: sie addieren sich, und aus der Summe wird die Wahrscheinlichkeit.",
    ),
}

RIVALS: Mapping[str, BusinessName] = {
    "rivals_title": _both("Why not something else", "Warum nicht etwas anderes"),
    "rivals_intro": _both(
        "{candidates} candidates competed: {treatments} possibilities at different times. Here is every one that was not chosen.",
        "{candidates} Kandidaten standen zur Wahl: {treatments} Möglichkeiten zu verschiedenen Zeiten. Hier steht jeder, der nicht gewählt wurde.",
    ),
    "rivals_none": _both("Nothing was proposed.", "Nichts wurde vorgeschlagen."),
    "group_same": _both("The same at another time", "Dasselbe zu einer anderen Zeit"),
    "group_selection": _both("Possible, but not chosen", "Möglich, aber nicht gewählt"),
    "group_consent": _both("Not permitted", "Nicht erlaubt"),
    "group_contact_policy": _both("Too often or at the wrong time", "Zu oft oder zur falschen Zeit"),
    "group_eligibility": _both("Does not fit the customer now", "Passt gerade nicht"),
    "journey": _both("Journey", "Journey"),
    "channel": _both("Channel", "Kanal"),
    "why_not": _both("Why not", "Warum nicht"),
    "times": _both("Send times", "Sendezeiten"),
    "silence": _both("Silence", "Schweigen"),
    "valued": _both("lost on value", "nach Wert unterlegen"),
}

PLAN: Mapping[str, BusinessName] = {
    "plan_title": _both("What follows", "Was folgt"),
    "plan_intro": _both(
        "Only the first step has a place from the start. Each later one is checked anew at its time and takes its place only then. "
        "The whole plan is worth {value}; later steps count only with the chance that they are needed.",
        "Nur der erste Schritt hat von Anfang an einen Platz. Jeder weitere wird zu seiner Zeit neu geprüft und bekommt ihn erst dann. "
        "Der ganze Plan ist {value} wert; spätere Schritte zählen nur mit der Wahrscheinlichkeit, dass sie nötig werden.",
    ),
    "plan_single": _both("Nothing follows after this.", "Danach folgt nichts."),
    "plan_none": _both(
        "Nothing is sent, so nothing follows. Ask again by {moment}.",
        "Nichts wird gesendet, also folgt nichts. Spätestens {moment} wieder fragen.",
    ),
    "step": _both("Step {number}", "Schritt {number}"),
    "committed": _both("fixed", "steht fest"),
    "tentative": _both("only if needed", "nur bei Bedarf"),
    "window": _both("between {opens} and {closes}", "zwischen {opens} und {closes}"),
    "step_value": _both("worth {value}", "{value} wert"),
    "then_wait": _both(
        "Then wait at least {hours} h for a reaction.", "Danach mindestens {hours} h auf eine Reaktion warten."
    ),
    "goes_on_not_engaged": _both("The plan goes on only without a reaction.", "Weiter geht es nur ohne Reaktion."),
    "stops_if": _both("It stops if the customer {events}.", "Er endet, wenn die Person {events}."),
    "or": _both("or", "oder"),
    "stop_converted": _both("buys", "kauft"),
    "stop_unsubscribed": _both("unsubscribes", "sich abmeldet"),
    "stop_complained": _both("complains", "sich beschwert"),
    "stop_consent_withdrawn": _both("withdraws consent", "die Einwilligung widerruft"),
    "expires": _both("Nothing is sent after {moment}.", "Nach {moment} wird nichts mehr gesendet."),
}

EVIDENCE: Mapping[str, BusinessName] = {
    "evidence_title": _both("What allows it", "Was es erlaubt"),
    "evidence_none": _both(
        "Nothing is sent, so no permission is used.", "Nichts wird gesendet, also wird keine Erlaubnis gebraucht."
    ),
    "basis": _both("Legal basis", "Rechtsgrundlage"),
    "proof": _both("Evidence", "Nachweis"),
    "since": _both("Valid", "Gültig"),
    "valid_from": _both("from {since}", "ab {since}"),
    "valid_between": _both("{since} to {until}", "{since} bis {until}"),
    "basis_consent": _both("consent", "Einwilligung"),
    "basis_existing_customer_7_3": _both("existing customer (UWG § 7(3))", "Bestandskunde (§ 7 Abs. 3 UWG)"),
    "basis_contract": _both("contract", "Vertrag"),
    "basis_none": _both("none", "keine"),
    "not_shown": _both("nothing is shown, no opt-in needed", "nichts wird gezeigt, keine Einwilligung nötig"),
    "no_opt_in": _both("needs no opt-in; no refusal known", "keine Einwilligung nötig; keine Ablehnung bekannt"),
    "purpose_marketing": _both("marketing", "Werbung"),
    "purpose_service": _both("service", "Service"),
    "versions_title": _both("What decided", "Womit entschieden wurde"),
    "version_decision": _both("Decision", "Entscheidung"),
    "version_policy": _both("Policy and catalog", "Policy und Katalog"),
    "version_bundle": _both("Bundle of models", "Modellpaket"),
    "version_model": _both("Model {name}", "Modell {name}"),
    "version_features": _both("Features", "Merkmale"),
}

LIST: Mapping[str, BusinessName] = {
    "list_title": _both("Newest decisions", "Neueste Entscheidungen"),
    "list_intro": _both(
        "The last {count} decisions, newest first. Times in UTC.",
        "Die letzten {count} Entscheidungen, neueste zuerst. Zeiten in UTC.",
    ),
    "list_title_older": _both("Older decisions", "Frühere Entscheidungen"),
    "list_intro_older": _both(
        "{count} decisions, newest first. Times in UTC.", "{count} Entscheidungen, neueste zuerst. Zeiten in UTC."
    ),
    "list_to_newest": _both("← The newest", "← Die neuesten"),
    "list_to_older": _both("Older ones →", "Frühere →"),
    "list_none": _both("There is no decision here.", "Hier steht keine Entscheidung."),
    "time": _both("Time", "Zeit"),
    "value": _both("Value", "Wert"),
    "arm": _both("Chosen", "Gewählt"),
}

TEXTS: Mapping[str, BusinessName] = {
    **FRAME, **HEAD, **WORTH, **WEIGHING, **INFLUENCE, **RIVALS, **PLAN, **MODELS, **RESERVED, **EVIDENCE, **LIST
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language: `words("range", low=..., high=...)`. An unknown key is a programmer's error (KeyError)."""

    lang: Lang

    def __call__(self, key: str, **facts: object) -> str:
        """The text with its placeholders filled."""
        return self.of(TEXTS[key]).format(**facts)

    def of(self, name: BusinessName) -> str:
        """A name in this language."""
        return name.de if self.lang == "de" else name.en

    def known(self, key: str, otherwise: str) -> str:
        """A text that depends on data: codes the pages do not know are shown as they are."""
        return self.of(TEXTS[key]) if key in TEXTS else otherwise
