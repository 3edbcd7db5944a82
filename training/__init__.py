"""How models are made, judged and handed over.

The listing in reading order: `labels` says what is predicted, `dataset` joins it to features as they were known then,
`churn`, `propensity`, `send_time` and `effects` fit, `calibration` and `evaluate` judge, `plots` shows, `registry` keeps
(the one file that knows MLflow), `pipeline` runs all of it, `bundle` exports what serving may load. Serving reaches only
`models`, `booster`, `calibration`, `slots`, `effects`, `bundle`, `structure` and `canary`: numpy and LightGBM's C library.
"""
