"""Erasure in a shop's files: nothing of the erased is left, wherever it is interrupted, and no import brings them back."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arbitration.errors import FeatureStoreError
from features.home import Home
from features.rights import bar, barred, forget, unbar
from features.store import FeatureStore
from features.tables.contract import TABLES
from features.tables.importer import import_folder
from features.tables.store import Staging, open_tables
from tests.integration.killed import KILLED, ended, forget_until_killed, start_to_forget
from tests.small_shop import AS_OF, CHANNELS, LEAVING, NAMES, load, traces, write_shop

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The invented shop, taken in and loaded. Do not write to it."""
    base = tmp_path_factory.mktemp("small")
    load(Home(base / "home"), write_shop(base / "shop"))
    return base


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    return Home(shutil.copytree(template / "home", tmp_path / "home"))


def test_nothing_of_the_forgotten_is_left_below_the_home_and_all_of_the_others(home: Home) -> None:
    before = {name: open_tables(home).execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in TABLES}
    kept = {name: FeatureStore(home).online(name, CHANNELS) for name in NAMES}
    (home.root / "staging-killed").mkdir()
    (home.root / "staging-killed" / "customers.csv").write_text(LEAVING)
    (home.features / "customer.parquet.new").write_bytes(LEAVING.encode())
    bar(home, LEAVING, "objection")
    assert traces(home, LEAVING)
    done = forget(home, [LEAVING])
    assert done.tables == {"identities": 1, "consents": 2, "outcomes": 20, "contacts": 20, "events": 20, "customers": 1}
    assert all(done.snapshots.values())
    assert done.online == 4 + len(CHANNELS)
    assert done.leftovers == 2
    assert barred(home) == barred(home, "erasure") == {LEAVING}
    unbar(home, LEAVING, "erasure")  # as the caller does when the ledger is done, too
    assert traces(home, LEAVING) == []
    after = {name: open_tables(home).execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in TABLES}
    assert after == {name: [row for row in rows if LEAVING not in str(row)] for name, rows in before.items()}
    for name in set(NAMES) - {LEAVING}:
        assert FeatureStore(home).online(name, CHANNELS) == kept[name]
    assert not FeatureStore(home).online(LEAVING, CHANNELS).known


def test_forgetting_again_changes_no_file(home: Home) -> None:
    forget(home, [LEAVING])
    before = {
        path: path.stat().st_mtime_ns for path in home.root.rglob("*") if path.suffix != ".lock" and path.is_file()
    }
    done = forget(home, [LEAVING, "nobody-of-this-shop"])
    unbar(home, "nobody-of-this-shop", "erasure")
    changed = {p.name for p, at in before.items() if p.stat().st_mtime_ns != at}
    assert changed == {"barred.json", "suppressed"}
    assert (sum(done.tables.values()), sum(done.snapshots.values()), done.online) == (0, 0, 0)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_every_file_it_leaves_a_usable_home_and_finishes_when_run_again(home: Home, moment: str) -> None:
    others = len(NAMES) - 1
    for number in range(1, 20):
        at = number if moment == "before" else 1  # killed after its first file, each run still gets one further
        code = forget_until_killed(home, LEAVING, at, moment)
        with open_tables(home) as tables:  # usable: all of the others, and nothing of who leaves
            found = tables.execute("SELECT count(*), count(DISTINCT customer_id) FROM events").fetchall()
            assert found == [(20 * others, others)]
            assert tables.execute("SELECT count(*) FROM outcomes").fetchall() == [(20 * others,)]
        if code == 0:
            break
        assert code == KILLED
        assert barred(home, "erasure") == {LEAVING}
    assert code == 0
    assert number > 3
    unbar(home, LEAVING, "erasure")
    assert traces(home, LEAVING) == []


