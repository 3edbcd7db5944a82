"""The page of what waits for a person: each contact, the decision it belongs to, and the form that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from arbitration.policy import Policy
from arbitration.what_if import capital
from serving.console.formats import Lang
from serving.console.page import LanguageLink, languages
from serving.console.voice import Voice
from serving.reserved import MOST, Waiting

VERDICT = '{{"verdict": "approved", "reason": "{sentence}"}}'


_TOLD = {
    "approved": "answered_approved", "rejected": "answered_rejected", "own-decision": "answered_own",
    "invalid-field": "answered_badly", "other-form": "answered_elsewhere",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at the page, whether they may answer, and what their forms carry."""

    name: str
    may_review: bool
    token: str


@dataclass(frozen=True, slots=True)
class Review:
    """One contact that waits; `href` leads to its decision, `answer` takes the form. `own`: the reader asked for it."""

    href: str
    until: str
    customer: str
    journey: str
    channel: str
    step: str
    asked_by: str
    own: bool
    reservation: str
    answer: str


@dataclass(frozen=True, slots=True)
class ReviewsPage:
    """The page in one language. `most` is set where there may be more than are shown, `told` after an answer: `failed` or not."""

    lang: Lang
    languages: tuple[LanguageLink, ...]
    simulated: bool
    title: str
    rows: tuple[Review, ...]
    most: str
    told: str
    failed: bool
    may_review: bool
    token: str
    call: str
    verdict: str


def reviews_page(
    found: Sequence[Waiting], policy: Policy, lang: Lang, reader: Reader, told: str | None = None, *, simulated: bool
) -> ReviewsPage:
    """The page; journeys and channels are named as the current catalog names them, moments are in UTC.

    `told`: what came of the reader's answer, as a verdict or the code of a problem.
    """
    voice = Voice.of(policy, lang, None)
    return ReviewsPage(
        lang=lang,
        languages=languages("/ui/reviews", lang),
        simulated=simulated,
        title=voice.words("reviews_title"),
        rows=tuple(_row(one, voice, reader) for one in found),
        most=voice.words("reviews_most", count=MOST) if len(found) == MOST else "",
        told=voice.words(_TOLD.get(told, "answered_late")) if told else "",
        failed=told not in (None, "approved", "rejected"),
        may_review=reader.may_review,
        token=reader.token,
        call="POST /v1/reservations/{id}/review",
        verdict=VERDICT.format(sentence=voice.words("reviews_sentence")),
    )


def _row(one: Waiting, voice: Voice, reader: Reader) -> Review:
    held = one.reservation
    return Review(
        href=f"/ui/decisions/{quote(held.decision_id, safe='')}?lang={voice.words.lang}",
        until=voice.formats.stamp(held.closes_at),
        customer=one.customer_id,
        journey=voice.journey(held.journey),
        channel=capital(voice.channel(held.channel)),
        step=voice.words("step", number=held.step + 1),
        asked_by=one.asked_by,
        own=one.asked_by == reader.name,
        reservation=held.reservation_id,
        answer=f"/ui/reviews/{quote(held.reservation_id, safe='')}?lang={voice.words.lang}",
    )
