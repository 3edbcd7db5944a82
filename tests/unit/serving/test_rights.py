"""What is answered to consents, objections, pauses, erasures and access, over a real ledger and the files of a small shop."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from catalog.loading import EXAMPLE, load_catalog
from features.home import Home
from features.rights import barred
from features.store import FeatureStore
from serving import consents as consent_calls
from serving import rights as calls
from serving.auth import Client
from serving.clock import Clock
from serving.forgetting import finish_erasures, flush, keep_to, reconcile
from serving.in_flight import InFlight
from serving.ledger import rights as ledger_rights
from serving.ledger.contacts import sent
from serving.ledger.history import load_history
from serving.ledger.schema import METADATA, shop_consents, to_micros
from serving.opening import open_ledger
from serving.problems import Problem
from serving.settings import Settings
from tests.contracts.conftest import decision, hold
from tests.small_shop import AS_OF, LEAVING, NAMES, load, text_of, traces, write_shop

POLICY = load_catalog(EXAMPLE)
TEXT = hashlib.sha256(b"I agree").hexdigest()
PROOF = {"text_id": "newsletter", "text_sha256": TEXT, "source": "web_shop", "requested_at": "2020-05-01T10:00:00Z"}
WHOLE = PROOF | {"confirmed_at": "2020-05-01T11:00:00Z", "reference": "form-7"}
CONDITIONS = dict.fromkeys(("obtained_with_sale", "own_similar_goods", "informed_each_time", "not_objected"), True)


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """The invented shop, taken in and loaded. Do not write to it."""
    base = tmp_path_factory.mktemp("small")
    load(Home(base / "home"), write_shop(base / "shop"))
    return base / "home"


@pytest.fixture
def runtime(template, tmp_path):
    """The parts of a service that these calls need, over a private copy of the small shop."""
    settings = Settings(home=shutil.copytree(template, tmp_path / "home"))
    clock = Clock(AS_OF)
    ledger = open_ledger(settings, clock)
    load_history(ledger, settings.paths, clock.now(), POLICY)
    yield SimpleNamespace(
        settings=settings, ledger=ledger, policy=POLICY, clock=clock, in_flight=InFlight(), salt=b"salt",
        features=FeatureStore(settings.paths),
    )  # fmt: skip
    ledger.close()


def said(**more) -> bytes:
    return json.dumps({"id": "1", "source": "crm", "customer": {"id": LEAVING}} | more).encode()


def told(reply) -> dict:
    return json.loads(reply[1])


def standing(runtime, customer: str = LEAVING):
    with runtime.ledger.reading() as reading:
        now = reading.now()
        return reading.standing(customer, now, now, runtime.settings.brand)


def states(runtime, channel: str = "email") -> list[str]:
    return [one.state for one in standing(runtime).consents if one.channel == channel]


def granted(**more) -> bytes:
    given = {"channel": "email", "state": "granted", "legal_basis": "consent", "evidence": WHOLE}
    return said(**given | more)


def test_a_consent_is_kept_once_and_answered_with_the_same_bytes(runtime):
    first = consent_calls.receive_consent(runtime, granted())
    assert first == consent_calls.receive_consent(runtime, granted())
    assert first[0] == 200
    assert told(first)["consents"][0]["valid_from"] == "2020-05-01T11:00:00.000Z"
    assert states(runtime) == ["granted", "granted"]  # the shop's own, and this one
    with pytest.raises(Problem) as found:
        consent_calls.receive_consent(runtime, granted(purpose="service"))
    assert (found.value.status, found.value.code) == (422, "id-reused")


def test_a_double_opt_in_is_confirmed_by_a_second_call(runtime):
    name = told(consent_calls.receive_consent(runtime, granted(evidence=PROOF)))["consents"][0]
    assert name["missing"] == "confirmation"
    again = {"id": "2", "state": "granted", "confirms": name["consent_id"], "confirmed_at": "2020-05-02T09:00:00Z"}
    done = told(consent_calls.receive_consent(runtime, said(**again)))["consents"][0]
    assert "missing" not in done
    assert done["valid_from"] == "2020-05-02T09:00:00.000Z"
    with pytest.raises(Problem):
        consent_calls.receive_consent(runtime, said(**again | {"id": "3", "confirms": "c-unknown"}))
    consent_calls.receive_consent(runtime, said(id="4", channel="email", state="withdrawn"))
    with pytest.raises(Problem):
        consent_calls.receive_consent(runtime, said(**again | {"id": "5", "confirmed_at": "2020-06-02T09:00:00Z"}))
    assert states(runtime)[-1] == "withdrawn"


def test_a_withdrawal_without_a_channel_is_for_every_channel(runtime):
    answer = told(consent_calls.receive_consent(runtime, said(state="withdrawn")))
    assert {one["channel"] for one in answer["consents"]} >= {*POLICY.channels, "email", "push"}
    newest = {one.channel: one.state for one in standing(runtime).consents}
    assert set(newest.values()) == {"withdrawn"}


def test_a_withdrawal_without_a_channel_closes_what_is_imported_later_with_an_older_date(runtime):
    consent_calls.receive_consent(runtime, said(state="withdrawn"))
    since = to_micros(AS_OF - timedelta(days=9))
    row = {"customer_id": LEAVING, "purpose": "marketing", "state": "granted", "legal_basis": "consent"}
    with runtime.ledger.writing() as tx:
        for channel in POLICY.channels:
            tx.connection.execute(
                shop_consents.insert().values(**row, channel=channel, evidence_id="e", valid_from=since)
            )
    newest = {one.channel: one.state for one in standing(runtime).consents}
    assert {newest[channel] for channel in POLICY.channels} == {"withdrawn"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"evidence": None},
        {"channel": None},
        {"legal_basis": None},
        {"evidence": {"text_id": "newsletter"}},
        {"evidence": WHOLE | {"confirmed_at": "2020-04-01T10:00:00Z"}},
        {"legal_basis": "none"},
        {"legal_basis": "contract"},
        {"legal_basis": "existing_customer_7_3"},
        {"legal_basis": "existing_customer_7_3", "evidence": PROOF | {"conditions": CONDITIONS | {"not_objected": False}}},
        {"legal_basis": "existing_customer_7_3", "channel": "push", "evidence": PROOF | {"conditions": CONDITIONS}},
        {"channel": "pigeon"},
        {"valid_to": "2020-01-01T00:00:00Z"},
        {"confirms": "c-1"},
        {"customer": {"id": "anna@example.org"}},
        {"reason": "text"},
    ],
)  # fmt: skip
def test_a_grant_that_proves_nothing_is_refused(runtime, wrong):
    body = {name: value for name, value in (json.loads(granted()) | wrong).items() if value is not None}
    with pytest.raises(Problem) as found:
        consent_calls.receive_consent(runtime, json.dumps(body).encode())
    assert found.value.status == 422
    assert states(runtime) == ["granted"]


def test_an_objection_holds_in_ledger_and_files_until_it_is_lifted(runtime):
    with runtime.ledger.writing(LEAVING) as tx:
        hold(tx)
    first = calls.receive_objection(runtime, said(state="objected"))
    assert first == calls.receive_objection(runtime, said(state="objected"))
    assert told(first)["released"] == 1
    assert standing(runtime).objected
    assert barred(runtime.settings.paths) == {LEAVING}
    assert not runtime.features.online(LEAVING, ["push"]).known
    calls.receive_objection(runtime, said(id="2", state="lifted"))
    assert not standing(runtime).objected
    assert barred(runtime.settings.paths) == frozenset()


def test_after_a_crash_between_ledger_and_files_the_files_follow_the_ledger(runtime):
    home, bars = runtime.settings.paths, runtime.settings.paths.rights / "barred.json"
    calls.receive_objection(runtime, said(state="objected"))
    bars.unlink()
    runtime.ledger.write(NAMES[0], lambda tx: ledger_rights.erase(tx, "x-1", NAMES[0], "unlawful"))
    assert reconcile(runtime.ledger, home) == 2
    assert (barred(home, "objection"), barred(home, "erasure")) == ({LEAVING}, {NAMES[0]})
    runtime.ledger.write(LEAVING, ledger_rights.objection_lifted)
    assert reconcile(runtime.ledger, home) == 1
    assert reconcile(runtime.ledger, home) == 0
    assert barred(home) == {NAMES[0]}


def test_a_pause_is_kept_with_its_end(runtime):
    answer = told(calls.receive_pause(runtime, said(until="2020-07-01T00:00:00Z", reason="bereavement")))
    assert answer["until"] == "2020-07-01T00:00:00.000Z"
    assert standing(runtime).paused_until is not None
    with pytest.raises(Problem):
        calls.receive_pause(runtime, said(id="2", until="2020-07-01T00:00:00Z", reason="bored"))


def done(runtime, erasure_id: str) -> dict:
    """The erasure once its files are done."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = json.loads(calls.erasure_of(runtime, erasure_id))
        if answer["state"] == "done":
            return answer
        time.sleep(0.05)
    raise AssertionError(answer)


