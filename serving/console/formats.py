"""Numbers, money and moments as people of a language write them (Babel holds the rules).

Money names its currency by code and English dates are written day first, as in the sentences of `arbitration.explain`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, cast

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, format_percent

from arbitration.windows import zone_of

Lang = Literal["en", "de"]
LANGS: tuple[Lang, ...] = ("en", "de")
MINUS = "\N{MINUS SIGN}"
_LOCALE = {"en": "en_GB", "de": "de"}
_MONEY = {"en": "¤¤\N{NO-BREAK SPACE}#,##0.{}", "de": "#,##0.{}\N{NO-BREAK SPACE}¤¤"}


@dataclass(frozen=True, slots=True)
class Formats:
    """How one page writes: language, currency (ISO 4217), and the customer's time zone; UTC where that is unknown."""

    lang: Lang
    currency: str
    time_zone: str | None = None

    @property
    def zone(self) -> tzinfo:
        """The zone of every moment on the page."""
        found = zone_of(self.time_zone) or zone_of("UTC")
        return cast(tzinfo, found)

    @property
    def known(self) -> bool:
        """Whether moments are shown on the customer's own clock."""
        return zone_of(self.time_zone) is not None

    @property
    def _locale(self) -> str:
        return _LOCALE[self.lang]

    def money(self, value: float, digits: int = 2, *, signed: bool = False) -> str:
        """`USD 0.12`, `0,12 USD`; with `signed` always a plus or minus sign, except for what rounds to zero."""
        rounded = round(value, digits) + 0.0
        pattern = _MONEY[self.lang].format("0" * digits)
        text = format_currency(abs(rounded), self.currency, format=pattern, locale=self._locale, currency_digits=False)
        return _sign(rounded, signed=signed) + text

    def number(self, value: float, digits: int = 2, *, signed: bool = False, padded: bool = False) -> str:
        """At most `digits` decimals; trailing zeros are left out unless `signed` or `padded`, so that columns line up."""
        rounded = round(value, digits) + 0.0
        decimals = ("0" if signed or padded else "#") * digits
        pattern = f"#,##0.{decimals}" if digits else "#,##0"
        return _sign(rounded, signed=signed) + format_decimal(abs(rounded), format=pattern, locale=self._locale)

    def percent(self, share: float, digits: int = 1) -> str:
        """A share as percent; what is not quite 0 or 100 never reads as if it were."""
        smallest = 10.0 ** -(digits + 2)
        if 0 < share < smallest:
            return f"< {self._percent(smallest, digits)}"
        if 1 - smallest < share < 1:
            return f"> {self._percent(1 - smallest, digits)}"
        return self._percent(share, 0 if share in (0.0, 1.0) else digits)

    def _percent(self, share: float, digits: int) -> str:
        decimals = f".{'0' * digits}" if digits else ""
        pattern = Locale.parse(self._locale).percent_formats[None].pattern.replace("#,##0", f"#,##0{decimals}")
        return format_percent(share, format=pattern, locale=self._locale)

    def moment(self, moment: datetime) -> str:
        """Weekday, day, month, year and time, on the customer's clock."""
        local = moment.astimezone(self.zone)
        return f"{format_date(local, 'full', locale=self._locale)}, {self.clock(moment)}"

    def short(self, moment: datetime) -> str:
        """Weekday, day and time, without the year: for steps that lie close together."""
        return f"{self.day(moment)}, {self.clock(moment)}"

    def day(self, moment: datetime) -> str:
        """Short weekday, day and month."""
        pattern = "EEE d MMM" if self.lang == "en" else "EE, d. MMMM"
        return format_date(moment.astimezone(self.zone), pattern, locale=self._locale).replace(".,", ",", 1)

    def date(self, moment: datetime) -> str:
        """Day, month and year."""
        return format_date(moment.astimezone(self.zone), "medium", locale=self._locale)

    def stamp(self, moment: datetime) -> str:
        """Day and time in figures, for lists."""
        pattern = "yyyy-MM-dd HH:mm" if self.lang == "en" else "dd.MM.yyyy HH:mm"
        return format_datetime(moment.astimezone(self.zone), pattern, locale=self._locale)

    def clock(self, moment: datetime) -> str:
        """Time of day."""
        return format_time(moment.astimezone(self.zone), "HH:mm", locale=self._locale)


def money_digits(amounts: Iterable[float]) -> int:
    """Decimals that show even the smallest part of a sum: 2, or 4 where parts are below a cent."""
    return 4 if any(0 < abs(amount) < 0.095 for amount in amounts) else 2


def _sign(value: float, *, signed: bool) -> str:
    if value < 0:
        return MINUS
    return "+" if signed and value > 0 else ""
