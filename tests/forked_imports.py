"""What the processes of `tests.forkserver` need: imported once, where each would take seconds to import it anew."""

from importlib import import_module

from features.store import import_feast

import_feast()
for name in (
    "alembic.command", "sqlalchemy.ext.compiler", "feast.infra.online_stores.sqlite", "feast.infra.key_encoding_utils",
    "features.rights", "serving.outbox.relay", "serving.outbox.webhook", "tests.contracts.relaying",
    "tests.simulation.world", "benchmarks.reliability.rivals", "benchmarks.reliability.stores", "benchmarks.reliability.verdicts",
):  # fmt: skip
    import_module(name)
