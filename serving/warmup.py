"""One rehearsal before the first request, so that nothing is imported, compiled or cached for the first time under way.

It writes nothing. After it, an audit of the process sees no code being made from text: lazily imported modules, type
hints that are evaluated on first use and templates have all been dealt with.
"""

from __future__ import annotations

import json

from serving import openapi
from serving.answers import answer_of
from serving.auth import Client
from serving.bootstrap import Runtime, readiness
from serving.console.page import page_of
from serving.console.rendering import html
from serving.decisions import consider, question_of
from serving.openapi import LANGUAGES, READERS
from serving.reading import tell
from serving.records import Record

_CLIENT = Client("rehearsal", "admin")
_CUSTOMERS = 5


def warm_up(runtime: Runtime) -> None:
    """Decide for a stranger and a few customers, and tell everybody why."""
    with runtime.ledger.reading() as reading:
        names = ["stranger", *reading.customers(_CUSTOMERS)]
        for name in names:
            body = {"request_id": "rehearsal", "customer": {"id": name}, "mode": "dry_run"}
            question = question_of(runtime, _CLIENT, json.dumps(body).encode())
            record = Record.from_bytes(consider(runtime, reading, question).to_bytes())
            answer_of(record, runtime.policy).body()
            for lang in LANGUAGES:
                page = page_of(record, runtime.policy, lang)
                html("decision.html", lang, page=page)
                for reader in READERS:
                    tell(record, runtime.policy, reader, lang)
    openapi.document()
    readiness(runtime)
    runtime.metrics.text()
