"""The outbox's way out: events that the ledger committed are told to sinks, at least once and in order for each customer."""
