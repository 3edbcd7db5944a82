# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Retrain churn risk
#
# Who, among the customers who bought in the last 56 days, will not buy in the next 28? This notebook retrains that model from
# the feature store, compares it with the champion that serving uses now, shows what moves it, and promotes it if it is better.
# It calls the packages only; `dirigent train churn_risk` and `dirigent promote churn_risk` do the same.
#
# The home folder is the one that `DIRIGENT_HOME` names.

# %%
from dataclasses import asdict

import pandas as pd
from IPython.display import display

from features.home import Home
from training import churn
from training.contest import measure
from training.plots import shap_summary
from training.promotion import Refused, promote
from training.registry import registered, train

home = Home.from_environment()

# %% [markdown]
# ## The rows
#
# Features come from the feature store as they were known at each weekly cut-off. Train, validation and test follow each other
# in time, and no label window reaches into the next part.

# %%
split = churn.split(home)
parts = {"train": split.train, "validation": split.validation, "test": split.test}
pd.DataFrame(
    [(name, len(part), part.labels.mean(), part.moments.min(), part.moments.max()) for name, part in parts.items()],
    columns=["part", "rows", "share that leaves", "first cut-off", "last cut-off"],
).set_index("part")

# %% [markdown]
# ## Train
#
# LightGBM and the linear challenger see the same rows. The lower log-loss on the validation part decides; the test part reports.

# %%
results = train(home, churn.NAME, print)
pd.DataFrame(
    [
        {
            "kind": r.kind,
            "version": r.version,
            "best": r.best,
            "held-out log-loss": r.card["held_out_log_loss"],
            **r.card["test"],
        }
        for r in results
    ]
).set_index("kind")

# %% [markdown]
# ## Against the champion
#
# Both are measured on the same validation and test rows.

# %%
champion, candidate = registered(home, churn.NAME), registered(home, churn.NAME, "candidate")
comparison = pd.DataFrame(
    {
        (who, part): measure(version.model(), parts[part])
        for who, version in (("champion", champion), ("candidate", candidate))
        for part in ("validation", "test")
    }
).T
display(comparison)

# %% [markdown]
# ## What moves it

# %%
display(shap_summary(candidate.model(), split.test.rows))

# %% [markdown]
# ## Promote
#
# The validation part chose the candidate. Whether it may replace the champion is decided by the exam: both answer the rows that
# neither learned from, and the lower bound of the difference must not be below the champion by more than the tolerance. What
# passes is exported as a new signed bundle; a running service takes it at its next start. What is refused changes nothing.

# %%
try:
    promotion = promote(home, churn.NAME)
    print("promoted: serving bundle", promotion.digest)
    verdicts = promotion.verdicts
except Refused as refused:
    print("the champion stays:", refused)
    verdicts = refused.verdicts
pd.json_normalize([asdict(verdict) for verdict in verdicts])
