"""How the ledger's tables came to be, step by step; `serving.ledger.migrate` runs what a ledger lacks."""
