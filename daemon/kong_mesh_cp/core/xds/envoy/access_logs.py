"""Access loggers, and the filters that have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kong_mesh_cp.core.xds.envoy.envoy_messages import (
    AccessLog,
    AnyValue,
    FileAccessLog,
    Message,
    OpenTelemetryAccessLog,
    packed,
)

FILE: Final = "envoy.access_loggers.file"
OPEN_TELEMETRY: Final = "envoy.access_loggers.open_telemetry"
LOG_NAME: Final = "MeshAccessLog"

JsonFormat = tuple[tuple[str, "str | JsonFormat"], ...]
"""Members of an object with their values."""


def file_log(path: str, line: str | JsonFormat, *, omit_empty: bool) -> Message:
    """`line` is a text, of which one follows the other, or an object in a line of its own."""
    log = FileAccessLog(path=path)
    form = log.log_format
    form.omit_empty_values = omit_empty
    if isinstance(line, str):
        form.text_format_source.inline_string = line
    else:
        form.json_format.SetInParent()
        _fill(form.json_format, line)
    return AccessLog(name=FILE, typed_config=packed(log))


def _fill(struct: Message, members: JsonFormat) -> None:
    for name, value in members:
        if isinstance(value, str):
            struct.fields[name].string_value = value
        else:
            inner = struct.fields[name].struct_value
            inner.SetInParent()
            _fill(inner, value)


def collector_log(cluster: str, body: Message, attributes: Iterable[tuple[str, str]]) -> Message:
    """Records for a collector of OpenTelemetry. `body` is an AnyValue."""
    log = OpenTelemetryAccessLog(
        common_config={
            "log_name": LOG_NAME,
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": cluster}},
        },
        body=body,
    )
    log.attributes.SetInParent()
    for key, text in attributes:
        log.attributes.values.add(key=key, value=AnyValue(string_value=text))
    return AccessLog(name=OPEN_TELEMETRY, typed_config=packed(log))
