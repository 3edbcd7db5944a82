"""How models are made, judged and handed over.

In reading order: `labels` says what is predicted, `dataset` joins it to features as they were known then, `churn`, `propensity`,
`send_time` and `uplift` learn (`fitting` fits, `contest` sets trees against the linear challenger, `calibration` and `evaluate`
judge, `plots` and `names` show), `pipeline` runs all of it, `registry` keeps (the one file that knows MLflow), `bundle` exports
what serving may load. `simulator` invents what the example shop lacks.

For any shop's own tables: `experiment` learns from a randomized experiment and chooses an arm or silence (`dirigent choose`),
`lapse_risk` forecasts who will not buy (`dirigent churn`), `off_policy` values another policy from the log, or refuses to.

Serving reaches only `bundle`, `contents`, `structure`, `canary`, `models`, `booster`, `calibration`, `slots` and `effects`: numpy
and LightGBM's C library, nothing else.
"""
