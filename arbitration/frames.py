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
    "headline_placed": _both("“{journey}”: {channel}, {send_at}", "„{journey}“: {channel}, {send_at}"),
    "headline_module": _both("Show “{journey}”: {channel}, {send_at}", "„{journey}“ zeigen: {channel}, {send_at}"),
    "headline_reward": _both(
        "Present the reward of “{journey}”: {channel}, {send_at}",
        "Prämie zu „{journey}“ überreichen: {channel}, {send_at}",
    ),
    "headline_route": _both(
        "Hand over from “{journey}” to “{route_to}”, {send_at}", "Von „{journey}“ an „{route_to}“ übergeben, {send_at}"
    ),
    "headline_suppress": _both(
        "Leave out “{channel}” because of “{journey}”, {send_at}",
        "„{channel}“ wegen „{journey}“ weglassen, {send_at}",
    ),
    "headline_silence": _both("Silence", "Schweigen"),
    "store_message": _both("{words}", "{words}"),
    "store_module": _both("Show: {words}", "Zeigen: {words}"),
    "store_reward": _both("Reward: {words}", "Prämie: {words}"),
    "store_route": _both("Hand to: {words}", "Weiter an: {words}"),
    "store_suppress": _both("Leave out: {words}", "Weglassen: {words}"),
    "brief_message": _both("A message", "Eine Nachricht"),
    "brief_module": _both("Show the tile", "Kachel zeigen"),
    "brief_reward": _both("Offer the reward", "Prämie anbieten"),
    "brief_route": _both("Hand over", "Übergeben"),
    "brief_suppress": _both("Leave out advertising", "Werbung weglassen"),
    "store_silence": _both("No contact now", "Jetzt kein Kontakt"),
    "store_never": _both("Do not contact", "Nicht kontaktieren"),
    "next_staff": _both("Mention “{journey}”: {goal}", "„{journey}“ ansprechen: {goal}"),
    "next_module": _both("Show “{journey}”: {goal}", "„{journey}“ zeigen: {goal}"),
    "next_reward": _both("Offer the reward of “{journey}”: {goal}", "Prämie zu „{journey}“ anbieten: {goal}"),
    "next_points": _both(
        "Offer the reward of “{journey}” ({points} points): {goal}",
        "Prämie zu „{journey}“ anbieten ({points} Punkte): {goal}",
    ),
    "next_route": _both("Hand over to “{route_to}”: {goal}", "An „{route_to}“ übergeben: {goal}"),
    "next_suppress": _both("Nothing is to be said: {goal}", "Nichts ansprechen: {goal}"),
    "next_silence": _both("Nothing is to be said now", "Jetzt nichts ansprechen"),
    "next_never": _both("Nothing is to be said: do not contact", "Nichts ansprechen: nicht kontaktieren"),
    "nothing_shown": _both(
        "Nothing is shown, so no opt-in is needed", "Es wird nichts gezeigt, eine Einwilligung ist nicht nötig"
    ),
    "lost_by": _both("on the cautious side worth {lost_by} less", "vorsichtig gerechnet {lost_by} weniger wert"),
    "not_drawn": _both("worth {lost_by} more, but not drawn", "{lost_by} mehr wert, aber nicht gezogen"),
    "below_silence": _both("{lost_by} below silence", "{lost_by} unter Schweigen"),
    "purpose": _both("for {purpose}", "für {purpose}"),
    "free_at": _both("free from {free_at}", "frei ab {free_at}"),
    "first_at": _both("the first from {first_at}", "die erste ab {first_at}"),
    "ask_at": _both("ask again from {ask_at}", "wieder fragen ab {ask_at}"),
    "no_end": _both("no end in sight", "kein Ende absehbar"),
    "missing": _both("missing: {missing}", "es fehlt: {missing}"),
    "by": _both("because of {by}", "wegen {by}"),
    "limit": _both("the limit is: {limit}", "die Grenze lautet: {limit}"),
    "unknown_stock": _both(
        "how much is left is unknown: {unknown_stock}", "der Restbestand ist unbekannt: {unknown_stock}"
    ),
    "resource": _both("used up: {resource}", "aufgebraucht: {resource}"),
    "proof": _both("evidence: {proof}", "Nachweis: {proof}"),
    "needed": _both("points needed: {needed}", "nötige Punkte: {needed}"),
    "messages": _both("messages: {messages}", "Nachrichten: {messages}"),
    "on_request": _both("only when the caller asks for this channel", "nur wenn der Aufrufer diesen Kanal anbietet"),
    "rule": _both("the rule is: {rule}", "die Regel lautet: {rule}"),
    "here": _both("here: {here}", "hier: {here}"),
    "and": _both("and", "und"),
    "or": _both("or", "oder"),
    "not": _both("not", "nicht"),
    "raises": _both("{name} ({value}): raises {model}", "{name} ({value}): erhöht {model}"),
    "lowers": _both("{name} ({value}): lowers {model}", "{name} ({value}): senkt {model}"),
    "none": _both("{name} ({value}): does not move {model}", "{name} ({value}): verändert {model} nicht"),
    "unknown": _both("unknown", "unbekannt"),
    "days": _both("{count} days", "{count} Tage"),
    "hours": _both("{count} hours", "{count} Stunden"),
    "day_word": _both("day", "Tag"),
    "hour_word": _both("hour", "Stunde"),
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
    "choice_message": _both("“{journey}” by {channel}", "„{journey}“ per {channel}"),
    "choice_placed": _both("“{journey}” ({channel})", "„{journey}“ ({channel})"),
    "choice_reward": _both("the reward of “{journey}” ({channel})", "Prämie zu „{journey}“ ({channel})"),
    "choice_route": _both("handing over to “{route_to}”", "Übergabe an „{route_to}“"),
    "choice_suppress": _both("leaving out “{channel}”", "Verzicht auf „{channel}“"),
    "choice_silence": _both("silence", "Schweigen"),
    "way_reward": _both("reward ({channel})", "Prämie ({channel})"),
    "way_route": _both("hand over to “{route_to}”", "Übergabe an „{route_to}“"),
    "way_suppress": _both("leave out “{channel}”", "„{channel}“ weglassen"),
    "consent": _both(
        "With consent for {channel} ({purpose}), {choice} would come first.",
        "Mit Einwilligung für {channel} ({purpose}) läge {choice} vorn.",
    ),
    "feature": _both(
        "If “{feature}” were {after} instead of {before}, {choice} would come first.",
        "Wäre „{feature}“ {after} statt {before}, läge {choice} vorn.",
    ),
    "purchase": _both(
        "If the customer bought something now (“{feature}” {after} instead of {before}, one purchase more, other figures held), "
        "{choice} would come first.",
        "Kaufte die Person jetzt etwas („{feature}“ {after} statt {before}, ein Einkauf mehr, andere Angaben unverändert), "
        "läge {choice} vorn.",
    ),
    "cap": _both(
        "If the limit “{cap}” allowed {after} instead of {before}, {choice} would come first.",
        "Wenn die Grenze „{cap}“ {after} statt {before} zuließe, läge {choice} vorn.",
    ),
    "contact": _both(
        "Without the contact “{journey}” by {channel} of {before}, {choice} would come first.",
        "Ohne den Kontakt „{journey}“ per {channel} ({before}) läge {choice} vorn.",
    ),
    "contact_unnamed": _both(
        "Without the contact by {channel} of {before}, {choice} would come first.",
        "Ohne den Kontakt per {channel} ({before}) läge {choice} vorn.",
    ),
    "time": _both(
        "Asked again on {after}, {choice} would come first.", "Zu einer späteren Zeit ({after}) läge {choice} vorn."
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
    "consent": _both("If you allowed us to use {channel}, {then}.", "Wenn Sie uns {channel} erlauben, {then}."),
    "time": _both("Later, on {after}, {then}.", "Später ({after}) {then}."),
    "recency_days": _both("If you bought something today, {then}.", "Wenn Sie heute etwas kaufen, {then}."),
    "session_age_hours": _both("If you opened our app now, {then}.", "Wenn Sie jetzt unsere App öffnen, {then}."),
    "store_visit_age_hours": _both(
        "If you visited a store now, {then}.", "Wenn Sie jetzt eine Filiale besuchen, {then}."
    ),
    "in_store": _both("If you were in a store now, {then}.", "Wenn Sie jetzt in einer Filiale wären, {then}."),
    "cart_open": _both("If your cart were filled, {then}.", "Wenn Ihr Warenkorb gefüllt wäre, {then}."),
    "points_balance": _both("If you held {after} points, {then}.", "Wenn Sie {after} Punkte hätten, {then}."),
    "message": _both(
        "you could get “{journey}” from us by {channel}", "könnten Sie „{journey}“ per {channel} von uns bekommen"
    ),
    "placed": _both("you could see “{journey}” ({channel})", "könnten Sie „{journey}“ sehen ({channel})"),
    "reward": _both("you could get a reward: “{journey}”", "könnten Sie eine Prämie bekommen: „{journey}“"),
    "reward_points": _both(
        "you could get a reward for {points} points: “{journey}”",
        "könnten Sie für {points} Punkte eine Prämie bekommen: „{journey}“",
    ),
    "costs": _both("This reward costs {points} of your points.", "Diese Prämie kostet {points} Ihrer Punkte."),
    "care": _both("Our service team takes care of your request.", "Unser Serviceteam kümmert sich um Ihr Anliegen."),
}
"""What customers read: nothing of money, of ranks or of what models believe."""

