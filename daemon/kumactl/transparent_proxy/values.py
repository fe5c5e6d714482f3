"""How the settings of a transparent proxy are written, in flags, in variables and in YAML.

Each reader takes a text, or what YAML makes of it. Raises: ValueError with what is expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_interface
from typing import Final, TypeVar

from kong_mesh_cp.core.formats.durations import DurationError, parse_duration

PORT_MAX: Final = 65535
COUNT_MAX: Final = 1_000_000  # of seconds, of tries: more is a mistake
RETRY_SLEEP_NANOSECONDS_MAX: Final = 3600 * 1_000_000_000
PATH_CHARACTERS_MAX: Final = 4096
_TRUE: Final = frozenset({"true", "t", "1"})
_FALSE: Final = frozenset({"false", "f", "0"})
# What the kernel takes, and iptables' + for names that begin so; no blank or quotation mark.
_INTERFACE: Final = re.compile(r"[A-Za-z0-9_.@-]{1,15}\+?")
_NUMBER_RANGE: Final = re.compile(r"[0-9]{1,10}(-[0-9]{1,10})?")
EXECUTABLES: Final = tuple(
    f"{family}{suffix}"
    for family in ("iptables", "ip6tables")
    for suffix in ("", "-save", "-restore")
)
T = TypeVar("T")


def switch(value: object) -> bool:
    """`true`, `false`."""
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise ValueError("expected true or false")


def text(value: object) -> str:
    """One line that is no list."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError("expected a text")  # noqa: TRY004 (one kind of error for all readers)
    found = str(value).strip()
    if len(found) > PATH_CHARACTERS_MAX or not found.isprintable():
        raise ValueError("expected one line of text")
    return found


def count(value: object) -> int:
    """A whole number from 0 on."""
    shown = str(value).strip()
    digits = shown.isascii() and shown.isdigit() and len(shown) <= len(str(COUNT_MAX))
    if isinstance(value, bool) or not digits or int(shown) > COUNT_MAX:
        raise ValueError(f"expected a whole number from 0 to {COUNT_MAX}")
    return int(shown)


def level(value: object) -> int:
    """A level of the kernel's log: 0 (emergency) to 7 (debug)."""
    found = count(value)
    if found > 7:
        raise ValueError("expected a level of the kernel's log, from 0 to 7")
    return found


def port(value: object) -> int:
    """The number of a port."""
    shown = str(value).strip()
    usable = shown.isascii() and shown.isdigit() and len(shown) <= 5
    if isinstance(value, bool) or not usable or not 0 < int(shown) <= PORT_MAX:
        raise ValueError(
            f"value '{shown}' is not a valid port (uint16 in the range [1, {PORT_MAX}])"
        )
    return int(shown)


def ports(value: object) -> tuple[int, ...]:
    """`22,443`, or a list of such."""
    return tuple(port(each) for each in _words(value))


def nanoseconds(value: object) -> int:
    """A duration in Go's form."""
    try:
        found = parse_duration(str(value))
    except DurationError as error:
        raise ValueError(str(error)) from None
    if not 0 <= found <= RETRY_SLEEP_NANOSECONDS_MAX:
        raise ValueError("expected a duration from 0s to 1h")
    return found


def family_mode(value: object) -> str:
    """`dualstack` or `ipv4`."""
    found = text(value).lower() or "dualstack"
    if found not in {"dualstack", "ipv4"}:
        raise ValueError("must be one of 'dualstack' or 'ipv4'")
    return found


def texts(value: object) -> tuple[str, ...]:
    """A list of texts; one text is a list of one. Their commas belong to them."""
    return tuple(text(each) for each in (value if isinstance(value, list) else [value]))


def addresses(value: object) -> tuple[str, ...]:
    """Addresses with or without the length of a prefix, `10.0.0.1,fd00::/8`, or a list of such."""
    found = _words(value)
    if not found and value not in ((), []):
        raise ValueError("invalid exclusion rule: the rule cannot be empty")
    for each in found:
        try:
            ip_interface(each)
        except ValueError:
            raise ValueError(
                f"invalid IP address: '{each}'. Expected format: <ip> or <ip>/<cidr>"
                " (e.g., 10.0.0.1, 172.16.0.0/16, fe80::1, fe80::/10)"
            ) from None
    return tuple(found)


def networks(value: object) -> tuple[tuple[str, str], ...]:
    """Interfaces and their networks: `docker0:172.17.0.0/16`, `br+:fd00::/64`, or a list."""
    found = []
    for each in _words(value):
        name, colon, network = each.partition(":")
        if not colon or not _INTERFACE.fullmatch(name) or name.startswith("-"):
            raise ValueError(f"invalid virtual network definition: {each}")
        try:
            ip_interface(network)
        except ValueError:
            raise ValueError(f"invalid CIDR definition for {network}") from None
        if "/" not in network:
            raise ValueError(f"invalid CIDR definition for {network}")
        found.append((name, network))
    return tuple(found)


def uid_exclusions(value: object) -> tuple[str, ...]:
    """`tcp:22,80-90:1000-2000` and its shorter forms; read by `exclusions.by_uid`."""
    return texts(value)


def executables(value: object) -> dict[str, str]:
    """`iptables:/usr/sbin/iptables,…`, or an object of such names and paths."""
    if isinstance(value, dict):
        pairs = [(str(name), text(path)) for name, path in value.items()]
    else:
        pairs = []
        for each in _words(value):
            name, colon, path = each.partition(":")
            if not colon:
                raise ValueError(
                    f"invalid format in '{each}': expected '<name>:<path>' (e.g.,"
                    " 'iptables:/usr/sbin/iptables')"
                )
            pairs.append((name, path))
    for name, _ in pairs:
        if name not in EXECUTABLES:
            raise ValueError(
                f"unsupported executable name '{name}': valid names are {', '.join(EXECUTABLES)}"
            )
    return dict(pairs)


def number_range(value: str, maximum: int) -> str:
    """`1000-2000` or `1000`. Raises: ValueError."""
    if not _NUMBER_RANGE.fullmatch(value):
        raise ValueError(f"validation failed for value or range '{value}'")
    numbers = [int(each) for each in value.split("-")]
    if max(numbers) > maximum or numbers != sorted(numbers):
        raise ValueError(f"validation failed for value or range '{value}'")
    return value


def is_ipv6(address: str) -> bool:
    """Of an address, with or without the length of a prefix. One of IPv4 in IPv6 is IPv4's."""
    found = ip_address(address.partition("/")[0])
    return found.version == 6 and found.ipv4_mapped is None


def _words(value: object) -> list[str]:
    given = value if isinstance(value, list) else [value]
    words = [word.strip() for each in given for word in str(each).split(",")]
    return [word for word in words if word]


Reader = Callable[[object], object]
