"""The filter for Kafka, which the modules of Envoy's messages leave out: it is a contribution.

Source: docs/wire/envoy-names.md#inbounds
"""

from __future__ import annotations

from typing import Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.names import metric_name

KAFKA_BROKER: Final = "envoy.filters.network.kafka_broker"
_PACKAGE: Final = "envoy.extensions.filters.network.kafka_broker.v3"
KAFKA_BROKER_MESSAGE: Final = f"{_PACKAGE}.KafkaBroker"


def _file() -> descriptor_pb2.FileDescriptorProto:
    field = descriptor_pb2.FieldDescriptorProto
    stat_prefix = field(
        name="stat_prefix", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL
    )
    return descriptor_pb2.FileDescriptorProto(
        name="envoy/extensions/filters/network/kafka_broker/v3/kafka_broker.proto",
        package=_PACKAGE,
        syntax="proto3",
        message_type=[descriptor_pb2.DescriptorProto(name="KafkaBroker", field=[stat_prefix])],
    )


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()  # of its own: another module may bring the real file
    pool.Add(_file())
    return pool


KAFKA_POOL: Final = _pool()
_KafkaBroker: Final = message_factory.GetMessageClass(
    KAFKA_POOL.FindMessageTypeByName(KAFKA_BROKER_MESSAGE)
)


def kafka_broker(stats_name: str) -> Message:
    return _KafkaBroker(stat_prefix=metric_name(stats_name))
