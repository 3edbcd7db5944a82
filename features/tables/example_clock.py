"""When the example shop is: apart from the shop itself, so that who only names the moment loads no database."""

from __future__ import annotations

from datetime import UTC, datetime

# The data ends on 2017-12-31, New York. The example shop's clock starts on the next working morning.
AS_OF = datetime(2018, 1, 2, 15, 0, tzinfo=UTC)
