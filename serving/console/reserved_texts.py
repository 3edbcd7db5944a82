"""The texts of what became of a decision, its places and what it postponed, and of the page of what waits for a person."""

from __future__ import annotations

from collections.abc import Mapping

from arbitration.policy import BusinessName


def _both(en: str, de: str) -> BusinessName:
    return BusinessName(en=en, de=de)


RESERVED: Mapping[str, BusinessName] = {
    "reserved_title": _both("What became of it", "Was daraus wurde"),
    "reserved_none": _both(
        "No place was taken and nothing was postponed.", "Kein Platz wurde belegt und nichts verschoben."
    ),
    "reserved_intro": _both(
        "Each contact takes a place, so that limits count it. It is confirmed right before it is sent, or the place is free again.",
        "Jeder Kontakt belegt einen Platz, damit Grenzen ihn mitzählen. Kurz vor dem Versand wird er bestätigt, sonst wird der Platz wieder frei.",
    ),
    "place": _both("Contact", "Kontakt"),
    "standing": _both("State", "Stand"),
    "place_times": _both("Times", "Zeiten"),
    "place_id": _both("Reservation", "Reservierung"),
    "epoch": _both("epoch {number}", "Epoche {number}"),
    "planned_for": _both("planned for {moment}", "geplant für {moment}"),
    "counts_from": _both("counts from {moment}", "zählt ab {moment}"),
    "lease_until": _both("lease until {moment}", "Haltefrist bis {moment}"),
    "settled_at": _both("since {moment}", "seit {moment}"),
    "state_reserved": _both("reserved", "reserviert"),
    "state_confirmed": _both("confirmed", "bestätigt"),
    "state_released": _both("given back", "zurückgegeben"),
    "state_expired": _both("expired", "verfallen"),
    "awaits_confirmation": _both("It waits to be confirmed.", "Wartet auf die Bestätigung."),
    "awaits_review": _both(
        "A person must approve it before it can be confirmed.",
        "Ein Mensch muss zustimmen, bevor bestätigt werden kann.",
    ),
    "lease_is_over": _both(
        "Nobody confirmed it in time; it counts nowhere any more.",
        "Niemand hat rechtzeitig bestätigt; zählt nirgends mehr.",
    ),
    "review_approved": _both("Approved by {reviewer}: “{reason}”", "Zugestimmt hat {reviewer}: „{reason}“"),
    "review_rejected": _both("Refused by {reviewer}: “{reason}”", "Abgelehnt hat {reviewer}: „{reason}“"),
    "by_confirm": _both("It was handed over for sending.", "Zum Versand übergeben."),
    "by_outcome": _both("An outcome reported that it was sent.", "Ein Ergebnis meldete den Versand."),
    "by_not_sent": _both(
        "The sender reported that it was not sent.", "Der Versand meldete, dass nicht gesendet wurde."
    ),
    "by_lease_over": _both("Nobody confirmed it in time.", "Niemand hat rechtzeitig bestätigt."),
    "by_window_over": _both(
        "The confirmation came after the send window.", "Die Bestätigung kam nach dem Sendefenster."
    ),
    "by_objection": _both("The customer objected to marketing.", "Die Person hat Werbung widersprochen."),
    "by_pause": _both("Contacts were paused for the customer.", "Kontakte wurden für die Person ausgesetzt."),
    "by_erasure": _both("The customer was erased.", "Die Person wurde gelöscht."),
    "by_review_rejected": _both("A person refused it.", "Ein Mensch hat abgelehnt."),
    "by_given_back": _both("The sending program gave it back.", "Das sendende Programm hat den Platz zurückgegeben."),
    "by_converted": _both("The customer bought in the meantime.", "Die Person hat inzwischen gekauft."),
    "by_unsubscribed": _both("The customer unsubscribed.", "Die Person hat sich abgemeldet."),
    "by_complained": _both("The customer complained.", "Die Person hat sich beschwert."),
    "by_code": _both("Reason given: {code}", "Angegebener Grund: {code}"),
    "postponed_title": _both("Postponed", "Verschoben"),
    "free_at": _both("Free from", "Frei ab"),
    "wait_waiting": _both(
        "waits: an event then says that it is time to ask again",
        "wartet: dann meldet ein Ereignis, dass neu zu fragen ist",
    ),
    "wait_due": _both("due: the event went out", "fällig: das Ereignis ist hinausgegangen"),
    "wait_done": _both(
        "over: a later decision or the customer ended the wait",
        "vorbei: eine spätere Entscheidung oder die Person hat das Warten beendet",
    ),
    "reviews_title": _both("Waiting for a person", "Wartet auf einen Menschen"),
    "reviews_intro": _both(
        "These contacts set a price, take a benefit away or deny something. None is sent on a model's word alone. Times in UTC.",
        "Diese Kontakte setzen einen Preis, nehmen einen Vorteil oder verweigern etwas. Keiner geht allein auf das Wort eines Modells hinaus. Zeiten in UTC.",
    ),
    "reviews_none": _both("Nothing waits for a person.", "Nichts wartet auf einen Menschen."),
    "reviews_most": _both("The {count} most urgent are shown.", "Gezeigt werden die {count} dringendsten."),
    "reviews_how": _both("How to answer", "So wird geantwortet"),
    "reviews_do": _both(
        "Look at the decision (the link with the date), say why in a sentence, then approve or reject.",
        "Die Entscheidung ansehen (der Link mit dem Datum), in einem Satz sagen, warum, dann zustimmen oder ablehnen.",
    ),
    "reviews_may_not": _both(
        "Your key may look, but not answer: that takes one of the role marketer, privacy or admin.",
        "Dieser Schlüssel darf lesen, aber nicht antworten: dafür braucht es einen der Rolle marketer, privacy oder admin.",
    ),
    "reviews_call": _both(
        "From a program, or with “dirigent review”:", "Aus einem Programm oder mit „dirigent review“:"
    ),
    "answer": _both("Answer", "Antwort"),
    "answer_why": _both("Why? (kept in the record)", "Warum? (steht im Protokoll)"),
    "answer_approve": _both("Approve", "Zustimmen"),
    "answer_reject": _both("Reject", "Ablehnen"),
    "answer_link": _both("Answer it", "Beantworten"),
    "answer_own": _both(
        "Asked for with your own key: somebody else must answer.",
        "Mit dem eigenen Schlüssel angefragt: jemand anderes muss antworten.",
    ),
    "answered_approved": _both(
        "Kept: approved. The contact may now be confirmed and sent.",
        "Festgehalten: zugestimmt. Der Kontakt darf nun bestätigt und gesendet werden.",
    ),
    "answered_rejected": _both(
        "Kept: rejected. The contact will not be sent, and its place is free again.",
        "Festgehalten: abgelehnt. Der Kontakt wird nicht gesendet, sein Platz ist wieder frei.",
    ),
    "answered_own": _both(
        "Nothing was kept: who asked for a decision may not answer it.",
        "Nichts festgehalten: Wer die Entscheidung angefragt hat, darf nicht antworten.",
    ),
    "answered_badly": _both(
        "Nothing was kept: please say why in 3 to 300 characters, without @, +, < or >.",
        "Nichts festgehalten: Bitte in 3 bis 300 Zeichen sagen, warum, ohne @, +, < oder >.",
    ),
    "answered_elsewhere": _both(
        "Nothing was kept: the form was of an earlier session. Please answer again here.",
        "Nichts festgehalten: Das Formular war aus einer früheren Sitzung. Bitte hier noch einmal antworten.",
    ),
    "answered_late": _both(
        "Nothing was kept: this contact no longer waits for an answer.",
        "Nichts festgehalten: Dieser Kontakt wartet nicht mehr auf eine Antwort.",
    ),
    "reviews_sentence": _both("a sentence that says why", "ein Satz, der sagt warum"),
    "reviews_rule": _both(
        "“Approve” lets it be confirmed, “Reject” frees its place. Who asked for the decision may not answer. "
        "A contact without a verdict is not sent and expires by itself.",
        "„Zustimmen“ lässt die Bestätigung zu, „Ablehnen“ gibt den Platz frei. Wer die Entscheidung angefragt hat, darf nicht antworten. "
        "Ein Kontakt ohne Urteil wird nicht gesendet und verfällt von selbst.",
    ),
    "answer_until": _both("Answer by", "Antwort bis"),
    "asked_by": _both("Asked for by", "Angefragt von"),
    "reviews": _both("Reviews", "Freigaben"),
    "pages": _both("Pages", "Seiten"),
}
