"""The page of what waits for a person: each contact, the decision it belongs to, and the call that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from arbitration.policy import Policy
from arbitration.what_if import capital
from serving.console.formats import Lang
from serving.console.page import LanguageLink, languages
from serving.console.reserved import review_call
from serving.console.voice import Voice
from serving.reserved import MOST, Waiting

VERDICT = '{{"verdict": "approved", "reason": "{sentence}"}}'


@dataclass(frozen=True, slots=True)
class Review:
    """One contact that waits; `href` leads to its decision."""

    href: str
    until: str
    customer: str
    journey: str
    channel: str
    step: str
    asked_by: str
    reservation: str


@dataclass(frozen=True, slots=True)
class ReviewsPage:
    """The page in one language. `most` is set where there may be more than are shown."""

    lang: Lang
    languages: tuple[LanguageLink, ...]
    simulated: bool
    title: str
    rows: tuple[Review, ...]
    most: str
    call: str
    verdict: str


def reviews_page(found: Sequence[Waiting], policy: Policy, lang: Lang, *, simulated: bool) -> ReviewsPage:
    """The page; journeys and channels are named as the current catalog names them, moments are in UTC."""
    voice = Voice.of(policy, lang, None)
    return ReviewsPage(
        lang=lang,
        languages=languages("/ui/reviews", lang),
        simulated=simulated,
        title=voice.words("reviews_title"),
        rows=tuple(_row(one, voice) for one in found),
        most=voice.words("reviews_most", count=MOST) if len(found) == MOST else "",
        call=review_call("{id}"),
        verdict=VERDICT.format(sentence=voice.words("reviews_sentence")),
    )


def _row(one: Waiting, voice: Voice) -> Review:
    held = one.reservation
    return Review(
        href=f"/ui/decisions/{quote(held.decision_id, safe='')}?lang={voice.words.lang}",
        until=voice.formats.stamp(held.closes_at),
        customer=one.customer_id,
        journey=voice.journey(held.journey),
        channel=capital(voice.channel(held.channel)),
        step=voice.words("step", number=held.step + 1),
        asked_by=one.asked_by,
        reservation=held.reservation_id,
    )
