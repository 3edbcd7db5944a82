"""What Feast knows: entities, one view per feature view, one service per model. Names and types come from the feature schema."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.data_format import ParquetFormat
from feast.types import Float64, Int64, String

from features.home import Home
from features.registry import VIEWS
from features.schema import View

TYPES = {"float64": Float64, "int64": Int64, "string": String}
home = Home.from_environment()
entities = {key: Entity(name=key, join_keys=[key], value_type=ValueType.STRING) for key in ("customer_id", "channel")}


def feature_view(view: View) -> FeatureView:
    """A Feast view over the snapshots of one feature view."""
    source = FileSource(
        name=f"{view.name}_snapshots",
        path=str(home.features / f"{view.name}.parquet"),
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    return FeatureView(
        name=view.name,
        entities=[entities[key] for key in view.keys],
        ttl=timedelta(days=view.ttl_days),
        schema=[Field(name=f.name, dtype=TYPES[f.dtype], description=f.meaning) for f in view.features],
        source=source,
        online=True,
    )


views = {name: feature_view(view) for name, view in VIEWS.items()}
services = [
    FeatureService(name="churn_risk", features=[views["customer"]]),
    FeatureService(
        name="channel_propensity", features=[views["customer"], views["channel"], views["timing"], views["context"]]
    ),
    FeatureService(name="send_time", features=[views["timing"]]),
    FeatureService(name="next_category", features=[views["category"]]),
    FeatureService(
        name="decision_customer", features=[views["customer"], views["timing"], views["context"], views["category"]]
    ),
    FeatureService(name="decision_channel", features=[views["channel"]]),
]
