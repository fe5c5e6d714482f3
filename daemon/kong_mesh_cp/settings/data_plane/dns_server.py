"""Settings for names of services, and for the virtual addresses behind them."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.value_shapes import secret_in
from kong_mesh_cp.settings import forms
from kong_mesh_cp.settings.forms import Form, must_be
from kong_mesh_cp.settings.options import option

_DOMAIN: Final = re.compile(r"[a-zA-Z0-9_-]{1,63}(\.[a-zA-Z0-9_-]{1,63})*")
DOMAIN_CHARACTERS_MAX: Final = 190  # 63 are for a service in front of it


def _network(value: object) -> str:
    """As Go's net.ParseCIDR: bits behind the prefix do not count."""
    if not isinstance(value, str) or not value.rpartition("/")[2].isdecimal():
        raise must_be(NETWORK.expected)
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise must_be(NETWORK.expected) from None


def _domain(value: object) -> str:
    if (
        not isinstance(value, str)
        or len(value) > DOMAIN_CHARACTERS_MAX
        or not _DOMAIN.fullmatch(value)
        or secret_in(value) is not None
    ):
        raise must_be(DOMAIN.expected)
    return value


NETWORK = Form("a range of addresses, such as 240.0.0.0/4", _network)
DOMAIN = Form(
    f"a DNS name of at most {DOMAIN_CHARACTERS_MAX} characters, without a dot at an end", _domain
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsServerSettings:
    """What applications call the services of a mesh, where all their traffic is redirected."""

    domain: str = option(
        DOMAIN,
        default="mesh",
        environment="KUMA_DNS_SERVER_DOMAIN",
        doc="The domain of services: a service web is called web.mesh by transparent proxies.",
    )
    CIDR: str = option(
        NETWORK,
        default="240.0.0.0/4",
        environment="KUMA_DNS_SERVER_CIDR",
        doc="The range that virtual addresses are taken from. Nothing else may be reached there. A "
        "name that has an address keeps it when the range is changed.",
    )
    service_vip_enabled: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_DNS_SERVER_SERVICE_VIP_ENABLED",
        doc="Whether each service has a name and a virtual address of its own. Those of a "
        "VirtualOutbound and of hosts of ExternalServices are there in any case.",
    )
    service_vip_port: int = option(
        forms.whole_number(1, forms.PORT_MAX),
        default=80,
        environment="KUMA_DNS_SERVER_SERVICE_VIP_PORT",
        doc="The port on which services are called by their names.",
    )
