"""Numbers, money and moments on a page. Amounts are written by `arbitration.wording`, as in the sentences; Babel writes moments.

Within an amount the space does not break, so that a line never ends between a number and its unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, cast

from babel.dates import format_date, format_datetime, format_time

from arbitration.windows import zone_of
from arbitration.wording import localized, money, share, sign

Lang = Literal["en", "de"]
LANGS: tuple[Lang, ...] = ("en", "de")
NO_BREAK = "\N{NO-BREAK SPACE}"
_LOCALE = {"en": "en_GB", "de": "de"}


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

    def money(self, value: float, digits: int | None = None, *, signed: bool = False) -> str:
        """`USD 0.123`, `0,123 USD`; with `signed` always a plus or minus sign, except for what rounds to zero."""
        return money(value, self.currency, self.lang, digits=digits, signed=signed).replace(" ", NO_BREAK)

    def number(self, value: float, digits: int = 2, *, signed: bool = False, padded: bool = False) -> str:
        """At most `digits` decimals; trailing zeros are left out unless `signed` or `padded`, so that columns line up."""
        rounded = round(value, digits) + 0.0
        text = f"{abs(rounded):,.{digits}f}"
        if digits and not (signed or padded):
            text = text.rstrip("0").rstrip(".")
        return sign(rounded, signed=signed) + localized(text, self.lang)

    def percent(self, part: float, digits: int = 1) -> str:
        """A share as percent; what is not quite 0 or 100 never reads as if it were."""
        return share(part, self.lang, digits).replace(" ", NO_BREAK)

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
