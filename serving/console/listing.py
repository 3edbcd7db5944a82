"""The list of newest decisions, made from the answers that were given; whole records are not read for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
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

NEWEST = 50


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
    """The list in one language."""

    lang: Lang
    languages: tuple[LanguageLink, ...]
    simulated: bool
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """A customer and the answer that was given, as JSON."""

    customer_id: str
    answer: dict[str, Any]


def newest(ledger: Ledger, limit: int = NEWEST) -> tuple[Answered, ...]:
    """The last decisions that were written, newest first; the order of writing needs no index."""
    table = schema.decisions
    asked = select(table.c.decision_id).order_by(table.c.number.desc()).limit(limit)
    with ledger.reading() as reading:
        names = reading.connection.execute(asked).scalars().all()
        rows = [row for row in map(reading.decision_if_kept, names) if row is not None]
    return tuple(Answered(row.customer_id, json.loads(row.answer.body)) for row in rows)


def list_page(found: Iterable[Answered], policy: Policy, lang: Lang) -> ListPage:
    """The page; journeys and channels are named as the current catalog names them."""
    voice = Voice.of(policy, lang, None)
    answers = tuple(found)
    return ListPage(
        lang=lang,
        languages=languages("/ui/decisions", lang),
        simulated=any(one.answer["simulated"] for one in answers),
        title=voice.words("list_title"),
        rows=tuple(_row(one, voice) for one in answers),
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
