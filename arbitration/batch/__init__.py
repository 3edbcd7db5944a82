"""The decision for whole audiences, step by step as arrays: clock, gates, values, selection, plans.

The door is `arbitration.vectorized`; the readable single decision (`arbitration.decide`) is the oracle of every step.
"""