def test_tables_lost_between_two_renames_are_put_back_before_anything_is_written(home: Home) -> None:
    home.tables.rename(home.root / "staging-abc-old")  # what an import killed at the worst moment leaves
    (home.root / "staging-abc").mkdir()
    forget(home, [LEAVING])
    unbar(home, LEAVING, "erasure")
    assert traces(home, LEAVING) == []
    assert open_tables(home).execute("SELECT count(*) FROM customers").fetchall() == [(len(NAMES) - 1,)]
    assert not list(home.root.glob("staging-*"))


def test_the_erased_stay_erased_when_the_shop_sends_them_again(home: Home, template: Path) -> None:
    forget(home, [LEAVING])
    unbar(home, LEAVING, "erasure")
    imported = load(home, template / "shop")
    assert (imported.customers_left_out, imported.rows_left_out) == (1, 1 + 20 + 20 + 20 + 2 + 1)
    assert imported.counts["customers"] == len(NAMES) - 1
    assert traces(home, LEAVING) == []
    assert {row[0] for row in open_tables(home).execute("SELECT customer_id FROM customers").fetchall()} == set(
        NAMES
    ) - {LEAVING}


def test_the_erased_are_recognized_under_another_id_by_their_card(home: Home, tmp_path: Path) -> None:
    forget(home, [LEAVING])
    unbar(home, LEAVING, "erasure")
    shop = write_shop(tmp_path / "again")
    for path in shop.iterdir():
        path.write_text(path.read_text().replace(LEAVING, "new-name").replace("card-of-new-name", f"card-of-{LEAVING}"))
    imported = import_folder(shop, home)
    assert imported.customers_left_out == 1
    assert traces(home, "new-name", LEAVING) == []


def test_the_command_says_how_many_stayed_out(home: Home, template: Path) -> None:
    forget(home, [LEAVING])
    command = [str(Path(sys.executable).with_name("dirigent")), "import", str(template / "shop")]
    done = subprocess.run(
        command,
        env={"DIRIGENT_HOME": str(home.root), "PATH": "/usr/bin"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "1 erased customer was in these files and stayed out, with 64 rows" in done.stdout
    assert LEAVING not in done.stdout + done.stderr


def test_a_writer_waits_until_forgetting_is_done(home: Home) -> None:
    with Staging(home, keep_others=True):
        waiting = start_to_forget(home, LEAVING)
        deadline = time.monotonic() + 60
        while LEAVING not in barred(home) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        assert waiting.exitcode is None  # barred at once, and then waiting for the tables
        assert LEAVING in barred(home)
    assert ended(waiting) == 0
    unbar(home, LEAVING, "erasure")
    assert traces(home, LEAVING) == []


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """A Redis of our own on a free loopback port; yields `host:port`."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not on PATH")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.redis
def test_redis_forgets_one_customer_and_keeps_the_others(
    home: Home, redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis as client

    host, port = redis.split(":")
    monkeypatch.setenv("DIRIGENT_REDIS", redis)
    store = FeatureStore(home)
    store.apply()
    store.materialize(AS_OF)
    server = client.Redis(host=host, port=int(port))
    server.set(b"another-program", b"value")
    before = set(server.keys())
    kept = {name: store.online(name, CHANNELS) for name in NAMES}
    assert forget(home, [LEAVING]).online == 1 + len(CHANNELS)
    gone = before - set(server.keys())
    assert gone == {key for key in before if LEAVING.encode() in key}
    assert len(gone) == 1 + len(CHANNELS)
    for name in set(NAMES) - {LEAVING}:
        assert FeatureStore(home).online(name, CHANNELS) == kept[name]


@pytest.mark.redis
def test_an_erasure_without_its_redis_is_unfinished_and_the_customer_stays_barred(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIRIGENT_REDIS", "127.0.0.1:1")
    with pytest.raises(FeatureStoreError, match="Redis cannot be read"):
        forget(home, [LEAVING])
    assert barred(home, "erasure") == {LEAVING}
    monkeypatch.delenv("DIRIGENT_REDIS")
    forget(home, [LEAVING])
    unbar(home, LEAVING, "erasure")
    assert traces(home, LEAVING) == []
