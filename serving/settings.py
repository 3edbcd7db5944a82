"""What the service is told at start: settings from the environment, all of them named `DIRIGENT_*`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from arbitration.errors import InputError
from features.home import Home

PREFIX = "DIRIGENT_"
# For the command line as a client of the service, and for the tests; the service leaves them alone.
_NOT_OURS = frozenset({"DIRIGENT_URL", "DIRIGENT_API_KEY", "DIRIGENT_TEST_HOME"})
EXAMPLE_CATALOG = Path(__file__).resolve().parent.parent / "catalog" / "example"


class Settings(BaseModel):
    """One field per variable: `home` is `DIRIGENT_HOME`, and so on.

    `as_of` starts the shop's clock at a past moment (the example data ends in January 2018); it then runs on at
    normal speed. Unset, the clock is the real one. `redis` names the online store of a fleet (`features.store`), `ledger` its
    PostgreSQL database (unset: a file in the home). `brand` is the one this service speaks for: consents are given to a brand.
    `as_of_began` (Unix seconds) is when the clock was declared; `dirigent serve --workers` tells it to its workers. `approvals` is how many people it takes to widen the reach.
    `hung_seconds` without a sign of life end one of several workers, and another takes its place.
    `rate_per_key` and `rate_per_peer` (an address that shows no valid key) are requests a second, with twice as many at
    once after a pause; `concurrency` is how many requests are worked on at the same time, a quarter of them kept for
    outcomes and withdrawals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Path(".dirigent")
    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=1, le=65535)
    as_of: AwareDatetime | None = None
    catalog: Path = EXAMPLE_CATALOG
    redis: str | None = None
    ledger: str | None = None
    brand: str = Field(default="shop", pattern=r"^[a-z][a-z0-9_]{0,63}$")
    as_of_began: float | None = None
    workers: int = Field(default=1, ge=1, le=64)
    hung_seconds: int = Field(default=30, ge=3, le=3600)
    approvals: Literal["two", "one"] = "two"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    rate_per_key: int = Field(default=200, ge=1)
    rate_per_peer: int = Field(default=100, ge=1)
    concurrency: int = Field(default=128, ge=4)
    concurrency_per_key: int = Field(default=64, ge=1)

    @field_validator("home", mode="before")
    @classmethod
    def _is_named(cls, home: object) -> object:
        if home == "":  # it would be the folder at hand
            raise ValueError("must name a folder")
        return home

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        try:
            ip_address(host)
        except ValueError:
            raise ValueError("must be an IP address such as 127.0.0.1") from None
        return host

    @field_validator("redis")
    @classmethod
    def _is_host_and_port(cls, redis: str | None) -> str | None:
        found = re.fullmatch(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", redis or "")
        if redis is not None and (found is None or not 1 <= int(found[1]) <= 65535):
            raise ValueError("must be host:port")
        return redis

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None
    ) -> Settings:
        """Read and check every `DIRIGENT_*` variable; an unknown or wrong one is an `InputError` naming it.

        `options` are fields given on the command line; they win over the variables.
        """
        told = dict(options or {})
        variables = os.environ if environment is None else environment
        ours = {name: text for name, text in variables.items() if name.startswith(PREFIX) and name not in _NOT_OURS}
        given = {name[len(PREFIX) :].lower(): text for name, text in ours.items()}
        try:
            return cls.model_validate(given | told)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0])
            name = "--" + field.replace("_", "-") if field in told else PREFIX + field.upper()
            if first["type"] == "extra_forbidden":
                known = ", ".join(sorted(PREFIX + field.upper() for field in cls.model_fields))
                raise InputError("is not a setting", where=name, mend=f"unset it; the settings are {known}") from None
            wrong = first["msg"].removeprefix("Value error, ")
            raise InputError(f"is wrong: {wrong}", where=name, mend="correct it or unset it") from None

    def to_environment(self) -> dict[str, str]:
        """The same settings as variables, for a process started from this one."""
        fields = self.model_dump(mode="json", exclude_none=True)
        return {PREFIX + name.upper(): str(setting) for name, setting in fields.items()}

    @property
    def paths(self) -> Home:
        """The folder that holds everything of this installation."""
        return Home(self.home.resolve())
