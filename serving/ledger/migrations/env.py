"""Run by Alembic: applies the missing steps on the connection, and within the transaction, that `serving.ledger.migrate` holds."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table="ledger_version", render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
