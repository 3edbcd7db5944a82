"""What callers were answered, so that a repeated call gets the same bytes again and has its effect once.

Callers choose names, and may make them of a customer's id. Names therefore stand in tables, audit and evidence as keyed hashes,
which outlive an erasure and tell nobody anything.
"""

from __future__ import annotations

from serving.ledger.bookkeeping import requests
from serving.ledger.keyring import Keyring
from serving.ledger.reading import Reading
from serving.ledger.rows import Answer
from serving.ledger.transaction import Transaction


def hidden(keyring: Keyring, *names: str) -> str:
    """What stands for names that callers chose, in the ledger: 128 bits, always the same for the same names in this order.

    The line break keeps it apart from the suppression list, whose names hold none.
    """
    return keyring.suppressed_hash("named\n" + "\n".join(names))[:32]


def veiled(keyring: Keyring, kind: str, name: str) -> str:
    """What stands for one name that a caller chose where the name itself would stand: no identifier begins like this."""
    return "!" + hidden(keyring, kind, name)


def earlier(reading: Reading, client: str, endpoint: str, request_id: str) -> Answer | None:
    """What was answered when this call came first; the caller compares the digest of its body."""
    table = requests.c
    mine = (
        (table.client == client)
        & (table.endpoint == endpoint)
        & (table.request_id == _hidden(reading, client, endpoint, request_id))
    )
    row = reading.first(requests.select().where(mine))
    return Answer(row.body_digest, row.status, bytes(row.answer)) if row else None


def remember(
    tx: Transaction, client: str, endpoint: str, request_id: str, answer: Answer, *, of_customer: bool = True
) -> None:
    """Keep an answer for as long as `serving.ledger.retention` says; it must hold no customer id, and the call must be new.

    `of_customer`: it goes when the customer of this transaction is erased.
    """
    tx.put(requests, {
        "client": client, "endpoint": endpoint, "request_id": _hidden(tx, client, endpoint, request_id), "body_digest": answer.body_digest,
        "subject": tx.subject.id if tx.subject and of_customer else None, "status": answer.status, "answer": answer.body,
        "answered_at": tx.at,
    })  # fmt: skip


def _hidden(reading: Reading, client: str, endpoint: str, request_id: str) -> str:
    return hidden(reading.keyring, client, endpoint, request_id)