def test_after_an_erasure_no_file_and_no_byte_of_the_ledger_says_the_id(runtime):
    home = runtime.settings.paths
    with runtime.ledger.writing(LEAVING) as tx:
        tx.add_decision(decision(customer=LEAVING))
        hold(tx)
        sent(tx, "d-1", 0, "outcome")
    consent_calls.receive_consent(runtime, granted())
    calls.receive_pause(runtime, said(id="p", until="2020-07-01T00:00:00Z", reason="dispute"))
    first = calls.receive_erasure(runtime, said(id="e", reason="consent_withdrawn"))
    assert first[0] == 202
    assert first == calls.receive_erasure(runtime, said(id="e", reason="consent_withdrawn"))
    answer = done(runtime, told(first)["erasure_id"])
    assert answer["done_at"] > answer["requested_at"]
    assert flush(runtime.ledger)
    until = time.monotonic() + 10
    while barred(home) and time.monotonic() < until:  # the thread's last step
        time.sleep(0.05)
    names = (LEAVING, f"card-of-{LEAVING}", f"proof-of-{LEAVING}", LEAVING.encode().hex())
    assert traces(home, *names) == []
    assert [path.name for path in home.root.iterdir() if path.name.startswith("ledger.db")]
    assert NAMES[0].encode() in text_of(home.ledger), "the search finds those who stayed"


