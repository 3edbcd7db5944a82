"""The time of a home: what its service declared holds for every verb beside it."""

from __future__ import annotations

import stat
import time
from datetime import UTC, datetime, timedelta

import pytest

from arbitration.errors import StateError
from serving.settings import Settings
from serving.shop_time import clock_of, declare

PAST = datetime(2018, 1, 2, 15, tzinfo=UTC)


def test_a_verb_lives_in_the_time_that_the_service_declared(tmp_path):
    began = time.time() - 3600
    declare(Settings(home=tmp_path, as_of=PAST, as_of_began=began))
    assert abs(clock_of(Settings(home=tmp_path)).now() - (PAST + timedelta(hours=1))) < timedelta(seconds=5)
    assert stat.S_IMODE((tmp_path / "clock.json").stat().st_mode) == 0o600


def test_a_service_by_the_machines_clock_takes_the_note_away(tmp_path):
    declare(Settings(home=tmp_path, as_of=PAST, as_of_began=time.time()))
    declare(Settings(home=tmp_path))
    assert abs(clock_of(Settings(home=tmp_path)).now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_what_is_declared_on_the_command_line_counts_first(tmp_path):
    declare(Settings(home=tmp_path, as_of=PAST, as_of_began=time.time()))
    other = clock_of(Settings(home=tmp_path, as_of=PAST + timedelta(days=1)))
    assert abs(other.now() - (PAST + timedelta(days=1))) < timedelta(seconds=5)


@pytest.mark.parametrize("text", ["", "{}", '{"as_of": "soon", "began": 1}', "[]"])
def test_a_damaged_note_is_said_so(tmp_path, text):
    (tmp_path / "clock.json").write_text(text)
    with pytest.raises(StateError, match="start the service anew"):
        clock_of(Settings(home=tmp_path))
