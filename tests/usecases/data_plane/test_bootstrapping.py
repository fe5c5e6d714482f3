"""What a proxy is started with, and in which order it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from kong_mesh_cp.core.admission.decision import RefusalCode, Refused
from kong_mesh_cp.core.admission.seats import ProxyKind
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.xds.bootstrap.bootstrap_request import BootstrapRequest
from kong_mesh_cp.core.xds.bootstrap.envoy_bootstrap import BootstrapTerms
from kong_mesh_cp.shell.host.certificates import is_no_authority
from kong_mesh_cp.usecases.data_plane.bootstrapping import (
    NO_AUTHORITY,
    TOKENLESS,
    Bootstrap,
    Bootstrapping,
    BootstrapPorts,
    BootstrapRefusedError,
    Reason,
)
from support.fakes.authorities import certificate
from support.fakes.fake_resources import FakeResourceStore
from support.fakes.resources import put

ASKED = BootstrapRequest(mesh="shop", name="web-1", token="a.b.c", workdir="/run")
HOST = "cp.example"
INBOUND = {"port": 8080, "tags": {"kuma.io/service": "web"}}
AUTHORITY = certificate()
LEAF = certificate(authority=False)


def dataplane(mesh: str = "shop", **networking: object) -> dict[str, object]:
    return {
        "type": "Dataplane",
        "mesh": mesh,
        "name": "web-1",
        "networking": {"address": "10.0.0.1", "inbound": [INBOUND], **networking},
    }


def gateway(kind: str) -> dict[str, object]:
    tags = {"kuma.io/service": "edge"}
    networking = {"address": "10.0.0.1", "gateway": {"type": kind, "tags": tags}}
    return {**dataplane(), "networking": networking}


@dataclass
class Plane:
    """The world of bootstrapping; all of it can be changed before a proxy asks."""

    store: FakeResourceStore = field(default_factory=FakeResourceStore)
    certificate_shown: bytes = AUTHORITY
    hosts: Sequence[str] = (HOST, "10.9.9.9")
    full: Refused | None = None
    asks: bool = True
    corefile: Callable[[], bytes | None] = lambda: None
    xds_host: str = ""
    asked_for_seats: list[tuple[str, str, ProxyKind]] = field(default_factory=list)

    def chain(self) -> bytes:
        return self.certificate_shown

    def names(self) -> Sequence[str]:
        return self.hosts

    async def seat_refusal(self, mesh: str, name: str, kind: ProxyKind) -> Refused | None:
        self.asked_for_seats.append((mesh, name, kind))
        return self.full

    async def _corefile(self) -> bytes | None:
        return self.corefile()

    async def apply(self, *documents: dict[str, object]) -> Plane:
        for document in documents:
            rest = {k: v for k, v in document.items() if k not in {"type", "mesh", "name"}}
            key = ResourceKey(
                str(document["type"]), str(document.get("mesh", "")), str(document["name"])
            )
            await self.store.apply([put(key, json.dumps(rest))])
        return self

    async def bootstrap(self, request: BootstrapRequest = ASKED, host: str = HOST) -> Bootstrap:
        async def has_only_ipv4(name: str) -> bool:
            return name == HOST

        ports = BootstrapPorts(
            store=self.store,
            certificate=self,
            seats=self,
            asks_for_token=lambda _: self.asks,
            read_text=json.loads,
            corefile=self._corefile,
            is_no_authority=is_no_authority,
            has_only_ipv4=has_only_ipv4,
        )
        bootstrapping = Bootstrapping(ports, BootstrapTerms(), xds_host=self.xds_host)
        return await bootstrapping.bootstrap(request, host)

    async def refusal(
        self, request: BootstrapRequest = ASKED, host: str = HOST
    ) -> tuple[Reason, str]:
        with pytest.raises(BootstrapRefusedError) as caught:
            await self.bootstrap(request, host)
        return caught.value.reason, caught.value.text


async def plane(*documents: dict[str, object], mesh: Mapping[str, object] | None = None) -> Plane:
    shop = {"type": "Mesh", "name": "shop", **(mesh or {})}
    return await Plane().apply(shop, *documents)


def bringing(document: object) -> BootstrapRequest:
    return replace(ASKED, resource=json.dumps(document))


async def test_a_stored_proxy_is_started_as_its_dataplane_says() -> None:
    made = await (await plane(dataplane(admin={"port": 9911}))).bootstrap()
    assert made.envoy["node"]["cluster"] == "web"
    assert made.envoy["admin"]["address"]["socketAddress"]["portValue"] == 9911
    assert (made.sidecar.address, made.sidecar.transparent_proxy) == ("10.0.0.1", False)
    ads = made.envoy["staticResources"]["clusters"][1]
    assert (ads["type"], ads["dnsLookupFamily"]) == ("STRICT_DNS", "V4_ONLY")


async def test_a_proxy_that_brings_its_dataplane_is_started_and_nothing_is_written() -> None:
    there = await plane()
    made = await there.bootstrap(bringing(dataplane()))
    assert made.envoy["node"]["metadata"]["dataplane.resource"] == json.dumps(dataplane())
    assert [key.type for key in there.store.resources] == ["Mesh"]


async def test_of_several_services_the_first_by_name_names_the_proxy() -> None:
    admin = {"port": 8081, "tags": {"kuma.io/service": "admin"}}
    made = await (await plane(dataplane(inbound=[INBOUND, admin]))).bootstrap()
    assert made.envoy["node"]["cluster"] == "admin"


async def test_a_builtin_gateway_is_started_as_one() -> None:
    made = await (await plane(gateway("BUILTIN"))).bootstrap()
    assert "overloadManager" in made.envoy
    assert "overloadManager" not in (await (await plane(gateway("DELEGATED"))).bootstrap()).envoy


@pytest.mark.parametrize(
    ("proxy_type", "resource"), [("ingress", "ZoneIngress"), ("egress", "ZoneEgress")]
)
async def test_a_proxy_of_a_zone_takes_no_seat(proxy_type: str, resource: str) -> None:
    networking = {"address": "10.0.0.1", "port": 10001, "admin": {"port": 9999}}
    there = await plane({"type": resource, "name": "zone-1", "networking": networking})
    there.full = Refused(code=RefusalCode.LICENSE_LIMIT, reason="full", hint="Free one.")
    asked = BootstrapRequest(name="zone-1", proxy_type=proxy_type, token="a.b.c")
    made = await there.bootstrap(asked)
    assert (made.envoy["node"]["id"], made.envoy["node"]["cluster"]) == (".zone-1", proxy_type)
    assert made.envoy["admin"]["address"]["socketAddress"]["portValue"] == 9999
    assert there.asked_for_seats == []


async def test_a_token_or_its_file_is_there() -> None:
    there = await plane(dataplane())
    without = replace(ASKED, token="")
    assert await there.refusal(without) == (Reason.INVALID, TOKENLESS)
    await there.bootstrap(replace(without, token_path="/run/token"))
    there.asks = False
    await there.bootstrap(without)


async def test_a_host_that_the_certificate_is_not_for_is_told_with_those_that_it_is_for() -> None:
    reason, text = await (await plane(dataplane())).refusal(host="other.example")
    assert reason is Reason.UNFIT
    assert text == (
        "A data plane proxy is trying to connect to the control plane using "
        '"other.example" address, but the certificate in the control plane has the following SANs '
        '["10.9.9.9" "cp.example"]. Either change the --cp-address in kuma-dp to one of those or '
        "execute the following steps:\n"
        "1) Generate a new certificate with the address you are trying to use. It is recommended to"
        " use trusted Certificate Authority, but you can also generate self-signed certificates "
        "using 'kumactl generate tls-certificate --type=server --hostname=other.example'\n"
        "2) Set KUMA_GENERAL_TLS_CERT_FILE and KUMA_GENERAL_TLS_KEY_FILE or the equivalent in Kuma "
        "CP config file to the new certificate.\n"
        "3) Restart the control plane to read the new certificate and start kuma-dp."
    )


async def test_where_a_host_is_set_the_one_of_the_request_does_not_matter() -> None:
    there = await plane(dataplane())
    there.xds_host = "10.9.9.9"
    made = await there.bootstrap(host="other.example")
    assert made.envoy["staticResources"]["clusters"][1]["type"] == "STATIC"


async def test_a_proxy_that_nobody_knows_is_absent() -> None:
    assert await (await plane()).refusal() == (Reason.ABSENT, "")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (
            dataplane(inbound=[{"port": 8080, "tags": {"kuma.io/protocol": "http"}}]),
            'networking.inbound[0].tags["kuma.io/service"]: tag has to exist',
        ),
        (
            dataplane(
                outbound=[{"port": 10001, "tags": {"kuma.io/service": "x"}}],
                transparentProxying={"redirectPortInbound": 15006, "redirectPortOutbound": 15001},
            ),
            "outbound: should be empty since dataplane is in Transparent Proxying mode",
        ),
        (dataplane(mesh="nowhere"), 'mesh: mesh "nowhere" does not exist'),
    ],
)
async def test_what_is_wrong_with_a_dataplane_is_told(
    document: dict[str, object], text: str
) -> None:
    assert await (await plane()).refusal(bringing(document)) == (Reason.INVALID, text)


@pytest.mark.parametrize(
    "request_",
    [
        replace(ASKED, proxy_type="gateway"),
        replace(ASKED, name=""),
        replace(ASKED, resource="{"),
        bringing([]),
        bringing({"type": "Mesh", "name": "shop"}),
        bringing({**dataplane(), "networking": 5}),
    ],
)
async def test_what_makes_no_sense_is_told_to_the_log_alone(request_: BootstrapRequest) -> None:
    assert await (await plane(dataplane())).refusal(request_) == (Reason.IMPOSSIBLE, "")


async def test_the_first_check_that_fails_has_the_word() -> None:
    there = await plane()
    there.certificate_shown = LEAF
    wrong = replace(bringing(dataplane(mesh="nowhere")), token="")
    assert (await there.refusal(wrong, "x"))[1] == TOKENLESS
    assert (await there.refusal(replace(wrong, token="t"), "x"))[0] is Reason.UNFIT
    assert (await there.refusal(replace(wrong, token="t")))[0] is Reason.INVALID
    there.full = Refused(code=RefusalCode.LICENSE_LIMIT, reason="full", hint="Free one.")
    assert (await there.refusal(bringing(dataplane())))[0] is Reason.FULL
    there.full = None
    assert await there.refusal(bringing(dataplane())) == (Reason.UNFIT, NO_AUTHORITY)


async def test_without_a_seat_the_refusal_is_told_with_its_code_and_remedy() -> None:
    there = await plane(dataplane())
    there.full = Refused(code=RefusalCode.LICENSE_LIMIT, reason="all are taken", hint="Free one.")
    assert await there.refusal() == (Reason.FULL, "license-limit: all are taken. Free one.")
    assert there.asked_for_seats == [("shop", "web-1", ProxyKind.SIDECAR)]


async def test_the_authority_that_a_proxy_has_been_given_wins() -> None:
    there = await plane(dataplane())
    there.certificate_shown = LEAF
    assert await there.refusal() == (Reason.UNFIT, NO_AUTHORITY)
    await there.bootstrap(replace(ASKED, ca_cert=AUTHORITY.decode()))
    there.certificate_shown = AUTHORITY
    given = replace(ASKED, ca_cert=LEAF.decode())
    assert await there.refusal(given) == (Reason.UNFIT, NO_AUTHORITY)
    assert await there.refusal(replace(ASKED, ca_cert="junk")) == (Reason.IMPOSSIBLE, "")


async def test_a_certificate_that_does_not_say_what_it_is_may_be_an_authority() -> None:
    there = await plane(dataplane())
    there.certificate_shown = certificate(authority=None)
    await there.bootstrap()


async def test_applications_to_scrape_are_those_of_the_mesh_refined_by_the_dataplane() -> None:
    def conf(*aggregate: dict[str, object]) -> dict[str, object]:
        return {"type": "prometheus", "conf": {"aggregate": list(aggregate)}}

    of_mesh = conf(
        {"name": "one", "port": 1, "path": "/one"},
        {"name": "two", "port": 2, "enabled": False},
        {"name": "three", "port": 3},
    )
    mesh = {"metrics": {"enabledBackend": "p", "backends": [{"name": "p", **of_mesh}]}}
    own = conf({"name": "three", "port": 33, "address": "127.0.0.1"}, {"name": "four", "port": 4})
    made = await (await plane({**dataplane(), "metrics": own}, mesh=mesh)).bootstrap()
    assert [(each.name, each.port) for each in made.sidecar.aggregates] == [
        ("one", 1),
        ("three", 33),
        ("four", 4),
    ]
    off = {"metrics": {"backends": mesh["metrics"]["backends"]}}
    made = await (await plane({**dataplane(), "metrics": own}, mesh=off)).bootstrap()
    assert made.sidecar.aggregates == ()


async def test_the_template_of_a_corefile_goes_with_it() -> None:
    there = await plane(dataplane())
    there.corefile = lambda: b". {}"
    assert (await there.bootstrap()).sidecar.corefile == b". {}"

    def gone() -> bytes:
        raise FileNotFoundError("gone")

    there.corefile = gone
    with pytest.raises(BootstrapRefusedError) as caught:
        await there.bootstrap()
    assert (caught.value.reason, caught.value.text) == (Reason.IMPOSSIBLE, "")
    assert "corefileTemplatePath" in caught.value.hint
