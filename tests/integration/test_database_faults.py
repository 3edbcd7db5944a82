"""A database that hangs, dies, is cut off, is full or cannot write: an error in our words in time, nothing half-written, nothing that
was acknowledged lost, and work goes on by itself once the database is back.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from arbitration.errors import LedgerError
from serving.ledger.bookkeeping import audit
from serving.ledger.keyring import Keyring
from serving.ledger.schema import decisions, policies
from serving.ledger.store import Ledger
from tests.contracts.conftest import KEYRING, decision, rows_of
from tests.own_postgres import OwnPostgres, programs
from tests.wire import Wire

ROOT = Path(__file__).resolve().parents[2]
IN_TIME = 5.5
pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL that these tests may stop, with few connections."""
    if programs() is None:
        pytest.skip("PostgreSQL is missing (initdb and postgres); on Debian: apt-get install postgresql")
    cluster = OwnPostgres(max_connections=12, settings=["superuser_reserved_connections = 0"])
    yield cluster
    cluster.remove()


@pytest.fixture
def ledger(server):
    found = Ledger(server.new_database(), KEYRING)
    yield found
    if server.pid is None:
        server.start()
    found.close()


def through(wire: Wire, url: str) -> str:
    """The same database behind a line that a test may cut."""
    before, _, name = url.rpartition("/")
    return f"{before.rpartition(':')[0]}:{wire.port}/{name}"


def write(ledger: Ledger, number: int) -> None:
    with ledger.writing(f"c{number}") as tx:
        tx.add_decision(decision(number, customer=f"c{number}"))
        tx.add_policy(f"v{number}", b"policy")
        tx.emit("dirigent.test.v1", {"number": number})


def fails_in_time(work) -> LedgerError:
    """The error of a piece of work, which comes in time and is one of ours."""
    began = time.monotonic()
    with pytest.raises(LedgerError) as caught:
        work()
    assert time.monotonic() - began < IN_TIME
    told = str(caught.value)
    assert caught.value.mend
    assert not [word for word in ("psycopg", "sqlalchemy", "INSERT", "SELECT", "Background") if word in told], told
    return caught.value


def works_again(work) -> None:
    """It succeeds within five seconds, without anybody's hand but the caller's, who asks again."""
    until = time.monotonic() + 5
    while True:
        try:
            return work()
        except LedgerError:
            assert time.monotonic() < until, "it does not work again"
            time.sleep(0.1)


def numbers_in(ledger: Ledger) -> set[int]:
    """Which transactions are there; each of them wholly, with one audit entry."""
    kept = {int(row.decision_id.removeprefix("d-")) for row in rows_of(ledger, decisions)}
    assert {row.version for row in rows_of(ledger, policies)} == {f"v{number}" for number in kept}
    assert len(rows_of(ledger, audit)) == len(kept)
    return kept


def test_a_database_that_hangs_is_an_error_in_time_and_works_again_by_itself(server, ledger):
    write(ledger, 1)
    began = ledger.writing("c2")
    tx = began.__enter__()
    tx.add_decision(decision(2, customer="c2"))
    tx.add_policy("v2", b"policy")
    server.pause()
    try:
        with ThreadPoolExecutor(3) as pool:
            waiting = [
                pool.submit(fails_in_time, lambda: write(ledger, 3)),
                pool.submit(fails_in_time, lambda: rows_of(ledger)),
                pool.submit(fails_in_time, lambda: began.__exit__(None, None, None)),  # hangs in its last statements
            ]
            for one in waiting:
                one.result(timeout=20)
        fails_in_time(lambda: write(ledger, 4))
    finally:
        server.resume()
    works_again(lambda: write(ledger, 5))
    assert {1, 5} <= numbers_in(ledger) <= {1, 2, 3, 4, 5}


