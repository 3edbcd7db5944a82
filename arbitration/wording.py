"""Money, shares, numbers and moments as people of a language read them; nothing but the standard library."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from arbitration.domain import FeatureValue
from arbitration.explanation import Lang
from arbitration.texts import FRAMES
from arbitration.windows import zone_of

_DAYS = {"en": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], "de": ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"]}
_MONTHS = {
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "de": ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"],
}  # fmt: skip
_SWAP = str.maketrans(".,", ",.")


def money(amount: float, currency: str, lang: Lang) -> str:
    """`USD 1,234.50` or `1.234,50 USD`; below one unit three decimals, because contacts are worth cents."""
    digits = 2 if abs(amount) >= 1 or amount == 0 else 3
    text = f"{amount:,.{digits}f}".replace("-", "−")
    return f"{currency} {text}" if lang == "en" else f"{text.translate(_SWAP)} {currency}"


def share(amount: float, lang: Lang) -> str:
    """`12.3 %` or `12,3 %`."""
    text = f"{amount * 100:.1f} %"
    return text if lang == "en" else text.translate(_SWAP)


def moment(at: datetime, time_zone: str | None, lang: Lang) -> str:
    """Local weekday, day, month and time; in UTC, and said so, when the time zone is unknown."""
    zone = zone_of(time_zone)
    local = at.astimezone(zone or ZoneInfo("UTC"))
    day, month = _DAYS[lang][local.weekday()], _MONTHS[lang][local.month - 1]
    date = f"{day} {local.day} {month}" if lang == "en" else f"{day}, {local.day}. {month}"
    return f"{date}, {local:%H:%M}" + ("" if zone else " UTC")


def plain(value: FeatureValue, lang: Lang) -> str:
    """A feature's value: numbers with at most three significant decimals, unknown said in words."""
    if value is None:
        return FRAMES["unknown"].de if lang == "de" else FRAMES["unknown"].en
    if isinstance(value, float):
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return text if lang == "en" else text.translate(_SWAP)
    return str(value)
