"""`dirigent privacy`: every verb on the files and the ledger of a small shop."""

from __future__ import annotations

import json
import re
import shutil
import stat

import pytest
from typer.testing import CliRunner

from arbitration.errors import InputError
from catalog.loading import EXAMPLE, load_catalog
from dirigent.privacy import app
from features.rights import barred
from serving.clock import Clock
from serving.ledger.history import load_history
from serving.ledger.schema import contacts
from serving.ledger.verify import verify
from serving.opening import open_ledger
from serving.settings import Settings
from tests.contracts.conftest import decision, hold
from tests.small_shop import AS_OF, LEAVING, NAMES, traces
from tests.unit.serving.test_rights import template

__all__ = ["template"]


@pytest.fixture
def home(template, tmp_path, monkeypatch):
    """A private copy of the small shop whose ledger holds one decision and one reservation, named by the environment."""
    settings = Settings(home=shutil.copytree(template, tmp_path / "home"), as_of=AS_OF)
    monkeypatch.setenv("DIRIGENT_HOME", str(settings.home))
    monkeypatch.setenv("DIRIGENT_AS_OF", AS_OF.isoformat())
    ledger = open_ledger(settings, Clock(AS_OF))
    load_history(ledger, settings.paths, AS_OF, load_catalog(EXAMPLE))
    with ledger.writing(LEAVING) as tx:
        tx.add_decision(decision(customer=LEAVING))
        hold(tx)
    ledger.close()
    return settings.paths


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    if isinstance(done.exception, InputError):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_an_export_is_a_new_file_for_its_owner_alone(home, tmp_path):
    path = tmp_path / "export.json"
    run("export", LEAVING, "-o", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = json.loads(path.read_text())
    assert len(told["tables"]["events"]) == 20
    assert told["ledger"]["decisions"][0]["decision_id"] == "d-1"
    with pytest.raises(InputError, match="exists already"):
        run("export", LEAVING, "-o", str(path))


def test_an_erasure_leaves_no_trace(home):
    assert LEAVING.encode() in home.ledger.read_bytes()
    run("erase", LEAVING, "--reason", "unlawful")
    assert traces(home, LEAVING, f"card-of-{LEAVING}") == []
    assert traces(home, NAMES[0])
    assert barred(home) == frozenset()
    assert "0 erased" in run("erase")
    with pytest.raises(InputError, match="must be one of"):
        run("erase", LEAVING, "--reason", "because")


def test_an_objection_bars_and_its_end_lets_in_again(home):
    run("object", LEAVING)
    assert barred(home) == {LEAVING}
    run("object", LEAVING, "--lift")
    assert barred(home) == frozenset()


def test_names_come_on_the_list_once(home):
    assert "2 of 2" in run("suppress", "stranger-1", "pos_card:stolen")
    assert "0 of 1" in run("suppress", "stranger-1")
    assert traces(home, "stranger-1") == []


def test_a_name_that_can_be_no_pseudonym_is_refused_and_nothing_is_kept(home):
    for name in ("anna@example.com", "+49 170 1234567", "Card Of:1", ""):
        with pytest.raises(InputError, match="alias_type:alias"):
            run("suppress", "stranger-1", name)
    assert "1 of 1" in run("suppress", "stranger-1")


def test_an_id_of_which_nothing_is_known_is_called_so_and_erased_only_when_asked_for(home, tmp_path):
    unknown = "nothing was known of this id"
    assert unknown in run("export", "nobody", "-o", str(tmp_path / "nobody.json"))
    assert unknown not in run("export", NAMES[0], "-o", str(tmp_path / "known.json"))
    with pytest.raises(InputError, match=unknown):
        run("erase", "nobody")
    told = run("erase", "nobody", "--even-unknown")
    assert re.search(r"forgotten \(x-\w+", told)
    assert unknown in run("object", "stranger")
    assert unknown not in run("object", LEAVING)


def test_retention_counts_first_and_then_does_it(home):
    for words in (("retain", "--dry-run"), ("retain",)):
        told = run(*words)
        for label in ("decisions", "evidence no consent needs", "erased ids asked again"):
            assert label in told
    assert re.search(r"barred, but did not object +0", told)


def test_retention_empties_the_references_that_an_earlier_program_left_to_the_erased(home):
    run("erase", LEAVING)
    ledger = open_ledger(Settings(home=home.root), Clock(AS_OF))
    with ledger.writing() as tx:
        tx.change(contacts, contacts.c.subject.is_not(None), {"evidence_id": "opt-in-7"})
    for words, count in ((("--dry-run",), 1), ((), 1), ((), 0)):
        assert re.search(rf"references to the erased +{count}\n", run("retain", *words))
    assert verify(ledger.address).holds
    ledger.close()


def test_a_contact_that_nothing_proves_ends_with_code_1(home):
    told = run("evidence-gaps", "--json", code=1)
    assert json.loads(told.splitlines()[0])["missing"] == "the contact names no evidence"
    run("erase", LEAVING)
    assert "0 contacts: every one was allowed at its time" in run("evidence-gaps")
