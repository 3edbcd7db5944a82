"""Lapse risk of any shop: P(no purchase in a horizon) of the customers active before a cutoff, from an events file alone.

In reading order: `events` reads the file, `suspicion` refuses leaks, `features` says what is known at a moment, `windows` says at which
moments to train, `purchasing` is the BG/NBD reference, `fit` mixes the members, `curves` calibrates, `report` judges, `run` does it all.
"""
