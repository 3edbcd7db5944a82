"""A simulated market of customers and weeks, in which the true value of every policy is known. Its pages: `docs/simulator.md`.

`laws` holds the constants with their sources and the named worlds, `people` the latent traits, `state` what changes from week to
week and what of it may be observed, `week` one week, `play` runs a policy and measures its value under common random numbers,
`log` what a shop would have recorded. `policies` and `learners` are the policies to compare with, `oracle` those that know the
traits, `worth` the backward induction that gives the oracle its attention price. Nothing here reads or writes a shop's tables;
everything it yields is simulated.
"""
