"""The command line as a caller of the service: what it is told is checked before anybody is called."""

from __future__ import annotations

import pytest

from arbitration.errors import InputError
from dirigent.client import Client


@pytest.mark.parametrize("key", ["ä", "dgt_one\ntwo", "dgt_one\n", "dgt one", "ü"])
def test_a_key_that_no_header_can_hold_is_named_as_what_is_wrong(monkeypatch, key):
    monkeypatch.setenv("DIRIGENT_API_KEY", key)
    with pytest.raises(InputError, match="DIRIGENT_API_KEY: is no valid key") as caught:
        Client("http://127.0.0.1:1")
    assert "dgt_" not in str(caught.value), "a key is never repeated"
    assert caught.value.exit_code == 2


def test_a_key_as_it_is_made_is_taken():
    Client("http://127.0.0.1:1", "dgt_A-b_9")
