"""What the `conf` of a Mesh's logging and tracing backends holds, by their type."""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.messages import Message, Uint32, proto


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpConf(Message):
    """Where a collector of logs takes lines."""

    address: str = proto("", number=1)  # `host:port`


@dataclass(frozen=True, slots=True, kw_only=True)
class FileConf(Message):
    """The file that a proxy writes lines to, on its own machine."""

    path: str = proto("", number=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipkinConf(Message):
    """Where Zipkin takes spans, and in which form."""

    url: str = proto("", number=1)
    trace_id_128bit: bool = proto(default=False, number=2)
    api_version: str = proto("", number=3)  # "": JSON over HTTP
    shared_span_context: bool | None = proto(number=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatadogConf(Message):
    """Where an agent of Datadog takes spans, and whether a service is shown in parts."""

    address: str = proto("", number=1)
    port: Uint32 = proto(0, number=2)
    split_service: bool = proto(default=False, number=3)
