"""The rights' second half: the files of the home follow what the ledger says, also after a crash between the two.

The ledger comes first, always. What it says can therefore be carried over to the files again at any time, and is at every start.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from itertools import islice

from sqlalchemy.exc import SQLAlchemyError

from arbitration.errors import DirigentError
from features.home import Home, Progress, silent
from features.rights import bar, barred, forget, unbar
from serving.ledger.engine import connection_of
from serving.ledger.retention import IDEMPOTENCY, Retention, retain
from serving.ledger.rights import (
    drop_references,
    erase,
    files_done,
    holds_objection,
    objectors,
    references_left,
    returned,
    unfinished,
)
from serving.ledger.store import Ledger
from serving.ledger.transaction import Transaction
from serving.logs import log

_TRIES, _PAUSE_SECONDS = 20, 0.1
_AT_ONCE = 500
RETURNED_AFTER = 2 * IDEMPOTENCY
"""What was answered about somebody erased, who was asked about again, is kept for repeated calls; then it goes, too."""
_guard = threading.Lock()
_asked: list[tuple[Ledger, Home]] = []
_background: list[threading.Thread] = []


def reconcile(ledger: Ledger, home: Home) -> int:
    """Make the list of the barred say what the ledger says. Returns how many customers it had wrong.

    At every start, before anything is copied from the shop's tables, and in the retention job.
    """
    with ledger.reading() as reading:
        wrong = objectors(reading) ^ barred(home, "objection")
    for customer_id in sorted(wrong):
        follow_objection(ledger, home, customer_id)
    return len(wrong) + bar_leaving(ledger, home)


def bar_leaving(ledger: Ledger, home: Home) -> int:
    """Bar whose erasure the files have yet to carry out, and nobody else, in the name of an erasure. Returns how many changed.

    The erasures stay locked meanwhile: none of them can be finished, and its customer let off the list, in between.
    """

    def work(tx: Transaction) -> int:
        listed = barred(home, "erasure")  # first: who is erased and listed in between is not taken for one who is done
        leaving = frozenset(unfinished(tx).values())
        for customer_id in sorted(leaving - listed):
            bar(home, customer_id, "erasure")
        for customer_id in sorted(listed - leaving):
            unbar(home, customer_id, "erasure")
        return len(leaving ^ listed)

    return ledger.write(None, work)


def follow_objection(ledger: Ledger, home: Home, customer_id: str) -> None:
    """Bar the customer in the files, or no longer, as the ledger says at this moment.

    Under the customer's lock: of two reports at once the one that was committed last is the last to reach the files, too.
    """

    def work(tx: Transaction) -> None:
        change = bar if holds_objection(tx, customer_id) else unbar
        change(home, customer_id, "objection")

    ledger.write(None, work)


def finish_erasures(ledger: Ledger, home: Home, progress: Progress = silent) -> int:
    """Take the erased out of every file, many at a time, and out of what SQLite still holds beside its tables. Returns how many.

    Killed at any point, run again it goes on. Raises `FeatureStoreError` when the online store does not answer.
    """
    done = 0
    while waiting := _waiting(ledger):
        forget(home, waiting.values(), progress)
        ledger.write(None, partial(files_done, customers=waiting))
        for customer_id in waiting.values():
            unbar(home, customer_id, "erasure")
        done += len(waiting)
    if done:
        progress("clearing the ledger's write-ahead log")
        flush(ledger)
    return done


def finish_in_background(ledger: Ledger, home: Home) -> None:
    """The same in one thread for all, which lives as long as there is work; what fails is left to the retention job."""
    with _guard:
        if (ledger, home) not in _asked:  # a run that has yet to begin does it for all who asked
            _asked.append((ledger, home))
        if not any(thread.is_alive() for thread in _background):  # none, or one that an unforeseen error ended
            _background[:] = [threading.Thread(target=_work, name="erasures", daemon=True)]
            _background[0].start()


def flush(ledger: Ledger) -> bool:
    """Move SQLite's write-ahead log into the file and empty it: it holds older states of pages. False while somebody reads."""
    if not ledger.place.is_sqlite:
        return True
    for _ in range(_TRIES):
        with connection_of(ledger.engine, ledger.place) as connection:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
        if not busy:
            return True
        time.sleep(_PAUSE_SECONDS)
    return False


def keep_to(
    ledger: Ledger, home: Home, kept: Retention | None = None, *, dry_run: bool = False, progress: Progress = silent
) -> dict[str, int]:
    """The retention job: what is too old goes, erasures are finished, who came back although suppressed is forgotten again, and the
    files follow the ledger. Returns counts by kind; with `dry_run` of what would go.
    """
    finished = (
        0 if dry_run else finish_erasures(ledger, home, progress)
    )  # whatever the rest meets, this is not kept waiting
    found = retain(ledger, kept, dry_run=dry_run, progress=progress)
    with ledger.reading() as reading:
        back, waiting = returned(reading, RETURNED_AFTER), len(unfinished(reading))
        left = references_left(reading)
    if dry_run:
        return found | {"references of erased": left, "came back": len(back), "erasures to finish": waiting}
    found["references of erased"] = _drop_references(ledger) if left else 0
    for customer_id in back:
        ledger.write(
            customer_id,
            partial(erase, erasure_id=ledger.keyring.new_id("x"), customer_id=customer_id, reason="suppressed"),
        )
    found |= {"came back": len(back), "barred wrongly": reconcile(ledger, home)}
    return found | {"erasures finished": finished + finish_erasures(ledger, home, progress)}


def _drop_references(ledger: Ledger) -> int:
    done = 0
    while count := ledger.write(None, drop_references):
        done += count
    return done


def _waiting(ledger: Ledger) -> dict[str, str]:
    with ledger.reading() as reading:
        return dict(islice(unfinished(reading).items(), _AT_ONCE))


def _work() -> None:
    while True:
        with _guard:
            if not _asked:
                _background.clear()
                return
            ledger, home = _asked.pop(0)
        _finish(ledger, home)


def _finish(ledger: Ledger, home: Home) -> None:
    try:
        count = finish_erasures(ledger, home)
    except (DirigentError, SQLAlchemyError, OSError) as error:
        log.warning("erasure waits", error=type(error).__name__)
        return
    if count:
        log.info("erased", customers=count)
