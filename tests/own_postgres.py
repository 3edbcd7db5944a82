"""A PostgreSQL of the tests' own: a fresh cluster on a free loopback port, which may be stopped, killed and paused."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

OWNER = "dirigent"
START_SECONDS = 30
_PROGRAMS = ("initdb", "postgres")
_UNPRIVILEGED = ("postgres", "nobody")
_MEMORY = Path("/dev/shm")  # noqa: S108 - what may be lost with the machine
_DISK = Path("/tmp")  # noqa: S108 - short, as a socket's folder must be
_STRATEGIES = 150000
"""From this version on a database may be copied in two ways, and the log is the one that it takes unasked."""
_ROOM = 4 * 1024**3
"""Bytes of memory that must be free to hold a cluster of many databases."""


def programs() -> Path | None:
    """The folder that holds initdb and postgres: on PATH, or the newest of Debian's; None when there is none."""
    debian = Path("/usr/lib/postgresql")
    folders = sorted(debian.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    if found := shutil.which("initdb"):
        folders.insert(0, Path(found).resolve().parent)
    return next((folder for folder in folders if all((folder / name).exists() for name in _PROGRAMS)), None)


class OwnPostgres:
    """One cluster in a temporary folder: loopback only, no password. `remove` when done.

    `url` names the database `dirigent`; `new_database()` makes an empty one and gives its URL. With `in_memory=True` its
    files lie in memory where that is large, so that no disk is waited for (a SIGKILL of the processes still loses
    nothing, a power cut would lose all).
    """

    def __init__(self, *, in_memory: bool = False, max_connections: int = 50, settings: Sequence[str] = ()) -> None:
        found = programs()
        if found is None:
            raise FileNotFoundError("initdb and postgres are neither on PATH nor in /usr/lib/postgresql/*/bin")
        self._programs = found
        self._account = _account()
        self._in_memory = in_memory and _fits(_MEMORY)
        self._folder = Path(tempfile.mkdtemp(prefix="own-postgres-", dir=_MEMORY if self._in_memory else _DISK))
        if self._account:
            os.chown(self._folder, self._account.pw_uid, self._account.pw_gid)
        self.data = self._folder / "data"
        self.log = self._folder / "log"
        self.port = _free_port()
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._create()
        self._configure(max_connections, settings)
        self.start()
        self._database("dirigent")

    def _configure(self, max_connections: int, settings: Sequence[str]) -> None:
        lines = [
            f"port = {self.port}",
            "listen_addresses = '127.0.0.1'",
            f"unix_socket_directories = '{self._folder}'",
            f"max_connections = {max_connections}",
            "restart_after_crash = off",  # what a test kills stays dead until the test starts it
            "timezone = 'UTC'",
            *settings,
        ]
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")
        loopback = "local all all trust\nhost all all 127.0.0.1/32 trust\n"
        (self.data / "pg_hba.conf").write_text(loopback)

    @property
    def url(self) -> str:
        """Of the database `dirigent`, for SQLAlchemy with psycopg 3."""
        return self._url("dirigent")

    @property
    def pid(self) -> int | None:
        """The first process of the cluster, or None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def new_database(self, template: str = "template0") -> str:
        """The URL of a database of its own. `template`: `template0` (empty) or the name of a database to copy."""
        name = f"own_{next(self._numbers)}"
        self._database(name, template)
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database of `new_database`, whoever is connected to it."""
        with self._connected() as connection:
            connection.execute(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)'.encode())

    def start(self) -> None:
        """Start, on the same port over the same data, and wait until connections are accepted. Recovers after a kill."""
        assert self.pid is None, "it runs already"
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends the tests, and they end the server
                **self._identity(),
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.pid is not None, f"PostgreSQL ended:\n{self.log.read_text()[-2000:]}"
            assert time.monotonic() < until, f"PostgreSQL does not answer:\n{self.log.read_text()[-2000:]}"
            time.sleep(0.02)

    def stop(self, mode: str = "fast") -> None:
        """`fast`: connections end, data is written. `immediate`: as a crash; the next start recovers. Nothing if stopped."""
        self.resume()
        if self._process and self.pid is not None:
            self._process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
            self._process.wait(START_SECONDS)

    def kill(self) -> None:
        """SIGKILL every process of the cluster and wait until all are gone."""
        self.pause()  # so that the first one starts no other meanwhile
        pids = self._signal(signal.SIGKILL)
        if self._process:
            self._process.wait(START_SECONDS)
        until = time.monotonic() + START_SECONDS
        while any(_lives(pid) for pid in pids) and time.monotonic() < until:
            time.sleep(0.01)

    def pause(self) -> None:
        """SIGSTOP every process: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let what `pause` stopped run on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """End every process and delete the folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, number: int) -> list[int]:
        """To the first process and its children; which ones these were."""
        first = self.pid
        pids = [] if first is None else [first, *_children(first)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def _url(self, name: str) -> str:
        return URL.create(
            "postgresql+psycopg", OWNER, host="127.0.0.1", port=self.port, database=name
        ).render_as_string()

    def _database(self, name: str, template: str = "template0") -> None:
        """Where no disk is waited for, files are copied as they are, which takes half of writing them page by page to the log."""
        with self._connected() as connection:
            copied = self._in_memory and connection.info.server_version >= _STRATEGIES
            how = " STRATEGY FILE_COPY" if copied else ""
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"{how}'.encode())

    def _connected(self) -> psycopg.Connection:
        given = {"host": "127.0.0.1", "port": self.port, "user": OWNER, "dbname": "postgres"}
        return psycopg.connect(**given, connect_timeout=2, autocommit=True)

    def _answers(self) -> bool:
        try:
            self._connected().close()
        except psycopg.OperationalError:
            return False
        return True

    def _create(self) -> None:
        options = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        command = [str(self._programs / "initdb"), "-D", str(self.data), "-U", OWNER, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._identity())
        assert done.returncode == 0, done.stdout + done.stderr

    def _identity(self) -> dict[str, Any]:
        """Run as the account that owns the folder, and in it: PostgreSQL refuses to run as root."""
        if self._account is None:
            return {"cwd": self._folder}
        uid, gid = self._account.pw_uid, self._account.pw_gid
        return {"cwd": self._folder, "user": uid, "group": gid, "extra_groups": []}


def _account() -> pwd.struct_passwd | None:
    """Who runs the server when we are root; None: we do."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise LookupError(f"root cannot run PostgreSQL, and none of the accounts {', '.join(_UNPRIVILEGED)} exists")


def _fits(memory: Path) -> bool:
    return memory.is_dir() and shutil.disk_usage(memory).free > _ROOM


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lives(pid: int) -> bool:
    """Whether there is such a process, other than a dead one that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _children(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@pytest.fixture(scope="session")
def postgres() -> Iterator[OwnPostgres]:
    """One running cluster for the session; a test that stops it starts it again. Take a `new_database()` per test."""
    if programs() is None:
        pytest.skip("PostgreSQL is missing (initdb and postgres); on Debian: apt-get install postgresql")
    cluster = OwnPostgres(in_memory=True)
    try:
        yield cluster
    finally:
        cluster.remove()
