"""Which policies meet which proxies, as text: by proxy, or by policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from kumactl.json_value import JsonObject, at, object_at, objects_at, text_at
from kumactl.tables.columns import render_table

_GATEWAY: Final = "MeshGatewayDataplane"
_SERVICE_TAG: Final = "kuma.io/service"


def policies_of_dataplane(answer: JsonObject) -> Iterator[str]:
    """Lines for `/dataplanes/{name}/policies`: each attachment with its policies."""
    if text_at(answer, "kind") == _GATEWAY:
        yield from _gateway_policies(answer)
        return
    for item in objects_at(answer, "items"):
        yield f"{_attachment(item, upper=True)}:"
        matched = object_at(item, "matchedPolicies")
        for name in sorted(matched):
            yield f"  {name}"
            yield from (f"    {text_at(policy, 'name')}" for policy in objects_at(matched, name))
        yield ""


def _gateway_policies(answer: JsonObject) -> Iterator[str]:
    yield "MESHGATEWAY:"
    yield from _named_policies(object_at(answer, "policies"), "  ")
    yield ""
    for listener in objects_at(answer, "listeners"):
        yield f"LISTENER ({_endpoint(listener)}):"
        for host in objects_at(listener, "hosts"):
            yield f"  {text_at(host, 'hostName')}:"
            for route in objects_at(host, "routes"):
                yield f"    ROUTE {text_at(route, 'route')}:"
                for destination in objects_at(route, "destinations"):
                    yield f"      SERVICE {text_at(destination, 'tags', _SERVICE_TAG)}:"
                    yield from _named_policies(object_at(destination, "policies"), "        ")
                    yield ""


def _named_policies(policies: JsonObject, indent: str) -> Iterator[str]:
    for name in sorted(policies):
        yield f"{indent}{name}"
        yield f"{indent}  {text_at(policies, name, 'name')}"


def dataplanes_of_policy(answer: JsonObject) -> Iterator[str]:
    """Lines for `/{policies}/{name}/dataplanes`: each proxy with where the policy attaches."""
    yield "Affected data plane proxies:"
    yield ""
    for item in objects_at(answer, "items"):
        if text_at(item, "kind") == _GATEWAY:
            yield from _affected_gateway(item)
        else:
            yield from _affected_sidecar(item)


def _affected_sidecar(item: JsonObject) -> Iterator[str]:
    name = text_at(item, "dataplane", "name")
    attached = objects_at(item, "attachments")
    if [text_at(each, "type") for each in attached] in ([], ["dataplane"]):
        yield f"  {name}"
        return
    yield f"  {name}:"
    yield from (f"    {_attachment(each, upper=False)}" for each in attached)
    yield ""


def _affected_gateway(item: JsonObject) -> Iterator[str]:
    yield f"  {text_at(item, 'gateway', 'name')}:"
    for listener in objects_at(item, "listeners"):
        yield f"    listener ({_endpoint(listener)}):"
        for host in objects_at(listener, "hosts"):
            yield f"      {text_at(host, 'hostName')}:"
            for route in objects_at(host, "routes"):
                yield f"        {text_at(route, 'route')}:"
                for destination in objects_at(route, "destinations"):
                    yield f"          service {text_at(destination, _SERVICE_TAG)}"
    yield ""


def _endpoint(listener: JsonObject) -> str:
    return f"{text_at(listener, 'protocol')}:{at(listener, 'port')}"


def _attachment(item: JsonObject, *, upper: bool) -> str:
    kind, name = text_at(item, "type"), text_at(item, "name")
    shown = kind.upper() if upper else kind
    match kind:
        case "dataplane":
            return shown
        case "service":
            return f"{shown} {name}"
        case _:
            return f"{shown} {name}({text_at(item, 'service')})"


def selected_table(items: Iterable[JsonObject], total: int) -> str:
    """The proxies of `/{policies}/{name}/_resources/dataplanes`."""
    rows = [[text_at(item, key) for key in ("type", "mesh", "name")] for item in items]
    return f"{render_table(('Type', 'Mesh', 'Name'), rows)}\nTotal: {total}\n"
