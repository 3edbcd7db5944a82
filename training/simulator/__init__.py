"""The named simulator: what Complete Journey lacks, invented with a seed and a known truth. Every row it writes is `simulated`.

Complete Journey has no digital channels, no loyalty program and no consents. On top of its real households and baskets this
package adds points and tiers (`loyalty`), app sessions, carts and support cases (`behavior`), consents (`consents`) and
randomized contacts over push, e-mail, sms and in_app with their outcomes (`contacts`). `truth` holds the true effects, so that
what the models learn can be compared with what is so. Real rows are never changed; running it again replaces its own rows.

`market` is a world of its own, without tables, to judge policies in: `docs/simulator.md`.
"""
