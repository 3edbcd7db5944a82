"""The decision: pure, without I/O, clock or global randomness. Start at `decide.py`; nouns are in `domain.py`."""
