"""What does not fit into memory goes to disk, encrypted, and the work ends."""

from __future__ import annotations

import tempfile
from pathlib import Path

from features.tables.store import connect

SECRET = "customer-4711-bought-something"


def test_a_sort_that_does_not_fit_into_memory_ends_and_leaves_nothing_readable_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    connection = connect("60MB")
    connection.execute("SET threads = 1")
    rows = f"SELECT i, '{SECRET}' || md5(CAST(i AS VARCHAR)) AS text FROM range(1500000) AS t(i)"
    answer = connection.execute(f"SELECT * FROM ({rows}) ORDER BY text")
    first = answer.fetchone()
    spilled = [path for path in Path(tmp_path).rglob("*") if path.is_file()]
    assert spilled
    assert not any(SECRET.encode() in path.read_bytes() for path in spilled)
    assert first is not None
    connect("60MB")  # another one is not in the way of the first
    assert len(answer.fetchall()) == 1_499_999
    connection.close()
    assert not list(Path(tmp_path).rglob("*"))
