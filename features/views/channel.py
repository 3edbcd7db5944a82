"""View `channel`: what each customer received and did on each channel. Keys are customer and channel, because channels are data."""

from features.schema import Feature, View

BASE = """
SELECT spine.customer_id, spine.channel, spine.moment, touches.type, touches.touched_at,
       (epoch(spine.moment) - epoch(touches.touched_at)) / 86400 AS age
FROM spine LEFT JOIN touches ON touches.customer_id = spine.customer_id AND touches.channel = spine.channel
     AND touches.touched_at < spine.moment
"""


def _count(kind: str, days: int) -> str:
    return f"count(*) FILTER (type = '{kind}' AND age <= {days})"


# Rates are shrunk toward one in five (opens) and one in twenty (clicks) by five and twenty contacts of prior weight.
# fmt: off
FEATURES = (
    Feature("contacts_7d", "int64", "contacts", _count("contact", 7), "Contacts on this channel in 7 days", "Contacts last week", "Kontakte letzte Woche", 0),
    Feature("contacts_28d", "int64", "contacts", _count("contact", 28), "Contacts on this channel in 28 days", "Contacts in 4 weeks", "Kontakte in 4 Wochen", 0),
    Feature("contacts_91d", "int64", "contacts", _count("contact", 91), "Contacts on this channel in 91 days", "Contacts in 13 weeks", "Kontakte in 13 Wochen", 0),
    Feature("opens_91d", "int64", "contacts", _count("opened", 91), "Contacts opened by a person in 91 days", "Opened messages", "Geöffnete Nachrichten", 0),
    Feature("clicks_91d", "int64", "contacts", _count("clicked", 91), "Contacts clicked in 91 days", "Clicked messages", "Angeklickte Nachrichten", 0),
    Feature("conversions_91d", "int64", "contacts", _count("converted", 91), "Contacts followed by the wanted act in 91 days", "Conversions", "Abschlüsse", 0),
    Feature("open_rate_91d", "float64", "share", f"({_count('opened', 91)} + 1.0) / ({_count('contact', 91)} + 5)", "Share of contacts opened, shrunk to 1 in 5", "Open rate", "Öffnungsrate", 0, 1),
    Feature("click_rate_91d", "float64", "share", f"({_count('clicked', 91)} + 1.0) / ({_count('contact', 91)} + 20)", "Share of contacts clicked, shrunk to 1 in 20", "Click rate", "Klickrate", 0, 1),
    Feature("unsubscribes_total", "int64", "contacts", "count(*) FILTER (type IN ('unsubscribed', 'complained'))", "Opt-outs and complaints on this channel", "Opt-outs", "Abmeldungen", 0),
    Feature("days_since_contact", "float64", "days", "min(age) FILTER (type = 'contact')", "Time since the last contact on this channel", "Days since last contact", "Tage seit letztem Kontakt", 0),
    Feature("days_since_click", "float64", "days", "min(age) FILTER (type = 'clicked')", "Time since the last click on this channel", "Days since last click", "Tage seit letztem Klick", 0),
    Feature("fatigue", "float64", "contacts", "coalesce(sum(exp(-age / 7)) FILTER (type = 'contact'), 0)", "Recent contacts, each fading with a time constant of 7 days", "Recent pressure", "Aktueller Kontaktdruck", 0),
)
# fmt: on

CHANNEL = View("channel", ("customer_id", "channel"), BASE, FEATURES, max_age_hours=8 * 24, ttl_days=8)
