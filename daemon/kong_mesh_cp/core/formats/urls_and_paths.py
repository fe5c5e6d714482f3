"""Checks of URLs, file paths and networks as policies hold them.

The rules are those of the Go library that Kuma asks (asaskevich/govalidator), as far as users can
meet them: `otel-collector:4317` is a URL there, `collector` is not.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from kong_mesh_cp.core.formats.addresses import is_ip

URL_CHARACTERS_MIN: Final = 4
URL_CHARACTERS_MAX: Final = 2082

_PREFIX_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,2}")


def is_cidr(text: str) -> bool:
    """An address and the length of its prefix; bits behind the prefix may be set."""
    address, slash, length = text.partition("/")
    if not slash or not is_ip(address) or not _PREFIX_LENGTH.fullmatch(length):
        return False
    # The prefix is bounded by the family: /33 is one of IPv6 only.
    return int(length) <= ip_address(address).max_prefixlen


_UNIX_PATH: Final = re.compile(r"/[^\x00]*")
_WINDOWS_PATH: Final = re.compile(r"""[a-zA-Z]:\\[^/:*?"<>|\r\n]*""")


def is_file_path(text: str) -> bool:
    """An absolute path, of Unix or Windows."""
    return bool(_UNIX_PATH.fullmatch(text) or _WINDOWS_PATH.fullmatch(text))


_URL: Final = re.compile(
    r"(?:(?P<scheme>ftp|tcp|udp|wss?|https?)://)?"
    r"(?:[^\s/?#@]+@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\u00a1-\uffff][A-Za-z0-9\u00a1-\uffff_.-]*)"
    r"(?P<port>:[0-9]{1,5})?"
    r"(?:[/?#]\S*)?"
)


def is_url(text: str) -> bool:
    """With or without a scheme; a bare word is none, a word with a port or with a dot is."""
    # The bounds and the form of Go's govalidator, which Kuma asks: a host with a port or a dot is a
    # URL to it, whatever is in front.
    if not URL_CHARACTERS_MIN <= len(text) <= URL_CHARACTERS_MAX:
        return False
    found = _URL.fullmatch(text)
    if found is None or not _is_host(found["host"]):
        return False
    return bool(found["scheme"] or ":" in text or "." in text)


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return is_ip(host[1:-1])
    # A dot may end the name, but names have no empty parts, and parts do not end in a dash.
    labels = host.removesuffix(".").split(".")
    if len(labels) > 1 and len(labels[-1]) == 1 and labels[-1].isdigit():
        return is_ip(host)
    return all(label and label[-1] not in "-_" for label in labels)