CUSTOMER_THEN: Mapping[str, BusinessName] = {
    "about": _both("This was about: {journey}.", "Hier ging es um: {journey}."),
    "nothing": _both("There was no message for you at that moment.", "Damals gab es keine Nachricht für Sie."),
    "consent_held": _both(
        "We were allowed to use {channel} then, because of: {basis}.",
        "Wir durften {channel} damals nutzen, Grundlage: {basis}.",
    ),
    "no_consent_needed": _both("{channel} needed no consent.", "{channel} brauchte keine Einwilligung."),
    "holdout": _both(
        "You belonged to a group that got no messages, so that we could compare.",
        "Sie gehörten zu einer Gruppe, die zum Vergleich keine Nachrichten bekam.",
    ),
    "cold_start": _both("We knew nothing of you then.", "Wir wussten damals nichts über Sie."),
    "costs": _both(
        "The reward would have cost {points} of your points.", "Die Prämie hätte {points} Ihrer Punkte gekostet."
    ),
    "care": _both("Our service team took over your request.", "Unser Serviceteam hat Ihr Anliegen übernommen."),
    "objection": CUSTOMER["objection"],
    "suppression": CUSTOMER["suppression"],
}
"""What customers read of a decision that was made before they objected: in the past, and nothing that invites."""
STANDS: Mapping[str, BusinessName] = {
    "objection": _both(
        "You objected to marketing. Your objection stands: nothing is evaluated for marketing any more.",
        "Sie haben Werbung widersprochen. Ihr Widerspruch gilt: Für Werbung wird nichts mehr ausgewertet.",
    ),
    "suppression": _both(
        "You are on the list of people we do not contact. That stands: nothing is evaluated for you any more.",
        "Sie stehen auf der Liste der Personen, die wir nicht ansprechen. Das gilt: Für Sie wird nichts mehr ausgewertet.",
    ),
}
