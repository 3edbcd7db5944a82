"""What stands around the reasons, in English and German: headlines, parts of the value, what would change a decision.

Both languages of a text use the same facts. The customer is addressed formally in German.
"""

from __future__ import annotations

from collections.abc import Mapping

from arbitration.policy import BusinessName


def _both(en: str, de: str) -> BusinessName:
    return BusinessName(en=en, de=de)


FRAMES: Mapping[str, BusinessName] = {
    "headline_message": _both("“{journey}” by {channel}, {send_at}", "„{journey}“ per {channel}, {send_at}"),
    "headline_module": _both("Show “{journey}”: {channel}, {send_at}", "„{journey}“ zeigen: {channel}, {send_at}"),
    "headline_reward": _both(
        "Present the reward of “{journey}”: {channel}, {send_at}",
        "Prämie zu „{journey}“ überreichen: {channel}, {send_at}",
    ),
    "headline_route": _both(
        "Hand over from “{journey}” to “{route_to}”: {channel}, {send_at}",
        "Von „{journey}“ an „{route_to}“ übergeben: {channel}, {send_at}",
    ),
    "headline_suppress": _both(
        "Leave out {channel} for “{journey}”, {send_at}", "{channel} wegen „{journey}“ weglassen, {send_at}"
    ),
    "headline_silence": _both("Silence", "Schweigen"),
    "store_message": _both("{words}", "{words}"),
    "store_module": _both("Show: {words}", "Zeigen: {words}"),
    "store_reward": _both("Present: {words}", "Überreichen: {words}"),
    "store_route": _both("Hand to: {words}", "Weiter an: {words}"),
    "store_suppress": _both("Leave out: {words}", "Weglassen: {words}"),
    "store_silence": _both("No contact now", "Jetzt kein Kontakt"),
    "store_never": _both("Do not contact", "Nicht kontaktieren"),
    "lost_by": _both("on the cautious side worth {lost_by} less", "vorsichtig gerechnet {lost_by} weniger wert"),
    "not_drawn": _both("worth {lost_by} more, but not drawn", "{lost_by} mehr wert, aber nicht gezogen"),
    "below_silence": _both("{lost_by} below silence", "{lost_by} unter Schweigen"),
    "free_at": _both("free from {free_at}", "frei ab {free_at}"),
    "missing": _both("missing: {missing}", "es fehlt: {missing}"),
    "by": _both("because of {by}", "wegen {by}"),
    "limit": _both("the limit is: {limit}", "die Grenze lautet: {limit}"),
    "resource": _both("used up: {resource}", "aufgebraucht: {resource}"),
    "proof": _both("evidence: {proof}", "Nachweis: {proof}"),
    "needed": _both("points needed: {needed}", "nötige Punkte: {needed}"),
    "messages": _both("messages: {messages}", "Nachrichten: {messages}"),
    "rule": _both("the rule is: {rule}", "die Regel lautet: {rule}"),
    "here": _both("here: {here}", "hier: {here}"),
    "and": _both("and", "und"),
    "or": _both("or", "oder"),
    "not": _both("not", "nicht"),
    "raises": _both("{name} ({value}): raises {model}", "{name} ({value}): erhöht {model}"),
    "lowers": _both("{name} ({value}): lowers {model}", "{name} ({value}): senkt {model}"),
    "none": _both("{name} ({value}): does not move {model}", "{name} ({value}): verändert {model} nicht"),
    "unknown": _both("unknown", "unbekannt"),
    "yes": _both("yes", "ja"),
    "no": _both("no", "nein"),
    "marketing": _both("marketing", "Werbung"),
    "service": _both("service", "Service"),
}

PARTS_NAMED: Mapping[str, BusinessName] = {
    "margin": _both("Margin of extra purchases", "Marge zusätzlicher Einkäufe"),
    "future": _both("Later purchases", "Spätere Einkäufe"),
    "progress": _both("Progress to next tier", "Fortschritt zur nächsten Stufe"),
    "channel_cost": _both("Channel cost", "Kanalkosten"),
    "incentive_cost": _both("Offer to extra buyers", "Vorteil für zusätzliche Käufer"),
    "subsidy_cost": _both("Offer to sure buyers", "Vorteil für sichere Käufer"),
    "points_cost": _both("Points liability", "Verbindlichkeit aus Punkten"),
    "opt_out_cost": _both("Risk of opt-out", "Risiko einer Abmeldung"),
    "attention_cost": _both("Attention taken", "Beanspruchte Aufmerksamkeit"),
    "shadow_cost": _both("Scarce budget and stock", "Knappes Budget und Bestand"),
    "lever": _both("Lever set by marketing", "Gewichtung durch Marketing"),
}

