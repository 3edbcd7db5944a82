"""Money, shares, numbers and moments as people of a language read them; nothing but the standard library.

Sentences and the console's pages write amounts through these functions, so that both say the same number the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from arbitration.domain import FeatureValue
from arbitration.explanation import Lang
from arbitration.frames import FRAMES
from arbitration.gates.calendar import within
from arbitration.windows import zone_of

MINUS = "\N{MINUS SIGN}"
_DAYS = {"en": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], "de": ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"]}
_MONTHS = {
    "en": ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    "de": ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"],
}  # fmt: skip
_SWAP = str.maketrans(".,", ",.")


def decimals(amounts: Iterable[float]) -> int:
    """Decimals that show every amount: 2, 3 where one is below a unit, because contacts are worth cents, 4 where one is below a cent."""
    sizes = [abs(amount) for amount in amounts if amount]
    least = min(sizes, default=1.0)
    return 2 if least >= 1 else 3 if least >= 0.0095 else 4


def money(amount: float, currency: str, lang: Lang, *, digits: int | None = None, signed: bool = False) -> str:
    """`USD 1,234.50` or `1.234,50 USD`; the sign stands first, with `signed` a plus too, except for what rounds to zero."""
    places = decimals([amount]) if digits is None else digits
    rounded = round(amount, places) + 0.0
    text = localized(f"{abs(rounded):,.{places}f}", lang)
    return sign(rounded, signed=signed) + (f"{currency} {text}" if lang == "en" else f"{text} {currency}")


def share(amount: float, lang: Lang, digits: int = 1) -> str:
    """`12.3%` or `12,3 %`; what is not quite 0 or 100 never reads as if it were."""
    smallest = 10.0 ** -(digits + 2)
    if 0 < amount < smallest:
        return f"< {_percent(smallest, lang, digits)}"
    if 1 - smallest < amount < 1:
        return f"> {_percent(1 - smallest, lang, digits)}"
    return _percent(amount, lang, 0 if amount in (0.0, 1.0) else digits)


def moment(at: datetime, time_zone: str | None, lang: Lang) -> str:
    """Local weekday, day, month and time; in UTC, and said so, when the time zone is unknown."""
    zone = zone_of(time_zone)
    local = within(at).astimezone(zone or ZoneInfo("UTC"))
    day, month = _DAYS[lang][local.weekday()], _MONTHS[lang][local.month - 1]
    date = f"{day} {local.day} {month}" if lang == "en" else f"{day}, {local.day}. {month}"
    return f"{date}, {local:%H:%M}" + ("" if zone else " UTC")


def plain(value: FeatureValue, lang: Lang) -> str:
    """A feature's value: numbers with at most two decimals, unknown said in words."""
    if value is None:
        return FRAMES["unknown"].de if lang == "de" else FRAMES["unknown"].en
    if isinstance(value, float):
        return localized(f"{value:,.2f}".rstrip("0").rstrip("."), lang)
    return str(value)


def localized(digits: str, lang: Lang) -> str:
    """A number written the English way, with the language's own points and commas."""
    return digits.translate(_SWAP) if lang == "de" else digits


def sign(value: float, *, signed: bool) -> str:
    """What stands before a number: a true minus sign, a plus only where asked for."""
    if value < 0:
        return MINUS
    return "+" if signed and value > 0 else ""


def _percent(amount: float, lang: Lang, digits: int) -> str:
    text = localized(f"{amount * 100:,.{digits}f}", lang).replace("-", MINUS)
    return f"{text} %" if lang == "de" else f"{text}%"