def test_of_the_erased_nothing_is_kept_again(runtime):
    calls.receive_erasure(runtime, said(id="e", reason="unlawful"))
    finish_erasures(runtime.ledger, runtime.settings.paths)
    for customer in ({"id": LEAVING}, {"alias": {"type": "pos_card", "value": f"card-of-{LEAVING}"}}):
        no = told(
            consent_calls.receive_consent(runtime, said(id=str(customer)[2:4], customer=customer, state="withdrawn"))
        )
        assert no["kept"] is False
        again = consent_calls.receive_consent(
            runtime, said(id=str(customer)[2:4], customer=customer, state="withdrawn")
        )
        assert told(again) == no
        assert (
            told(calls.receive_objection(runtime, said(id=str(customer)[2:4], customer=customer, state="objected")))[
                "kept"
            ]
            is False
        )
        with pytest.raises(Problem) as found:
            consent_calls.receive_consent(runtime, granted(id="yes", customer=customer))
        assert (found.value.status, found.value.code) == (409, "suppressed")
    with runtime.ledger.reading() as reading:
        assert reading.subject_of(LEAVING) is None
    assert standing(runtime).suppressed
    with pytest.raises(Problem):
        calls.erasure_of(runtime, "x-unknown")


def test_who_was_erased_and_asked_about_again_is_forgotten_again_after_two_days(runtime):
    calls.receive_erasure(runtime, said(id="e", reason="unlawful"))
    finish_erasures(runtime.ledger, runtime.settings.paths)
    with runtime.ledger.writing(LEAVING) as tx:
        tx.add_decision(decision(customer=LEAVING))
    assert keep_to(runtime.ledger, runtime.settings.paths, dry_run=True)["came back"] == 0
    with runtime.ledger.writing() as tx:
        tx.connection.exec_driver_sql("UPDATE subjects SET last_at = 0")
    assert keep_to(runtime.ledger, runtime.settings.paths)["came back"] == 1
    with runtime.ledger.reading() as reading:
        assert reading.subject_of(LEAVING) is None


def test_an_export_tells_everything_of_one_customer_and_nothing_of_another(runtime):
    with runtime.ledger.writing(LEAVING) as tx:
        tx.add_decision(decision(customer=LEAVING))
        hold(tx)
    consent_calls.receive_consent(runtime, granted())
    calls.receive_objection(runtime, said(id="o", state="objected"))
    status, body = calls.export_for(
        runtime, Client("dpo", "privacy"), json.dumps({"customer": {"id": LEAVING}}).encode()
    )
    assert status == 200
    found = json.loads(body)
    assert {name: len(rows) for name, rows in found["tables"].items()} == {
        "customers": 1, "events": 20, "contacts": 20, "outcomes": 20, "consents": 2, "identities": 1,
    }  # fmt: skip
    ledger = found["ledger"]
    assert ledger["rights"]["objected_at"]
    assert ledger["evidence"][0]["reference"] == "form-7"
    assert ledger["decisions"][0]["answer"] == {"decision_id": "d"}
    assert ledger["decisions"][0]["inputs"] == {"inputs": 1}
    assert ledger["contacts"][0]["state"] == "released"
    assert ledger["aliases"][0]["alias"] == f"card-of-{LEAVING}"
    assert {len(ledger[name]) for name in ("profile", "consents")} == {1}
    assert found["features"]["stored"]["customer"]
    assert "sealing_key" not in body.decode()
    assert not any(name in body.decode() for name in NAMES if name != LEAVING)
    assert set(METADATA.tables) - {"imports"}, "the ledger has tables"
