"""All views and features by name, and how people call them."""

from __future__ import annotations

from collections.abc import Mapping

from arbitration.policy import BusinessName
from features.schema import Feature, View
from features.views.category import CATEGORY
from features.views.channel import CHANNEL
from features.views.context import CONTEXT
from features.views.customer import CUSTOMER
from features.views.timing import TIMING

VIEWS: Mapping[str, View] = {view.name: view for view in (CUSTOMER, CHANNEL, TIMING, CONTEXT, CATEGORY)}
FEATURES: Mapping[str, Feature] = {feature.name: feature for view in VIEWS.values() for feature in view.features}


def business_names() -> Mapping[str, BusinessName]:
    """Feature name -> what marketers call it, in English and German."""
    return {name: BusinessName(en=feature.en, de=feature.de) for name, feature in FEATURES.items()}
