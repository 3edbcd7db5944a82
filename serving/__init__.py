"""How decisions are asked for: the HTTP service, its ledger, and the rules at its border."""
