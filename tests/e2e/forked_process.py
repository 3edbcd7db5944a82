"""Services and verbs that start in a moment: one process imports once what a service needs, and each of them is a fork of it.

What a fork runs is `dirigent` from its first line on, with its own environment and files for what it says; only the imports are done.
The start itself, the modules that it loads and its memory are tested with processes that start from nothing.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
IMPORT_SECONDS = 120
MODULES = (  # in the order in which a service imports them
    "dirigent.main", "serving.server", "serving.warmup", "features.store",
    "training.bundle", "alembic.command", "alembic.config", "sqlalchemy.ext.compiler",
    "feast.infra.offline_stores.duckdb", "feast.infra.online_stores.sqlite", "feast.infra.online_stores.redis",
    "feast.infra.passthrough_provider", "feast.repo_operations", "babel.numbers", "serving.service",
    "uvicorn.protocols.http.h11_impl",
)  # fmt: skip


class ForkedProcess:
    """As much of `subprocess.Popen` as the tests ask of a service."""

    def __init__(self, pid: int, ended: Future[int]) -> None:
        self.pid, self._ended = pid, ended

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    def wait(self, timeout: float | None = None) -> int:
        try:
            return self._ended.result(timeout)
        except TimeoutError:
            raise subprocess.TimeoutExpired("dirigent", timeout or 0) from None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process that has imported everything. It ends with the tests, and its forks with it."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.e2e.forked_process"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._one_at_a_time = threading.Lock()
        self._begun: Future[ForkedProcess] = Future()
        self._running: dict[int, Future[int]] = {}
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self._end)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path) -> ForkedProcess:
        """`dirigent` with these arguments; what it says goes to two files, which may be the same."""
        with self._one_at_a_time:
            self._begun = Future()
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps([list(arguments), dict(environment), str(out), str(err)]) + "\n")
            return self._begun.result(IMPORT_SECONDS)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            pid, code = json.loads(line)
            if code is None:
                self._running[pid] = Future()
                self._begun.set_result(ForkedProcess(pid, self._running[pid]))
            else:
                self._running.pop(pid).set_result(code)
        if not self._begun.done():
            self._begun.set_exception(ChildProcessError("the process that services are forked from has ended"))

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@cache
def forks() -> Forks:
    """One for all services of these tests; it is made when the first of them starts."""
    return Forks()


def verb(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float = 180
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` of `dirigent` with these arguments, in the folder of the project and with nothing to read."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = forks().start(arguments, environment, out, err)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(["dirigent", *arguments], code, out.read_text(), err.read_text())


def _imported() -> dict[str, str]:
    """Import what a service imports until it answers; what that adds to the environment."""
    from features.store import import_feast

    before = dict(os.environ)
    import_feast()
    for name in MODULES:
        import_module(name)
    return {name: text for name, text in os.environ.items() if before.get(name) != text}


def _forked(added: Mapping[str, str]) -> list[str] | None:
    """Fork for every line on standard input until there is none. Arguments in a fork; None in the first process at its end."""
    running: dict[int, int] = {}  # the descriptor of a fork -> its process id
    poll = select.poll()
    poll.register(0, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor:
                poll.unregister(descriptor)
                os.close(descriptor)
                pid = running.pop(descriptor)
                print(json.dumps([pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]), flush=True)
            elif line := _line():
                arguments, environment, *files = json.loads(line)
                if (pid := os.fork()) == 0:
                    _become(environment | added, files, running)
                    return list(arguments)
                running[os.pidfd_open(pid)] = pid
                poll.register(next(reversed(running)), select.POLLIN)
                print(json.dumps([pid, None]), flush=True)
            else:
                for pid in running.values():
                    os.kill(pid, signal.SIGTERM)
                return None


def _line() -> bytes:
    """One line from standard input, read without reading ahead."""
    found = b""
    while not found.endswith(b"\n") and (more := os.read(0, 1)):
        found += more
    return found


def _become(environment: Mapping[str, str], files: Sequence[str], others: Mapping[int, int]) -> None:
    """In a fork: nothing of the first process but its modules. They stay frozen: a collector that looks through them copies them."""
    for descriptor in others:
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate((os.devnull, *files)):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)


def main() -> None:
    """Import, fork, and in each fork run `dirigent`."""
    added = _imported()
    gc.collect()
    gc.freeze()
    arguments = _forked(added)
    if arguments is None:
        os._exit(0)  # libraries would complain of what they leave behind
    from dirigent.main import run

    sys.argv = ["dirigent", *arguments]
    try:
        run()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 0)  # as above


if __name__ == "__main__":
    main()
