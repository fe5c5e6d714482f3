"""Envoy's messages as JSON."""

from __future__ import annotations

import pytest
from envoy.config.listener.v3.listener_components_pb2 import Filter
from google.protobuf import any_pb2, descriptor_pool

from kong_mesh_cp.core.xds.envoy.as_json import json_of_packed
from kong_mesh_cp.core.xds.envoy.kafka import KAFKA_BROKER, kafka_broker

TYPE = "envoy.extensions.filters.network.kafka_broker.v3.KafkaBroker"


def test_a_filter_for_kafka_is_shown_inside_of_what_has_it() -> None:
    inner = Filter(name=KAFKA_BROKER)
    inner.typed_config.Pack(kafka_broker("orders"))
    packed = any_pb2.Any()
    packed.Pack(inner)

    assert json_of_packed(packed.SerializeToString()) == {
        "name": KAFKA_BROKER,
        "typedConfig": {"@type": f"type.googleapis.com/{TYPE}", "statPrefix": "orders"},
    }


def test_other_users_of_protobuf_do_not_see_the_filter_for_kafka() -> None:
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName(TYPE)
