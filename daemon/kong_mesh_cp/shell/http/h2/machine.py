"""h2's state of one connection, and h2 itself: it is imported with the first of them."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.shell.http.h2 import bounds

if TYPE_CHECKING:
    from h2 import config, connection, events, exceptions, settings
else:
    config = lazy_import("h2.config")
    connection = lazy_import("h2.connection")
    events = lazy_import("h2.events")
    exceptions = lazy_import("h2.exceptions")
    settings = lazy_import("h2.settings")

__all__ = ["connection", "events", "exceptions", "new_client_machine", "new_machine"]


@functools.cache
def _kind() -> type[connection.H2Connection]:
    class Machine(connection.H2Connection):
        """h2's, which remembers fewer of the streams that have ended."""

        MAX_CLOSED_STREAMS = bounds.CLOSED_STREAMS_KEPT

    return Machine


@functools.cache
def _config(*, client_side: bool = False) -> config.H2Configuration:
    # It would log every header, tokens among them.
    logging.getLogger("hpack").setLevel(logging.WARNING)
    return config.H2Configuration(
        client_side=client_side,
        header_encoding=None,
        validate_outbound_headers=False,  # what is sent is checked, and in order, where it is made
        normalize_outbound_headers=False,
    )


def new_machine(header_bytes_max: int) -> connection.H2Connection:
    """A server's side; its SETTINGS are ready to be sent."""
    made = _kind()(_config())
    codes = settings.SettingCodes
    values = {
        codes.MAX_CONCURRENT_STREAMS: bounds.STREAMS_MAX,
        codes.MAX_HEADER_LIST_SIZE: header_bytes_max,
        codes.HEADER_TABLE_SIZE: bounds.HEADER_TABLE_BYTES_MAX,
    }
    made.local_settings = settings.Settings(client=False, initial_values=values)
    made.decoder.max_header_list_size = header_bytes_max
    made.initiate_connection()
    made.increment_flow_control_window(bounds.CONNECTION_WINDOW_BYTES - bounds.STREAM_WINDOW_BYTES)
    # h2 ends the connection for a stream too many; here only that one is refused.
    values[codes.MAX_CONCURRENT_STREAMS] = 2 * bounds.STREAMS_MAX
    made.local_settings = settings.Settings(client=False, initial_values=values)
    return made


def new_client_machine() -> connection.H2Connection:
    """A client's side; its preface and SETTINGS are ready to be sent."""
    made = _kind()(_config(client_side=True))
    codes = settings.SettingCodes
    values = {
        codes.ENABLE_PUSH: 0,
        codes.INITIAL_WINDOW_SIZE: bounds.CLIENT_STREAM_WINDOW_BYTES,
        codes.MAX_HEADER_LIST_SIZE: bounds.CLIENT_HEADER_BYTES_MAX,
        codes.HEADER_TABLE_SIZE: bounds.HEADER_TABLE_BYTES_MAX,
    }
    made.local_settings = settings.Settings(client=True, initial_values=values)
    made.decoder.max_header_list_size = bounds.CLIENT_HEADER_BYTES_MAX
    made.initiate_connection()
    made.increment_flow_control_window(
        bounds.CLIENT_CONNECTION_WINDOW_BYTES - bounds.STREAM_WINDOW_BYTES
    )
    return made
