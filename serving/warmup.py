"""One rehearsal before the first request, so that nothing is imported, compiled or cached for the first time under way.

It writes nothing. After it, an audit of the process sees no code being made from text: lazily imported modules, type
hints that are evaluated on first use and templates have all been dealt with.
"""

from __future__ import annotations

import atexit
import gc
import json
from dataclasses import replace

from arbitration.codec import decode, encode
from arbitration.domain import (
    PARTS,
    Attribution,
    Candidate,
    Consent,
    Contact,
    Contribution,
    Estimate,
    Offer,
    Plan,
    PlanStep,
    Ranked,
    Reason,
    Rejection,
    SendWindow,
    Treatment,
    Trigger,
    Value,
)
from arbitration.policy import Policy
from serving import openapi
from serving.answers import answer_of
from serving.auth import Client
from serving.bootstrap import Runtime, build, readiness
from serving.console.formats import LANGS
from serving.console.listing import list_page, portion
from serving.console.page import languages, page_of
from serving.console.rendering import html
from serving.decisions import consider, question_of
from serving.ledger.rows import Reservation
from serving.ledger.standing import consents_of
from serving.openapi import READERS
from serving.reading import tell
from serving.records import Record
from serving.settings import Settings
from serving.weighing import weigh

_CLIENT = Client("rehearsal", "admin")
_CUSTOMERS = 5
_YOUNG = 50_000


def ready(settings: Settings) -> Runtime:
    """A runtime that is built, checked and rehearsed. Raises a `DirigentError` when something needed is missing."""
    runtime = build(settings)
    warm_up(runtime)
    calm_collector()
    return runtime


def calm_collector() -> None:
    """Keep the collector of garbage away from what stays: modules, models and policy are looked through no more, and the rest only when
    a few decisions' worth of objects have come together. It took a tenth of every decision.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)
    atexit.register(gc.unfreeze)  # or libraries that count what they gave out complain at the end


def warm_up(runtime: Runtime) -> None:
    """Decide for a stranger and a few customers, and tell everybody why."""
    with runtime.ledger.reading() as reading:
        names = ["stranger", *reading.customers(_CUSTOMERS)]
        for name in names:
            body = {"request_id": "rehearsal", "customer": {"id": name}, "mode": "dry_run"}
            question = question_of(runtime, _CLIENT, json.dumps(body).encode())
            record = Record.from_parts(*consider(runtime, reading, question)[0].to_parts())
            answer_of(record, runtime.policy).body()
            for lang in LANGS:
                html("decision.html", lang, page=page_of(record, runtime.policy, lang))
                for reader in READERS:
                    tell(record, runtime.policy, reader, lang)
        # A new ledger knows nobody: what is asked about whom it has written of is asked once here.
        consents_of(reading.connection, names[0], "nobody", runtime.settings.brand, record.now)
    weigh(record, runtime.policy, runtime.bundle)
    Record.from_parts(*_with_everything(record).to_parts())
    decode(Policy, encode(runtime.policy))
    for lang in LANGS:
        for before in (None, 0):
            html("list.html", lang, page=list_page(portion(runtime.ledger, before), runtime.policy, lang))
        html("missing.html", lang, languages=languages("/ui/decisions", lang))
    openapi.document()
    readiness(runtime)
    runtime.metrics.text()


def _with_everything(record: Record) -> Record:
    """A record in which every kind of thing occurs once, because a type's hints are evaluated when it is first read."""
    now = record.now
    candidate = Candidate(Treatment("journey", "channel", "template", Offer("offer", 1.0)), SendWindow(now, now, 0))
    ranked = Ranked(candidate, Value(*(0.0,) * 15, tier=0, tiers=(0,) * len(PARTS)), Estimate(0.0), 0.0)
    step = PlanStep(candidate, now, 0.0, "", (), now, 0.0)
    return replace(
        record,
        reservation=Reservation("reservation", 1, now),
        context=replace(
            record.context,
            consents=(Consent("channel", "marketing", "granted", "consent", None, now),),
            contacts=(Contact("journey", "channel", now),),
            triggers=(Trigger("journey"),),
        ),
        attributions=(Attribution("model", 0.0, (Contribution("feature", 0.0, 0.0),), 0.0, 0.0),),
        decision=replace(
            record.decision,
            winner=ranked,
            ranked=(ranked,),
            rejections=(Rejection(candidate, "consent", "code"),),
            plan=Plan((step,), 0.0),
            reasons=(Reason("code", {}),),
        ),
    )
