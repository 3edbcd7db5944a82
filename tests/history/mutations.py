"""Ways to break a random legal history so that one invariant surely does not hold any more.

Each takes the rows of the dump, the histories and dice, changes them in place and says whether it found something to break.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

Row = dict[str, Any]
Histories = list[list[Row]]
Mutation = Callable[[list[Row], Histories, random.Random], bool]
MUTATIONS: dict[str, tuple[str, Mutation]] = {}


def breaks(invariant: str) -> Callable[[Mutation], Mutation]:
    """Name the invariant that a mutation breaks."""

    def named(mutation: Mutation) -> Mutation:
        MUTATIONS[mutation.__name__] = (invariant, mutation)
        return mutation

    return named


def rows(dump: list[Row], table: str, **named: Any) -> list[Row]:
    """The rows of a table with these values."""
    return [row for row in dump if row["table"] == table and named.items() <= row.items()]


def calls(histories: Histories, *kinds: str) -> Iterator[tuple[Row, Row]]:
    """Answered calls: (ask, answer)."""
    for history in histories:
        asks = {line["call"]: line for line in history if line["phase"] == "ask"}
        for line in history:
            if line["phase"] == "answer" and line["kind"] in kinds:
                yield asks[line["call"]], line


def done(histories: Histories, *kinds: str) -> list[tuple[Row, Row]]:
    """Calls that were answered 2xx."""
    return [(ask, answer) for ask, answer in calls(histories, *kinds) if answer["status"] < 300]


def reserved(histories: Histories) -> list[tuple[Row, Row]]:
    """Decisions that reserved a marketing contact."""
    return [it for it in done(histories, "decide") if it[1].get("purpose") == "marketing"]


def one_of(found: list[Any], dice: random.Random) -> Any:
    """One of what was found, None if there is nothing."""
    return dice.choice(found) if found else None


def drop(dump: list[Row], found: list[Row]) -> bool:
    """Lose these rows; whether there were any."""
    dump[:] = [row for row in dump if not any(row is lost for lost in found)]
    return bool(found)


def alter(row: Row | None, **changed: Any) -> bool:
    """Change a row; whether there was one."""
    if row is not None:
        row.update(changed)
    return row is not None


def erased(histories: Histories) -> set[str]:
    """Customers whose erasure was asked for."""
    return {
        line["customer"]
        for history in histories
        for line in history
        if line["phase"] == "ask" and line["kind"] == "erase"
    }


@breaks("I1")
def a_reservation_is_doubled_while_it_lives(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    live = [
        row for row in rows(dump, "contacts", purpose="marketing")
        if min(row.get("settled_at", row["lease_until"]), row["lease_until"]) > row["reserved_at"] + 1
    ]  # fmt: skip
    row = one_of(live, dice)
    if row:
        dump.append(row | {"reservation_id": "double", "reserved_at": row["reserved_at"] + 1})
    return bool(row)


@breaks("I2")
def a_confirmed_contact_is_doubled(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    found = [it for it in rows(dump, "contacts", purpose="marketing", state="confirmed") if it["channel"] != "in_app"]
    row = one_of(found, dice)
    if row:
        dump.append(row | {"reservation_id": "double", "decision_id": "double"})
    return bool(row)


@breaks("I2")
def two_contacts_move_to_one_moment(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    found = [it for it in rows(dump, "contacts", purpose="marketing", state="confirmed") if it["channel"] != "in_app"]
    pairs = [(a, b) for a in found for b in found if a["subject"] == b["subject"] and a["epoch"] < b["epoch"]]
    pair = one_of(pairs, dice)
    return bool(pair) and alter(pair[1], send_at=pair[0]["send_at"])


@breaks("I3")
def a_withdrawal_was_answered_before_the_decision(_: list[Row], histories: Histories, dice: random.Random) -> bool:
    grants = [line for history in histories for line in history if line["kind"] == "grant" and line["phase"] == "ask"]
    free = [
        (ask, answer)
        for ask, answer in reserved(histories)
        if not any(line["customer"] == ask["customer"] and line["channel"] == answer["channel"] for line in grants)
    ]
    found = one_of(free, dice)
    if found is None:
        return False
    ask, answer = found
    asks = (line for history in histories for line in history if line.get("request_id") == ask["request_id"])
    at = min(line["at"] for line in asks)
    wish = {"client": "pw", "call": 1, "kind": "withdraw", "customer": ask["customer"], "channel": answer["channel"]}
    wish["purpose"] = "marketing"
    histories.append([wish | {"phase": "ask", "at": at - 2}, wish | {"phase": "answer", "at": at - 1, "status": 200}])
    return True


@breaks("I3")
def a_withdrawal_stands_before_the_reservation(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    row = one_of(rows(dump, "contacts", purpose="marketing"), dice)
    if row:
        consent = {"table": "consents", "subject": row["subject"], "channel": row["channel"], "purpose": "marketing"}
        dump.append(consent | {"state": "withdrawn", "order": row["reserved_order"] - 1, "valid_from": 1 << 60})
    return bool(row) and row["reserved_order"] > 1


@breaks("I3")
def an_objection_stands_before_the_confirmation(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    row = one_of(rows(dump, "contacts", purpose="marketing", state="confirmed"), dice)
    if row:
        right = {"table": "rights", "kind": "objection", "subject": row["subject"]}
        dump.append(right | {"order": row["settled_order"] - 1})
    return bool(row)


@breaks("I4")
def a_repeated_answer_differs(_: list[Row], histories: Histories, dice: random.Random) -> bool:
    gone = erased(histories)
    answered = [(ask, answer) for ask, answer in done(histories, "decide") if ask["customer"] not in gone]
    often = Counter(ask["request_id"] for ask, _ in answered)
    found = one_of([answer for ask, answer in answered if often[ask["request_id"]] > 1], dice)
    return alter(found, sha="other")


@breaks("I4")
def an_answer_says_in_flight_when_nothing_is(_: list[Row], histories: Histories, dice: random.Random) -> bool:
    gone = erased(histories)
    often = Counter(line.get("request_id") for history in histories for line in history)
    found = [
        it for it in done(histories, "decide") if often[it[0]["request_id"]] == 1 and it[0]["customer"] not in gone
    ]
    pair = one_of(found, dice)
    return alter(pair and pair[1], status=409, retry_after=1)


@breaks("I5")
def an_outcome_stands_twice(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    row = one_of(rows(dump, "outcomes"), dice)
    dump += [row | {"step": 2}] if row else []
    return bool(row)


@breaks("I5")
def an_outcome_is_matched_wrongly(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    row = one_of(rows(dump, "outcomes"), dice)
    return alter(row, matched=not (row and row["matched"]))


@breaks("I5")
def an_outcome_is_counted_once_more(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    row = one_of(rows(dump, "contacts"), dice)
    return alter(row, outcomes=row["outcomes"] + 1 if row else 0)


@breaks("I6")
def an_answered_decision_is_lost(dump: list[Row], histories: Histories, dice: random.Random) -> bool:
    pair = one_of(done(histories, "decide"), dice)
    return bool(pair) and drop(dump, rows(dump, "decisions", decision_id=pair[1]["decision_id"]))


@breaks("I6")
def an_answered_reservation_is_lost(dump: list[Row], histories: Histories, dice: random.Random) -> bool:
    pair = one_of(reserved(histories), dice)
    return bool(pair) and drop(dump, rows(dump, "contacts", reservation_id=pair[1]["reservation_id"]))


@breaks("I6")
def an_answered_settling_is_undone(dump: list[Row], histories: Histories, dice: random.Random) -> bool:
    pair = one_of(done(histories, "confirm", "release"), dice)
    found = rows(dump, "contacts", reservation_id=pair[0]["reservation_id"]) if pair else []
    return bool(found) and alter(found[0], state="reserved")


@breaks("I6")
def an_answered_wish_is_lost(dump: list[Row], histories: Histories, dice: random.Random) -> bool:
    gone = erased(histories)
    pair = one_of([it for it in done(histories, "withdraw", "pause") if it[0]["customer"] not in gone], dice)
    if pair is None:
        return False
    ask, who = pair[0], {"customer": pair[0]["customer"]}
    if ask["kind"] == "pause":
        return drop(dump, rows(dump, "rights", kind="pause", until=ask["until"], **who))
    return drop(dump, rows(dump, "consents", state="withdrawn", channel=ask["channel"], **who))


@breaks("I7")
def the_ledger_holds_another_answer(dump: list[Row], histories: Histories, dice: random.Random) -> bool:
    pair = one_of(done(histories, "decide"), dice)
    found = rows(dump, "decisions", decision_id=pair[1]["decision_id"]) if pair else []
    name = dice.choice(("answer_sha256", "body_digest", "status"))
    return bool(found) and alter(found[0], **{name: 201 if name == "status" else "other"})


@breaks("I7")
def the_ledger_holds_another_reservation(dump: list[Row], histories: Histories, dice: random.Random) -> bool:
    pair = one_of(reserved(histories), dice)
    found = rows(dump, "contacts", reservation_id=pair[1]["reservation_id"]) if pair else []
    name = dice.choice(("epoch", "send_at", "lease_until", "step"))
    return bool(found) and alter(found[0], **{name: found[0][name] + 1})


@breaks("I7")
def a_decision_that_nobody_asked_for(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    row = one_of(rows(dump, "decisions"), dice)
    dump += [row | {"decision_id": "phantom", "request_id": "phantom"}] if row else []
    return bool(row)


@breaks("I8")
def a_confirmation_had_an_older_epoch(_: list[Row], histories: Histories, dice: random.Random) -> bool:
    pair = one_of(done(histories, "confirm"), dice)
    return bool(pair) and alter(pair[0], epoch=pair[0]["epoch"] - 1)


@breaks("I8")
def an_expired_reservation_is_confirmed(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    row = one_of(rows(dump, "contacts", state="expired"), dice)
    return alter(row, state="confirmed", settled_at=row["lease_until"] + 1 if row else 0)


@breaks("I8")
def an_epoch_is_handed_out_twice(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    row = one_of([it for it in rows(dump, "contacts") if it["epoch"] > 1], dice)
    return alter(row, epoch=row["epoch"] - 1 if row else 0)


@breaks("I8")
def a_confirmation_came_behind_a_newer_epoch(dump: list[Row], _: Histories, dice: random.Random) -> bool:
    found = rows(dump, "contacts", purpose="marketing")
    older = [
        (old, new) for old in found for new in found
        if (old["subject"], old["timing"]) == (new["subject"], new["timing"]) and old["epoch"] < new["epoch"]
    ]  # fmt: skip
    pair = one_of(older, dice)
    return bool(pair) and alter(
        pair[0], state="confirmed", settled_at=pair[0]["lease_until"], settled_order=pair[1]["reserved_order"] + 1
    )
