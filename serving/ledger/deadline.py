"""Connections to PostgreSQL that keep nobody waiting, and that are noticed when they are dead.

PostgreSQL's own time-outs hold only while the server runs: one that is stopped, or a line that was cut without a word, leaves
the client reading for ever. A bounded connection gives up by itself, in the thread that waits: there is no watcher to race with.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError

DEADLINE_SECONDS = 4.0
"""No statement and no commit takes longer: a database that hangs is as good as gone, and the caller hears so in time."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection on which no single exchange lasts longer than `limit` seconds; one that does costs the connection.

    Every exchange is covered, also BEGIN, COMMIT and ROLLBACK, and what SQLAlchemy asks by itself. (Connecting has a limit of its
    own.) After a COMMIT that was given up nobody knows whether it happened: whoever asks again with the same id finds out.
    """

    limit: float = DEADLINE_SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """What the exchange gives. Raises `psycopg.OperationalError`, and closes, when it takes too long."""
        try:
            return super().wait(gen, interval, self.limit if timeout is None else timeout)
        except psycopg.OperationalError:
            # An error that the server told leaves the connection idle; this one left it in the middle of an exchange.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.close()
                raise psycopg.errors.ConnectionTimeout(f"no answer within {self.limit:g} s") from None
            raise


def bound(engine: Engine) -> None:
    """Let an engine connect by bounded connections, and drop those that died in the pool before anything is executed on them."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "checkout", _look)


@contextmanager
def patient(connection: Connection, seconds: float) -> Iterator[None]:
    """Another limit for one piece of work: bringing tables up to date may take longer than answering a caller."""
    driver: Any = connection.connection.dbapi_connection
    if not isinstance(driver, BoundedConnection):
        yield
        return
    driver.limit = seconds
    try:
        yield
    finally:
        driver.limit = DEADLINE_SECONDS


def _connect(_: Any, __: Any, arguments: Any, named: Any) -> BoundedConnection:
    return BoundedConnection.connect(*arguments, **named)


def _look(driver: Any, record: Any, _: Any) -> None:
    """A line that has something to read while nothing was asked is closed, or about to be: SQLAlchemy then connects anew.

    This asks the operating system alone (2 µs); asking the server costs a round trip for every use of a connection.
    """
    if record.info.get("used"):
        poll = select.poll()
        poll.register(driver.fileno(), select.POLLIN)
        if driver.closed or poll.poll(0):
            raise DisconnectionError("the connection died in the pool")
    record.info["used"] = True
