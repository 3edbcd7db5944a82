"""The ledger: the one transactional truth of decisions, contacts, consents and outcomes."""
