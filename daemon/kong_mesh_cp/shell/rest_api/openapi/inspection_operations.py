"""OpenAPI operations of the inspection routes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.resources.registry import ResourceType
from kong_mesh_cp.shell.http.operations import Operation

TAG: Final = "Inspection"
DATAPLANE_RULES: Final = Operation(
    id="getDataplaneRules",
    summary="What policies come to for a data plane proxy",
    tag=TAG,
    answers=("Rules",),
)
GATEWAY_RULES: Final = Operation(
    id="getMeshGatewayRules",
    summary="What policies come to for the proxies of a gateway",
    tag=TAG,
    answers=("Rules",),
)
CONFIG: Final = Operation(
    id="getDataplaneConfig",
    summary="The configuration of a data plane proxy",
    tag=TAG,
    description="`include=diff` adds what `shadow=true` would change.",
    answers=("ProxyConfiguration",),
    query=("include", "shadow"),
)
EXPLANATION: Final = Operation(
    id="explainDataplane",
    summary="Why a data plane proxy is configured as it is",
    tag=TAG,
    description=(
        "Of every inbound and outbound: each setting, the entry of the policy that says it, those "
        "that said something else and why they lost, and the resources of Envoy that carry it."
    ),
    answers=("Explanation",),
    query=("inbound", "outbound", "shadow"),
)
PREVIEW: Final = Operation(
    id="preview",
    summary="What writes would do, before they are made",
    tag=TAG,
    description=(
        "Judges every resource as its dry run would be, and tells which data plane proxies would "
        "be told something else, and what. Nothing is written, and no proxy hears of it. It takes "
        "the rights that the writes take, and to read Dataplanes. Only where the index has "
        "`preview` among its `capabilities`."
    ),
    answers=("Preview",),
    takes="PreviewRequest",
    query=("strict",),
)
GATEWAY_CONFIG: Final = replace(
    CONFIG,
    id="getMeshGatewayConfig",
    summary="The configuration of a gateway",
)
HOSTNAMES: Final = Operation(
    id="getHostnames",
    summary="The host names of a service",
    tag=TAG,
    description="`type` is `meshservices`, `meshexternalservices` or `meshmultizoneservices`.",
    answers=("Hostnames",),
)
SERVICES: Final = Operation(
    id="listServices",
    summary="The services of a mesh",
    tag=TAG,
    answers=("ServiceViewList",),
    query=("name", "offset", "size", "type"),
)
ALL_SERVICES: Final = replace(SERVICES, id="listAllServices", summary="The services of all meshes")
SERVICE: Final = Operation(
    id="getService", summary="One service of a mesh", tag=TAG, answers=("ServiceView",)
)
GLOBAL_INSIGHT: Final = Operation(
    id="getGlobalInsight",
    summary="Sums over all meshes and zones",
    tag=TAG,
    answers=("GlobalInsight",),
)
GLOBAL_INSIGHTS: Final = Operation(
    id="getGlobalInsights",
    summary="How many there are of each global type",
    tag=TAG,
    answers=("GlobalInsights",),
)


def affected(resource_type: ResourceType) -> Operation:
    return Operation(
        id=f"list{resource_type.name}Dataplanes",
        summary=f"The data plane proxies of a {resource_type.singular}",
        tag=TAG,
        answers=("Affected",),
        query=("name", "offset", "size"),
    )


# Older forms of what is above.

POLICIES: Final = Operation(
    id="getDataplanePolicies",
    summary="The policies of a data plane proxy, by the place where they are attached",
    tag=TAG,
    answers=("SidecarPolicies", "GatewayPolicies"),
)
RULES: Final = Operation(
    id="getDataplaneRulesByOldPath",
    summary="What policies come to for a data plane proxy, as a list",
    tag=TAG,
    answers=("RuleList",),
)
ZONES: Final = Operation(
    id="getZoneStatuses", summary="Which zones take part", tag=TAG, answers=("ZoneStatuses",)
)


def attached(resource_type: ResourceType) -> Operation:
    return Operation(
        id=f"list{resource_type.name}DataplanesByOldPath",
        summary=f"The data plane proxies of a {resource_type.singular}, and where it is attached",
        tag=TAG,
        answers=("AttachedDataplanes",),
    )


def envoy(resource_type: ResourceType, view: str) -> Operation:
    of_xds = view == "xds"
    return Operation(
        id=f"get{resource_type.name}{view.title()}",
        summary=f"What the Envoy of a {resource_type.singular} says of its {view}",
        tag=TAG,
        answers=("EnvoyAnswer",),
        answers_as_text=not of_xds,
        query=("include_eds",) if of_xds else (),
        description=(
            "The configuration that Envoy has, without private keys."
            if of_xds
            else "As Envoy's admin interface writes it: plain text, or JSON with `?format=json`."
        ),
    )