def test_a_commit_that_hangs_is_given_up_in_time_and_is_there_wholly_or_not_at_all(server, ledger):
    with ledger.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("INSERT INTO policies VALUES ('v', 'body')")
        server.pause()
        began = time.monotonic()
        try:
            with pytest.raises(Exception, match="no answer within"):
                connection.exec_driver_sql("COMMIT")
        finally:
            server.resume()
        assert time.monotonic() - began < IN_TIME
        assert driver.closed
        connection.invalidate()
    write(ledger, 1)
    assert len(rows_of(ledger, policies)) in (1, 2)


@pytest.mark.parametrize("how", ["kill", "fast", "immediate"])
def test_a_database_that_ended_and_starts_again_is_used_again_at_once(server, ledger, how):
    write(ledger, 1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write(ledger, number), range(2, 6)))  # several connections lie in the pool
    if how == "kill":
        server.kill()
    else:
        server.stop(how)
    fails_in_time(lambda: write(ledger, 6))
    fails_in_time(lambda: rows_of(ledger))
    server.start()
    for number in range(7, 12):
        write(ledger, number)  # no connection that died in the pool is handed out
    assert numbers_in(ledger) == {1, 2, 3, 4, 5, *range(7, 12)}


def test_connections_that_died_in_the_pool_are_never_noticed_by_a_caller(server, ledger):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write(ledger, number), range(4)))
    server.kill()
    server.start()
    write(ledger, 4)
    assert numbers_in(ledger) == set(range(5))


def test_a_transaction_that_the_end_of_the_database_interrupts_leaves_nothing(server, ledger):
    def interrupted() -> None:
        with ledger.writing("c1") as tx:
            tx.add_decision(decision(1))
            server.kill()
            tx.add_policy("v1", b"policy")

    fails_in_time(interrupted)
    server.start()
    write(ledger, 2)
    assert numbers_in(ledger) == {2}


@pytest.mark.parametrize("how", ["silence", "cut"])
def test_a_line_that_was_cut_is_an_error_in_time_and_the_next_one_is_used(server, how):
    with Wire(server.port) as wire:
        ledger = Ledger(through(wire, server.new_database()), KEYRING)
        write(ledger, 1)
        getattr(wire, how)()
        if how == "silence":
            fails_in_time(lambda: write(ledger, 2))
            fails_in_time(lambda: rows_of(ledger))
        else:
            fails_in_time(lambda: write(ledger, 2))
        wire.mend()
        works_again(lambda: write(ledger, 3))
        assert {1, 3} <= numbers_in(ledger) <= {1, 2, 3}
        ledger.close()


def test_a_server_without_a_free_connection_is_said_so_and_nothing_is_lost(server, ledger):
    write(ledger, 1)
    ledger.engine.dispose()
    others = []
    try:
        for _ in range(12):
            other = psycopg.connect(ledger.place.url.replace("+psycopg", ""))
            others.append(other)
        assert "no connection left" in str(fails_in_time(lambda: write(ledger, 2)))
    finally:
        for other in others:
            other.close()
    works_again(lambda: write(ledger, 3))
    assert numbers_in(ledger) == {1, 3}


