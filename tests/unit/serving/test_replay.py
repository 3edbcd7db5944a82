"""Replaying recorded decisions: the same bytes, a named difference, or the reason why not."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbitration.codec import canonical_json, canonical_text, encode
from arbitration.errors import InputError
from catalog.loading import version_of
from serving.answers import answer_of
from serving.compact import plain
from serving.ledger.archive import Archive
from serving.ledger.packing import packed
from serving.ledger.place import Address
from serving.records import VERSION, Record
from serving.replay import BYTES, SUMMARY, Replayer, first_difference
from serving.replay_many import check_many, compare_many
from tests.unit.arbitration.situations import LAWS, POLICY
from tests.unit.serving.recorded import (
    QUIETER,
    RICHER,
    SITUATIONS,
    alter,
    execute,
    keep,
    record_of,
    sealed,
    spoken_to,
    tampered,
)


@pytest.fixture
def records():
    return spoken_to()


def replayed(address: Address):
    with Archive(address) as archive:
        return Replayer(archive).replayed(archive.numbers())


@LAWS
@given(st.lists(SITUATIONS, min_size=1, max_size=3))
def test_whatever_was_decided_is_decided_again_to_the_byte_and_summed_up_alike(found):
    with TemporaryDirectory() as folder:
        path = keep(
            Path(folder) / "ledger.db", [record_of(number, situation) for number, situation in enumerate(found)]
        )
        assert all(one.identical for one in replayed(path))


@LAWS
@given(SITUATIONS)
def test_a_record_survives_its_two_parts(situation):
    record = record_of(0, situation)
    assert Record.from_parts(*record.to_parts()) == record
    assert b"rejections" not in record.to_parts()[0], "the inputs are read without the decision"
    told = plain(record.to_parts()[0])
    assert encode((told["context"], told["estimates"])) == encode((record.context, record.estimates))


@LAWS
@given(SITUATIONS)
def test_inputs_that_were_kept_as_json_are_read_alike(situation):
    record = record_of(0, situation)
    inputs, decision = record.to_parts()
    assert Record.from_parts(canonical_text(encode(plain(inputs))), decision) == record


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_survive(number, records):
    estimates = replace(records[0].estimates, churn_risk=replace(records[0].estimates.churn_risk, mean=number))
    context = replace(records[0].context, features={**records[0].context.features, "recency_days": number})
    record = replace(records[0], estimates=estimates, context=context)
    again = Record.from_parts(*record.to_parts())
    assert repr((again.estimates, again.context)) == repr((estimates, context))


def test_each_record_is_decided_with_its_own_policy(tmp_path, records):
    given = (records[0].now, records[0].context, records[0].estimates, 0.2)
    mixed = [records[0], record_of(7, given, QUIETER), record_of(8, given, RICHER)]
    path = keep(tmp_path / "ledger.db", mixed, (POLICY, QUIETER, RICHER))
    assert [one.identical for one in replayed(path)] == [True] * 3
    assert len({canonical_json(one.decision.ranked) for one in mixed}) == 3, "two of the policies decide alike"


def test_a_tampered_decision_is_found_and_its_place_named(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    alter(
        path,
        decision=tampered(path, records[0], "decision", lambda plain: plain["ranked"][1]["value"].update(net=99.0)),
    )
    first, *others = replayed(path)
    assert (first.decision_id, first.first_difference) == ("d-0", "ranked[1].value.net")
    assert all(one.identical for one in others)


def test_a_tampered_input_leads_to_another_decision(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    alter(path, inputs=tampered(path, records[0], "inputs", lambda plain: plain["context"].update(consents=[])))
    assert replayed(path)[0].first_difference is not None


@pytest.mark.parametrize(
    ("column", "value", "place"),
    [
        ("client", "another", "(column client)"),
        ("mode", "shadow", "(column mode)"),
        ("decided_at", 1, "(column decided_at)"),
        ("answer", b"{}", "(answer) action"),
        ("answer", b"no json", "(answer) (bytes)"),
    ],
)
def test_what_is_told_beside_the_record_is_checked_too(tmp_path, records, column, value, place):
    path = keep(tmp_path / "ledger.db", records)
    alter(path, **{column: sealed(path, column, packed(value)) if column == "answer" else value})
    first, *others = replayed(path)
    assert first.first_difference == place
    assert all(one.identical for one in others)


def test_a_decision_that_was_given_to_another_customer_is_found(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    execute(path, "UPDATE subjects SET customer_id = 'somebody' WHERE customer_id = 'c-0'")
    first, *others = replayed(path)
    assert first.first_difference == "(column customer_id)"
    assert all(one.identical for one in others)


def test_another_treatment_in_the_answer_is_found(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    answer = json.loads(answer_of(records[0], POLICY).body())
    answer["action"]["treatment"] = "win_back/email/other"
    alter(path, answer=sealed(path, "answer", packed(json.dumps(answer).encode())))
    assert replayed(path)[0].first_difference == "(answer) action.treatment"


def test_a_model_named_in_the_answer_alone_is_found(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    alter(path, inputs=tampered(path, records[0], "inputs", lambda plain: plain.update(bundle="another")))
    assert replayed(path)[0].first_difference == "(answer) versions.bundle"


def test_a_tampered_summary_is_found(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    alter(path, net=99.0)
    assert replayed(path)[0].first_difference == SUMMARY


@pytest.mark.parametrize("column", ["inputs", "decision"])
@pytest.mark.parametrize("stored", [b"no zip", b"", b"\x00" * 12, b"\x00" * 28, "sealed"])
def test_damaged_bytes_are_a_reason_and_no_crash(tmp_path, records, column, stored):
    path = keep(tmp_path / "ledger.db", records)
    alter(path, **{column: stored if stored != "sealed" else sealed(path, column, b"no zip")})
    first = replayed(path)[0]
    assert first.failure is not None
    assert "damaged" in first.failure
    assert not first.excused


def test_a_record_with_an_unknown_policy_is_reported(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    alter(path, policy_version="v-gone")
    first = replayed(path)[0]
    assert first.failure == "its policy v-gone is not in the ledger"
    assert not first.excused


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{}", "was altered"),
        (b"no json", "cannot be read by this program"),
        ("text", "cannot be read by this program"),
        (5, "cannot be read by this program"),
        (b"\xff\xfe", "cannot be read by this program"),
        (b"[]", "cannot be read by this program"),
        (b'{"version": "v-gone", "channels": 5}', "was altered"),
        (canonical_json(replace(POLICY, resources={})), "was altered"),
    ],
)
def test_a_policy_that_cannot_be_read_or_was_altered_is_reported(tmp_path, records, body, said):
    path = keep(tmp_path / "ledger.db", records)
    execute(path, "UPDATE policies SET body = ?", body)
    (failure,) = {one.failure for one in replayed(path)}
    assert f"its policy {POLICY.version} {said}" in str(failure)


def test_a_policy_of_its_own_digest_that_is_none_of_this_program_cannot_be_read(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    version = version_of({"version": "", "channels": 5})
    execute(path, "INSERT INTO policies VALUES (?, ?)", version, canonical_json({"version": version, "channels": 5}))
    alter(path, policy_version=version)
    assert replayed(path)[0].failure == f"its policy {version} cannot be read by this program"


def test_a_record_of_an_earlier_version_is_counted_apart(tmp_path, records):
    path = keep(tmp_path / "ledger.db", records)
    alter(path, inputs=tampered(path, records[0], "inputs", lambda plain: plain.update(version=VERSION - 1)))
    done = check_many(path, [1, 2, 3], lambda _: None)
    assert (done.identical, done.differing, done.failed) == (2, (), ())
    assert [one.decision_id for one in done.excused] == ["d-0"]
    assert f"version {VERSION - 1} of the record" in str(done.excused[0].failure)
    left_out = compare_many(path, [1, 2, 3], RICHER, lambda _: None)
    assert (left_out.radius.records, list(left_out.reasons.values()), left_out.damaged) == (2, [1], ())


@pytest.mark.parametrize(
    ("recorded", "fresh", "path"),
    [
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "a.b[1]"),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, "a"),
        ({"a": [1]}, {"a": [1, 2]}, "a[1]"),
        ({"a": 1}, {}, "a"),
        ({}, {"a": {"b": None}}, "a"),
        ({"a": 5}, {"a": 5.0}, "a"),
        ({"a": True}, {"a": 1}, "a"),
        ({"a": None}, {"a": {}}, "a"),
    ],
)
def test_the_first_difference_is_a_json_path(recorded, fresh, path):
    assert first_difference(json.dumps(recorded).encode(), json.dumps(fresh).encode()) == path


def test_other_bytes_with_the_same_values_differ_too():
    assert first_difference(b'{"a": 1}', b'{"a":1}') == BYTES
    assert first_difference(b"no json", b'{"a":1}') == BYTES


def test_an_unknown_id_is_said_so(tmp_path, records):
    with Archive(keep(tmp_path / "ledger.db", records)) as archive:
        assert archive.numbers_of(["d-2", "d-0"]) == [3, 1]
        with pytest.raises(InputError, match="d-9"):
            archive.numbers_of(["d-9"])


def test_decisions_are_chosen_by_their_moment(tmp_path, records):
    later = record_of(9, (records[0].now + timedelta(hours=1), records[0].context, records[0].estimates, 0.2))
    with Archive(keep(tmp_path / "ledger.db", [*records, later])) as archive:
        assert archive.numbers(since=later.now) == [4]
        assert archive.numbers(until=later.now) == [1, 2, 3]
