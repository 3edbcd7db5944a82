"""A full disk and a disk that cannot sync, under SQLite and PostgreSQL: what was acknowledged is there, and nothing is half written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from arbitration.errors import LedgerError
from serving.ledger.deadline import patient
from serving.ledger.keyring import Keyring
from serving.ledger.store import Ledger
from tests.contracts.conftest import KEYRING, decision
from tests.integration.faulty import ROOT, fails_in_time, numbers_in, works_again, write


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


@pytest.mark.postgres
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
        with ledger.engine.connect() as connection, patient(connection, 150):
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
        from tests.integration.faulty import write
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