@pytest.fixture
def small_disk():
    """A file system of some megabytes, which PostgreSQL's account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="small-disk-", dir="/tmp"))

    def mount(megabytes: int) -> Path:
        if os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("only root may mount a small file system")
        made = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", str(folder)]
        if subprocess.run(made, capture_output=True, check=False).returncode != 0:
            pytest.skip("no small file system may be mounted here")
        return folder

    yield mount
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
    folder.rmdir()


def fill(ledger: Ledger, first: int) -> list[int]:
    """Write until the disk is full; which transactions were acknowledged."""
    done = []
    for number in range(first, first + 400):
        try:
            with ledger.writing(f"c{number}") as tx:
                tx.add_decision(decision(number, customer=f"c{number}"))
                tx.add_policy(f"v{number}", os.urandom(100_000))
        except LedgerError:
            return done
        done.append(number)
    raise AssertionError("the disk never filled up")


def test_a_full_disk_under_sqlite_loses_nothing_that_was_acknowledged(small_disk):
    folder = small_disk(6)
    ledger = Ledger(folder / "ledger.db", KEYRING)
    ballast = folder / "ballast"
    ballast.write_bytes(b"\0" * 1_000_000)
    done = fill(ledger, 1)
    assert numbers_in(ledger) == set(done)
    assert "full" in str(fails_in_time(lambda: fill_one(ledger, 900)))
    ballast.unlink()
    works_again(lambda: write(ledger, 901))
    ledger.close()
    again = Ledger(folder / "ledger.db", KEYRING)
    assert numbers_in(again) == {*done, 901}
    again.close()


def fill_one(ledger: Ledger, number: int) -> None:
    with ledger.writing(f"c{number}") as tx:
        tx.add_policy(f"v{number}", os.urandom(2_000_000))


def test_a_full_disk_under_postgresql_loses_nothing_that_was_acknowledged(server, small_disk):
    folder = small_disk(24)
    (folder / "space").mkdir()
    shutil.chown(folder / "space", server._account.pw_uid, server._account.pw_gid)
    url = server.new_database()
    ledger = Ledger(url, KEYRING)
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLESPACE small LOCATION '{folder / 'space'}'")
        for table in ("decisions", "policies"):
            connection.exec_driver_sql(f"ALTER TABLE {table} SET TABLESPACE small")
    try:
        (folder / "ballast").write_bytes(b"\0" * 4_000_000)
        done = fill(ledger, 1)
        assert "disk of the ledger's database is full" in str(fails_in_time(lambda: fill_one(ledger, 900)))
        assert numbers_in(ledger) == set(done)
        (folder / "ballast").unlink()
        works_again(lambda: write(ledger, 901))
        assert numbers_in(ledger) == {*done, 901}
    finally:
        with ledger.engine.connect() as connection:
            for table in ("decisions", "policies"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
            connection.exec_driver_sql("DROP TABLESPACE small")
        ledger.close()


FAILING_SYNC = """
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int broken(void) { const char *mark = getenv("BROKEN_DISK"); return mark && access(mark, F_OK) == 0; }
int syncfs(int);
int fsync(int file) { if (broken()) { errno = EIO; return -1; } return syncfs(file); }
int fdatasync(int file) { if (broken()) { errno = EIO; return -1; } return syncfs(file); }
"""


def test_a_disk_that_cannot_sync_acknowledges_nothing_and_loses_nothing_that_was(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is missing: the failing fsync cannot be built")
    source, library, mark = tmp_path / "sync.c", tmp_path / "sync.so", tmp_path / "broken"
    source.write_text(FAILING_SYNC)
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from arbitration.errors import LedgerError
        from serving.ledger.keyring import Keyring
        from serving.ledger.store import Ledger
        from tests.integration.test_database_faults import write
        file, mark, *secrets = sys.argv[1:]
        ledger = Ledger(Path(file), Keyring(*map(bytes.fromhex, secrets)))
        for number in range(1, 13):
            if number in (4, 9):
                Path(mark).touch()
            if number == 7:
                Path(mark).unlink()
            try:
                write(ledger, number)
                print(number, flush=True)
            except LedgerError as error:
                assert "disk I/O error" in str(error), error
    """)
    secrets = [part.hex() for part in (KEYRING.master, KEYRING.audit, KEYRING.suppression)]
    given = [sys.executable, "-c", program, str(tmp_path / "ledger.db"), str(mark), *secrets]
    environment = os.environ | {"LD_PRELOAD": str(library), "BROKEN_DISK": str(mark), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(given, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    acknowledged = set(map(int, done.stdout.split()))
    assert acknowledged == {1, 2, 3, 7, 8}
    ledger = Ledger(tmp_path / "ledger.db", Keyring(KEYRING.master, KEYRING.audit, KEYRING.suppression))
    assert acknowledged <= numbers_in(ledger)
    ledger.close()
