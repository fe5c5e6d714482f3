"""ProxyTemplates (docs/wire/envoy-patches.md#templates)."""

from __future__ import annotations

from typing import Any

import pytest

from support.specs.sidecars import Told, instance, outbound, told, web
from support.specs.transparent_proxies import Json

CALLER = web(to=(outbound(10001, "pay"),))
OTHER = instance("pay", "http")
ALL = [{"match": {"kuma.io/service": "*"}}]
CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
RAW = f"'@type': {CLUSTER}\nname: raw\ntype: STATIC\nconnectTimeout: 2s"


def template(name: str = "t", *, selectors: list[Json] | None = None, **conf: object) -> Json:
    return {
        "type": "ProxyTemplate",
        "mesh": "m",
        "name": name,
        "selectors": ALL if selectors is None else selectors,
        "conf": conf,
    }


def raw(text: str = RAW, name: str = "raw") -> list[Json]:
    return [{"name": name, "version": "1", "resource": text}]


def modify(part: str, **members: Any) -> list[Json]:
    return [{part: members}]


def found(*documents: Json) -> Told:
    return told(CALLER, OTHER, *documents)


def timeouts(found: Told) -> dict[str, str]:
    return {name: each["connectTimeout"] for name, each in found.clusters.items()}


def test_a_template_without_a_profile_leaves_what_it_brings_alone() -> None:
    made = found(template(resources=raw()))
    assert timeouts(made) == {"raw": "2s"}
    assert (made.listeners, made.endpoints, made.complaints) == ({}, {}, [])


def test_with_its_profile_a_proxy_has_both() -> None:
    made = found(template(imports=["default-proxy"], resources=raw()))
    assert timeouts(made) == {"raw": "2s", "localhost:8080": "5s", "pay": "5s"}


def test_modifications_come_last_and_of_all() -> None:
    patch = {"operation": "patch", "value": "connectTimeout: 9s"}
    made = found(
        template(
            imports=["default-proxy"],
            resources=raw(),
            modifications=[
                *modify("cluster", operation="add", value="name: added\nconnectTimeout: 1s"),
                *modify("cluster", match={"origin": "proxy-template-raw"}, **patch),
                *modify("cluster", match={"origin": "proxy-template-modifications"}, **patch),
                *modify("cluster", match={"name": "pay", "origin": ""}, **patch),
            ],
        )
    )
    assert timeouts(made) == {"raw": "9s", "added": "9s", "localhost:8080": "5s", "pay": "9s"}


def test_filters_and_hosts_are_modified_as_by_patches_of_today() -> None:
    buffer = """
    name: envoy.filters.http.buffer
    typedConfig:
      '@type': type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
      maxRequestBytes: 512
    """
    made = found(
        template(
            imports=["default-proxy"],
            modifications=[
                *modify("httpFilter", operation="addFirst", value=buffer),
                *modify(
                    "virtualHost",
                    operation="patch",
                    match={"routeConfigurationName": "outbound:pay"},
                    value="domains: [pay.test]",
                ),
                *modify(
                    "listener",
                    operation="remove",
                    match={"tags": {"kuma.io/service": "web"}},
                    value="is: ignored",
                ),
                *modify(
                    "networkFilter",
                    operation="remove",
                    match={"listenerName": "nobody", "listenerTags": {"a": "b"}},
                ),
            ],
        )
    )
    assert list(made.listeners) == ["outbound:127.0.0.1:10001"]
    manager = made.filter("outbound:127.0.0.1:10001")
    assert manager["httpFilters"][0]["name"] == "envoy.filters.http.buffer"
    assert manager["routeConfig"]["virtualHosts"][0]["domains"] == ["*", "pay.test"]


def test_of_several_templates_the_most_specific_counts() -> None:
    own = [{"match": {"kuma.io/service": "web"}}]
    made = found(
        template("all", resources=raw()),
        template("own", selectors=own, imports=["default-proxy"]),
    )
    assert "raw" not in made.clusters
    assert "pay" in made.clusters


def test_a_template_for_others_changes_nothing() -> None:
    other = [{"match": {"kuma.io/service": "pay"}}]
    assert timeouts(found(template(selectors=other, resources=raw()))) == timeouts(found())


def test_a_profile_of_other_proxies_stands_for_the_one_of_this() -> None:
    made = found(template(imports=["ingress-proxy"]))
    assert timeouts(made) == timeouts(found())
    (complaint,) = made.complaints
    assert complaint.startswith(
        "ProxyTemplate: profile ingress-proxy is none of a data plane proxy"
    )


@pytest.mark.parametrize(
    "text",
    [
        "'@type': type.googleapis.com/envoy.config.nothing.v3.Nothing",
        "'@type': type.googleapis.com/envoy.config.core.v3.Address",
        f"'@type': {CLUSTER}\nconnectTimeout: soon",
    ],
)
def test_what_is_no_resource_is_told_and_the_rest_is_there(text: str) -> None:
    made = found(template(resources=[*raw(text, "wrong"), *raw()]))
    assert timeouts(made) == {"raw": "2s"}
    (complaint,) = made.complaints
    assert complaint.startswith("ProxyTemplate: resource 1, wrong: ")


def test_endpoints_that_are_brought_go_before_those_that_were_found() -> None:
    url = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    made = found(
        template(
            imports=["default-proxy"], resources=raw(f"'@type': {url}\nclusterName: pay", "pay")
        )
    )
    assert made.endpoints["pay"] == {"clusterName": "pay"}
