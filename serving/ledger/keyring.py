"""The ledger's secrets, and what is done with them: sealing a customer's records, sealing the audit, hashing the suppressed.

Every customer has a key of their own (AES-256-GCM), kept in the ledger wrapped by the master key, which lies in the home
folder and not in the database; the wrapping names the customer's pseudonym, so that a key in another customer's row opens nothing.
Erasing a customer destroys the key: what it sealed stays where it is and says nothing any more.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from arbitration.errors import LedgerError

Dice = Callable[[int], bytes]
_NONCE = 12
_KEY = 32


class Erased(LedgerError):
    """What was asked for belonged to a customer who has been erased."""


def erased() -> Erased:
    """The error for what nobody can open any more."""
    return Erased("belonged to a customer who has been erased")


def _about_key(subject: str) -> bytes:
    """What the wrapping of a customer's key is tied to. No row is called like this, so that no sealed record passes for a key."""
    return b"key\n" + subject.encode()


@dataclass(frozen=True, slots=True)
class Keyring:
    """Three secrets of 32 bytes, and the dice that new keys and nonces are drawn from (a simulation brings its own)."""

    master: bytes
    audit: bytes
    suppression: bytes
    dice: Dice = secrets.token_bytes

    @classmethod
    def fresh(cls, dice: Dice = secrets.token_bytes) -> Keyring:
        """A keyring that exists nowhere else."""
        return cls(dice(_KEY), dice(_KEY), dice(_KEY), dice)

    def new_id(self, prefix: str) -> str:
        """A random name: the prefix and 96 bits."""
        return f"{prefix}-{self.dice(12).hex()}"

    def new_key(self, subject: str) -> bytes:
        """A key for the customer of this pseudonym, wrapped."""
        return self._seal(self.master, self.dice(_KEY), _about_key(subject))

    def unwrapped(self, wrapped: bytes | None, subject: str) -> bytes:
        """The key of the customer of this pseudonym. Raises `Erased` when it was destroyed, `LedgerError` when it was wrapped for another
        customer or by another master key.
        """
        if wrapped is None:
            raise erased()
        return self._open(self.master, wrapped, _about_key(subject), "the key of a customer")

    def seal(self, key: bytes, plain: bytes, about: str) -> bytes:
        """`plain` under a customer's key, tied to the row it is `about`, so that it cannot be moved to another."""
        return self._seal(key, plain, about.encode())

    def open(self, key: bytes, sealed: bytes, about: str) -> bytes:
        """What was sealed. Raises `LedgerError` when a byte was altered or it was sealed for another row."""
        return self._open(key, sealed, about.encode(), "a sealed record of the ledger")

    def suppressed_hash(self, name: str) -> str:
        """The keyed hash that stands for a customer_id, or for `alias_type:alias`, on the suppression list."""
        return hmac.new(self.suppression, name.encode(), hashlib.sha256).hexdigest()

    def _seal(self, key: bytes, plain: bytes, about: bytes) -> bytes:
        nonce = self.dice(_NONCE)
        return nonce + AESGCM(key).encrypt(nonce, plain, about)

    @staticmethod
    def _open(key: bytes, sealed: bytes, about: bytes, what: str) -> bytes:
        try:
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], about)
        except (InvalidTag, ValueError, TypeError):
            raise LedgerError(
                f"{what} cannot be opened: it was altered or moved to another row, or sealed with another master key",
                mend="restore ledger and keys from the same backup",
            ) from None
