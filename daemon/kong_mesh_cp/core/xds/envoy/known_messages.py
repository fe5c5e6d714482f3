"""Messages of Envoy by name: those that are sent, and any other that someone writes in a patch.

Only the modules of the former are imported before they are needed. The modules of a message are
those of its package, which is also their folder.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Final, cast

from google.protobuf import descriptor, descriptor_pool, message_factory

from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.kafka import KAFKA_BROKER_MESSAGE, KAFKA_POOL

# No name that someone writes makes any other module be imported.
_NAME: Final = re.compile(
    r"(?P<package>(?:envoy|xds|udpa|opentelemetry\.proto|google\.(?:protobuf|rpc))"
    r"(?:\.[a-z][a-z0-9_]*)*)(?:\.[A-Z][A-Za-z0-9_]*)+"
)


class KnownMessages:
    """What `json_format` asks of a pool.

    The pool that all modules share does not have the message of Kafka's filter.
    """

    def FindMessageTypeByName(self, name: str) -> descriptor.Descriptor:  # noqa: N802  protobuf's
        """Raises: KeyError."""
        pool = KAFKA_POOL if name == KAFKA_BROKER_MESSAGE else descriptor_pool.Default()
        try:
            found = pool.FindMessageTypeByName(name)
        except KeyError:
            _import_package_of(name)
            found = pool.FindMessageTypeByName(name)
        return found


KNOWN: Final = cast("descriptor_pool.DescriptorPool", KnownMessages())


def message_class(name: str) -> type[Message]:
    """The class of the message with the full name `name`. Raises: KeyError."""
    found: type[Message] = message_factory.GetMessageClass(KNOWN.FindMessageTypeByName(name))
    return found


def _import_package_of(name: str) -> None:
    found = _NAME.fullmatch(name)
    if found is None:
        raise KeyError(name)
    try:
        package = importlib.import_module(found["package"])
    except ImportError:
        raise KeyError(name) from None
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{found['package']}.{module.name}")
