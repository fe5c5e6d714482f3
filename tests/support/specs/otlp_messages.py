"""The messages of OpenTelemetry's metrics (OTLP 1) for the runtime of protobuf.

Those that xds-protos brings are of a version before the first. The fields are those of
opentelemetry/proto/metrics/v1/metrics.proto, as far as this product sends them.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TYPES: Final = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "fixed64": descriptor_pb2.FieldDescriptorProto.TYPE_FIXED64,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
}
_PACKAGE: Final = "otlp.tests"

# A star is "repeated".
_MESSAGES: Final[dict[str, tuple[tuple[str, int, str], ...]]] = {
    "ExportMetricsServiceRequest": (("resource_metrics", 1, "*ResourceMetrics"),),
    "ResourceMetrics": (("resource", 1, "Resource"), ("scope_metrics", 2, "*ScopeMetrics")),
    "Resource": (("attributes", 1, "*KeyValue"),),
    "KeyValue": (("key", 1, "string"), ("value", 2, "AnyValue")),
    "AnyValue": (("string_value", 1, "string"),),
    "ScopeMetrics": (("scope", 1, "InstrumentationScope"), ("metrics", 2, "*Metric")),
    "InstrumentationScope": (("name", 1, "string"), ("version", 2, "string")),
    "Metric": (
        *(("name", 1, "string"), ("description", 2, "string"), ("gauge", 5, "Gauge")),
        *(("sum", 7, "Sum"), ("histogram", 9, "Histogram"), ("summary", 11, "Summary")),
    ),
    "Gauge": (("data_points", 1, "*NumberDataPoint"),),
    "Sum": (
        ("data_points", 1, "*NumberDataPoint"),
        ("aggregation_temporality", 2, "int32"),
        ("is_monotonic", 3, "bool"),
    ),
    "Histogram": (
        ("data_points", 1, "*HistogramDataPoint"),
        ("aggregation_temporality", 2, "int32"),
    ),
    "Summary": (("data_points", 1, "*SummaryDataPoint"),),
    "NumberDataPoint": (
        ("attributes", 7, "*KeyValue"),
        ("time_unix_nano", 3, "fixed64"),
        ("as_double", 4, "double"),
    ),
    "HistogramDataPoint": (
        *(("attributes", 9, "*KeyValue"), ("time_unix_nano", 3, "fixed64")),
        *(("count", 4, "fixed64"), ("sum", 5, "double")),
        *(("bucket_counts", 6, "*fixed64"), ("explicit_bounds", 7, "*double")),
    ),
    "SummaryDataPoint": (
        *(("attributes", 7, "*KeyValue"), ("time_unix_nano", 3, "fixed64")),
        *(("count", 4, "fixed64"), ("sum", 5, "double")),
        ("quantile_values", 6, "*ValueAtQuantile"),
    ),
    "ValueAtQuantile": (("quantile", 1, "double"), ("value", 2, "double")),
}


def _request_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="otlp_tests.proto", package=_PACKAGE, syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        for name, number, kind in fields:
            label = "LABEL_REPEATED" if kind.startswith("*") else "LABEL_OPTIONAL"
            field = made.field.add(name=name, number=number)
            field.label = descriptor_pb2.FieldDescriptorProto.Label.Value(label)
            single = kind.lstrip("*")
            if single in _TYPES:
                field.type = _TYPES[single]
            else:
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{single}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"{_PACKAGE}.ExportMetricsServiceRequest")
    return message_factory.GetMessageClass(found)


_REQUEST: Final = _request_class()


def read_request(message: bytes) -> Any:
    """An `ExportMetricsServiceRequest`, of which every byte has to be known."""
    read = _REQUEST.FromString(message)
    kept = read.ByteSize()
    read.DiscardUnknownFields()
    assert read.ByteSize() == kept, "there are fields that are none"
    return read
