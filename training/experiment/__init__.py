"""Bring your own experiment: learn from a shop's randomized table, choose an arm for every row of another one, and say how sure it is.

spec -> table -> encoding, leaks -> contrasts -> shrinkage -> choosing -> report      (`run` does all of it)
"""

SEED = 20170930
