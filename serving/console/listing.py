"""The list of decisions, newest first, made from the answers that were given; whole records are not read for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import select

from arbitration.naming import way_of
from arbitration.policy import Policy
from arbitration.what_if import capital
from serving.console.formats import Lang
from serving.console.page import LanguageLink, languages
from serving.console.voice import Voice
from serving.ledger import schema
from serving.ledger.store import Ledger

PORTION = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One decision of the list."""

    href: str
    time: str
    customer: str
    journey: str
    channel: str
    value: str
    arm: str


@dataclass(frozen=True, slots=True)
class ListPage:
    """A part of the list in one language, with links to the part before and to the newest where there are such."""

    lang: Lang
    languages: tuple[LanguageLink, ...]
    simulated: bool
    title: str
    intro: str
    rows: tuple[Row, ...]
    newest: str | None
    older: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A customer and the answer that was given, as JSON."""

    customer_id: str
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Portion:
    """Decisions, newest first, from those written `before` one (None: the newest); `older` is where the next portion begins, None where
    these are the last.
    """

    found: tuple[Answered, ...]
    before: int | None = None
    older: int | None = None


def portion(ledger: Ledger, before: int | None = None, limit: int = PORTION) -> Portion:
    """The last decisions that were written before the one with this number; the order of writing needs no index. Those of erased
    customers are left out.
    """
    table = schema.decisions
    asked = select(table.c.number, table.c.decision_id).order_by(table.c.number.desc()).limit(limit + 1)
    if before is not None:
        asked = asked.where(table.c.number < before)
    with ledger.reading() as reading:
        written = reading.connection.execute(asked).all()
        rows = [row for one in written[:limit] if (row := reading.decision_if_kept(one.decision_id)) is not None]
    found = tuple(Answered(row.customer_id, json.loads(row.answer.body)) for row in rows)
    return Portion(found, before, written[limit - 1].number if len(written) > limit else None)


def list_page(portion: Portion, policy: Policy, lang: Lang) -> ListPage:
    """The page; journeys and channels are named as the current catalog names them."""
    voice = Voice.of(policy, lang, None)
    first = portion.before is None
    here = "/ui/decisions"
    return ListPage(
        lang=lang,
        languages=languages(here, lang, "" if first else f"&before={portion.before}"),
        simulated=any(one.answer["simulated"] for one in portion.found),
        title=voice.words("list_title" if first else "list_title_older"),
        intro=voice.words("list_intro" if first else "list_intro_older", count=len(portion.found)),
        rows=tuple(_row(one, voice) for one in portion.found),
        newest=None if first else f"{here}?lang={lang}",
        older=None if portion.older is None else f"{here}?lang={lang}&before={portion.older}",
    )


def _row(one: Answered, voice: Voice) -> Row:
    answer, action = one.answer, one.answer.get("action")
    net = action["expected_value"]["net"] if action else 0.0
    return Row(
        href=f"/ui/decisions/{quote(answer['decision_id'], safe='')}?lang={voice.words.lang}",
        time=voice.formats.stamp(datetime.fromisoformat(answer["decided_at"])),
        customer=one.customer_id,
        journey=voice.journey(action["journey"]) if action else voice.words("silence"),
        channel=_way(action, voice) if action else "",
        value=voice.formats.money(net),
        arm=voice.words(f"arm_{answer['arm']}") if action or answer["alternatives"] else voice.words("no_choice"),
    )


def _way(action: dict[str, Any], voice: Voice) -> str:
    """The channel, and what is done there if it is no message: an answer of a suppression names what was left out."""
    route_to = voice.journey(action.get("route_to") or "")
    return capital(way_of(action.get("kind", "message"), voice.channel(action["channel"]), route_to, voice.words.of))