CHANGES: Mapping[str, BusinessName] = {
    "choice": _both("“{journey}” by {channel}", "„{journey}“ per {channel}"),
    "choice_silence": _both("silence", "Schweigen"),
    "consent": _both(
        "With consent for {channel} ({purpose}), {choice} would come first.",
        "Mit Einwilligung für {channel} ({purpose}) läge {choice} vorn.",
    ),
    "feature": _both(
        "If “{feature}” were {after} instead of {before}, {choice} would come first.",
        "Wäre „{feature}“ {after} statt {before}, läge {choice} vorn.",
    ),
    "cap": _both(
        "If the limit “{cap}” allowed {after} instead of {before}, {choice} would come first.",
        "Wenn die Grenze „{cap}“ {after} statt {before} zuließe, läge {choice} vorn.",
    ),
    "contact": _both(
        "Without the contact “{journey}” by {channel} of {before}, {choice} would come first.",
        "Ohne den Kontakt „{journey}“ per {channel} ({before}) läge {choice} vorn.",
    ),
    "time": _both(
        "Asked again at {after}, {choice} would come first.", "Zu einer späteren Zeit ({after}) läge {choice} vorn."
    ),
    "lever": _both(
        "With a lever of {after} instead of {before} on “{journey}”, {choice} would come first.",
        "Mit einer Gewichtung von {after} statt {before} für „{journey}“ läge {choice} vorn.",
    ),
    "held": _both(
        "What the models believe was kept as it is.", "Die Schätzungen der Modelle blieben dabei unverändert."
    ),
    "ahead": _both(
        "On the cautious side {choice} is {margin} ahead of {rival}; the effect is uncertain by ± {spread}.",
        "Vorsichtig gerechnet liegt {choice} um {margin} vor {rival}; die Wirkung ist um ± {spread} unsicher.",
    ),
    "drop": _both(
        "Without “{part}”, {choice} would come first, {by} ahead.",
        "Ohne „{part}“ läge {choice} vorn, mit {by} Vorsprung.",
    ),
    "drop_even": _both("Without “{part}”, {choice} would come first.", "Ohne „{part}“ läge {choice} vorn."),
}
"""What would change the decision, for people who set it up. `choice` is a treatment or silence."""

CUSTOMER: Mapping[str, BusinessName] = {
    "about": _both("This is about: {journey}.", "Hier geht es um: {journey}."),
    "nothing": _both("There is no message for you at the moment.", "Zurzeit gibt es keine Nachricht für Sie."),
    "how_to_object": _both(
        "You can object to such messages at any time in your account, or with the link in every message.",
        "Sie können solchen Nachrichten jederzeit widersprechen: in Ihrem Konto oder über den Link in jeder Nachricht.",
    ),
    "consent_held": _both(
        "We may use {channel}, because of: {basis}.", "Wir dürfen {channel} nutzen, Grundlage: {basis}."
    ),
    "no_consent_needed": _both(
        "{channel} needs no consent; you can say no.", "{channel} braucht keine Einwilligung; Sie können Nein sagen."
    ),
    "holdout": _both(
        "You belong to a group that gets no messages, so that we can compare.",
        "Sie gehören zu einer Gruppe, die zum Vergleich keine Nachrichten bekommt.",
    ),
    "cold_start": _both("We know nothing of you yet.", "Wir wissen noch nichts über Sie."),
    "objection": _both(
        "You objected to marketing; nothing was evaluated.",
        "Sie haben Werbung widersprochen; nichts wurde ausgewertet.",
    ),
    "suppression": _both(
        "You are on the list of people we do not contact; nothing was evaluated.",
        "Sie stehen auf der Liste der Personen, die wir nicht ansprechen; nichts wurde ausgewertet.",
    ),
    "consent": _both("If you allowed us to use {channel}, {then}.", "Wenn Sie uns {channel} erlaubten, {then}."),
    "time": _both("Later, at {after}, {then}.", "Später ({after}) {then}."),
    "recency_days": _both("If you bought something today, {then}.", "Wenn Sie heute etwas kauften, {then}."),
    "session_age_hours": _both("If you opened our app now, {then}.", "Wenn Sie jetzt unsere App öffneten, {then}."),
    "store_visit_age_hours": _both(
        "If you visited a store now, {then}.", "Wenn Sie jetzt eine Filiale besuchten, {then}."
    ),
    "in_store": _both("If you were in a store now, {then}.", "Wenn Sie jetzt in einer Filiale wären, {then}."),
    "cart_open": _both("If your cart were filled, {then}.", "Wenn Ihr Warenkorb gefüllt wäre, {then}."),
    "points_balance": _both("If you held {after} points, {then}.", "Wenn Sie {after} Punkte hätten, {then}."),
    "message": _both(
        "you would get “{journey}” from us by {channel}", "würden Sie „{journey}“ per {channel} von uns bekommen"
    ),
    "module": _both("you would see “{journey}”: {channel}", "würden Sie „{journey}“ sehen: {channel}"),
    "reward": _both("you would get a reward: “{journey}”", "würden Sie eine Prämie bekommen: „{journey}“"),
    "route": _both("it would be about “{route_to}”", "würde es um „{route_to}“ gehen"),
    "suppress": _both("you would get less advertising: {channel}", "würden Sie weniger Werbung bekommen: {channel}"),
    "silence": _both("there would be no message", "gäbe es keine Nachricht"),
}
"""What customers read: nothing of money, of ranks or of what models believe."""
