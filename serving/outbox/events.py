"""One event as it leaves: a row of the ledger's outbox, told as a CloudEvent 1.0 in the JSON format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from serving.ledger.schema import from_micros

MEDIA_TYPE = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the outbox. `version` and `place` order the events of one subject, `number` only names the row.

    `at` is in microseconds since 1970; `data` holds no customer id.
    """

    number: int
    event_id: str
    subject: str
    version: int
    place: int
    type: str
    at: int
    data: Any

    def cloud_event(self, brand: str) -> bytes:
        """The CloudEvent of a brand as one line of JSON; always the same bytes for the same event."""
        told: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.event_id,
            "source": f"urn:dirigent:{brand}",
            "type": self.type,
            "subject": self.subject,
            "time": from_micros(self.at).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "partitionkey": self.subject,
            "sequence": f"{self.version:020d}.{self.place:06d}",  # extension: sorts as text, within one subject
            "data": self.data,
        }
        return json.dumps(told, separators=(",", ":")).encode()
