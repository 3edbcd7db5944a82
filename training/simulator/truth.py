"""The simulated world's truth: every constant the simulator obeys and the models are to find.

Sizes follow common published ranges, not any one shop: click rates of a few percent, opt-outs of a few in ten thousand to a few
in a thousand per contact, incremental orders of one to eight in a hundred contacts for a journey in the right moment.
"""

from __future__ import annotations

CHANNELS = ("push", "email", "sms", "in_app")

# tau: incremental app orders per contact within 14 days, for the average recipient, before the channel's factor.
JOURNEY_EFFECT = {
    "welcome": 0.045,
    "earn_to_redeem": 0.040,
    "tier_upgrade": 0.030,
    "reward_expiry": 0.060,
    "churn_recovery": 0.050,
    "win_back": 0.025,
    "cart_recovery": 0.080,
    "post_purchase": 0.010,
}
CHANNEL_EFFECT = {"push": 0.8, "email": 1.0, "sms": 1.3, "in_app": 0.9}

# Orders through the app that happen anyway within 14 days, per unit of the customer's activity.
BASE_ORDER = 0.03

# Log-odds of a click: journey + channel + customer + customer's taste for the channel + timing - fatigue.
CLICK_INTERCEPT = -2.9
JOURNEY_CLICK = {
    "welcome": 0.5,
    "earn_to_redeem": 0.3,
    "tier_upgrade": 0.0,
    "reward_expiry": 0.5,
    "churn_recovery": -0.1,
    "win_back": -0.5,
    "cart_recovery": 0.8,
    "post_purchase": -0.3,
}
CHANNEL_CLICK = {"push": 0.0, "email": -0.2, "sms": 0.3, "in_app": 0.6}
CUSTOMER_SD = 0.7
TASTE_SD = 0.6
TIMING_WEIGHT = 0.5
FATIGUE_WEIGHT = 0.35

# An opened message is clicked or not; this many more are opened than clicked (log-odds).
OPEN_ABOVE_CLICK = 1.4
MACHINE_OPEN_SHARE = 0.35  # e-mail readers whose mail program opens every message by itself

OPT_OUT = {"push": 0.0030, "email": 0.0015, "sms": 0.0060, "in_app": 0.0004}
SLEEPING_DOGS = 0.08  # customers with no effect and four times the opt-outs
SLEEPING_DOG_OPT_OUT = 4.0

GRANTED = {"push": 0.55, "email": 0.70, "sms": 0.35, "in_app": 0.60}
SILENCE_PROBABILITY = 0.35
FIRST_HOUR, LAST_HOUR = 8, 20  # local hours at which simulated contacts are sent
