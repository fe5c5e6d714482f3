"""OpenAPI schemas of answers that are no resources.

Their members are written where the answers are made; that both agree is what the schema fuzzer of
tests/system looks at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.identity.key_series import GLOBAL_SERIES
from kong_mesh_cp.core.schema.json_schema import PREFIX, Schema, integer
from kong_mesh_cp.shell.rest_api.capabilities import CAPABILITIES
from kong_mesh_cp.usecases.identity.key_requests import DATAPLANE
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeyUse
from kong_mesh_cp.usecases.ports.secrets import SealingKeyUse

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = integer(64, 0)
INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}
COUNTS: Final[Schema] = {"type": "object", "additionalProperties": COUNT}
ANY_OBJECT: Final[Schema] = {"type": "object", "additionalProperties": True}


def of(name: str) -> Schema:
    """A reference to the schema `name`."""
    return {"$ref": f"{PREFIX}{name}"}


def many(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def perhaps(schema: Schema) -> Schema:
    """`schema`, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(description: str, optional: Mapping[str, Schema] = {}, /, **members: Schema) -> Schema:
    """An object; `members` are always there."""
    return {
        "type": "object",
        **({"description": description} if description else {}),
        "properties": {**members, **optional},
        "required": list(members),
    }


def page(items: Schema) -> Schema:
    """One page of a list."""
    following = perhaps({"type": "string", "description": "The address of the next page."})
    return record("", total=COUNT, items=many(items), next=following)


_TOTAL: Final = record("", total=COUNT)
_BY_STATUS: Final = record("", offline=COUNT, online=COUNT, partiallyDegraded=COUNT, total=COUNT)
_ONLINE: Final = record("", online=COUNT, total=COUNT)
_INBOUND: Final = record("", {"name": TEXT}, port=COUNT, tags=TEXTS)
_CONFS: Final = many(ANY_OBJECT)
_ENTRIES: Final = many(record("", resourceMeta=of("ResourceMeta"), ruleIndex=COUNT))
_REFUSAL: Final = record("", {"since": INSTANT}, code=TEXT, message=TEXT, hint=TEXT)

_SUBSET_RULE: Final = record(
    "What the members of a subset of all traffic get.",
    conf=ANY_OBJECT,
    matchers=many(record("", key=TEXT, value=TEXT, **{"not": FLAG})),
    origin=many(of("ResourceMeta")),
)
_RULES_OF_TYPE: Final = record(
    "What the policies of one type come to.",
    {"proxyRule": record("", conf=ANY_OBJECT, origin=many(of("ResourceMeta")))},
    type=TEXT,
    fromRules=many(record("", inbound=_INBOUND, rules=many(_SUBSET_RULE))),
    inboundRules=many(
        record("", inbound=_INBOUND, rules=many(record("", conf=_CONFS, origin=_ENTRIES)))
    ),
    toRules=many(_SUBSET_RULE),
    toResourceRules=many(
        record(
            "",
            conf=_CONFS,
            origin=_ENTRIES,
            resourceMeta=of("ResourceMeta"),
            resourceSectionName=TEXT,
        )
    ),
    warnings=many(TEXT),
)
_NAMES: Final = {"name": TEXT, "path": TEXT, "singularDisplayName": TEXT, "pluralDisplayName": TEXT}
_KEY: Final = record("", mesh=TEXT, name=TEXT)
_PUBLIC_LICENSE: Final = {
    "allowedDataplaneProxies": COUNT,
    "activeDataplaneProxies": COUNT,
    "expirationDate": INSTANT,
    "demo": FLAG,
}
_QUOTAS: Final[Schema] = {"type": "object", "additionalProperties": perhaps(COUNT)}
_GRANTED: Final = perhaps(TEXT)  # null for the pre-bundled license, which is no customer's

SHAPES: Final[Mapping[str, Schema]] = {
    "Problem": record(
        "Why a request was not carried out. `details` and `causes` say the same for older clients.",
        {
            "invalid_parameters": many(record("", field=TEXT, reason=TEXT)),
            "causes": many(record("", field=TEXT, message=TEXT)),
            "code": {**TEXT, "description": "A stable code; operations.md has a row for it."},
            "hint": {**TEXT, "description": "What to do next."},
            "result": TEXT,
        },
        type=TEXT,
        status=COUNT,
        title=TEXT,
        detail=TEXT,
        details=TEXT,
    ),
    "Written": record("What there is to say of a write.", {"warnings": many(TEXT)}),
    "Deleted": record("It is gone, with all that it owned."),
    "KubernetesObject": record(
        "A resource as a Kubernetes object, for `format=k8s`.",
        {
            "mesh": TEXT,
            "type": TEXT,
            "spec": ANY_OBJECT,
            "status": ANY_OBJECT,
            "data": ANY_OBJECT,
        },
        apiVersion=TEXT,
        kind=TEXT,
        metadata=record(
            "", {"namespace": TEXT, "labels": TEXTS}, name=TEXT, creationTimestamp=INSTANT
        ),
    ),
    "ResourceMeta": record("A resource, mentioned.", labels=TEXTS, mesh=TEXT, name=TEXT, type=TEXT),
    "Index": record(
        "What the control plane says of itself to everybody.",
        basedOnKuma=TEXT,
        clusterId=TEXT,
        gui=TEXT,
        hostname=TEXT,
        instanceId=TEXT,
        product=TEXT,
        version=TEXT,
        capabilities=many({"enum": [*CAPABILITIES]}),
    ),
    "Config": {
        "type": "object",
        "description": "Every setting in force by its YAML name; secrets are masked.",
        "additionalProperties": True,
    },
    "EnvoyAnswer": {
        "type": "object",
        "description": "What Envoy's admin interface has answered.",
        "additionalProperties": True,
    },
    "License": record("The license in force.", **_PUBLIC_LICENSE),
    "FullLicense": record(
        "The license in force, for administrators (`view=full`).",
        {},
        **_PUBLIC_LICENSE,
        id=_GRANTED,
        customer=_GRANTED,
        product=_GRANTED,
        creationDate=_GRANTED,
        licenseKeyLast4=_GRANTED,
        signedBy=_GRANTED,
        test=FLAG,
        unusedFields=many(TEXT),
        source=TEXT,
        otherSources=many(TEXT),
        daysLeft={"type": "integer"},
        restartSafe=FLAG,
        restartError=perhaps(_REFUSAL),
        clockSuspect=FLAG,
        keyring={"enum": ["built-in", "override"]},
        warnings=many(record("", code=TEXT, message=TEXT, hint=TEXT, since=INSTANT)),
        pendingError=perhaps(_REFUSAL),
        seats=record(
            "", byMesh=COUNTS, byZone=COUNTS, reserved=COUNT, elsewhere=COUNT, quotas=_QUOTAS
        ),
        highWaterMarks=COUNTS,
        changes=many(
            record(
                "",
                at=INSTANT,
                result={"enum": ["applied", "rejected"]},
                cause=TEXT,
                code=TEXT,
                message=TEXT,
            )
        ),
    ),
    "LicenseReload": record(
        "What came of reading the license's sources again.",
        result={"enum": ["applied", "unchanged"]},
        difference=TEXT,
        reductions=many(TEXT),
    ),
    "User": record("Whom the control plane takes the request from.", name=TEXT, groups=many(TEXT)),
    "Types": record(
        "Every type of resource.",
        resources=many(
            record(
                "",
                {
                    "policy": record(
                        "",
                        hasFromTargetRef=FLAG,
                        hasToTargetRef=FLAG,
                        isFromAsRules=FLAG,
                        isTargetRef=FLAG,
                    )
                },
                includeInFederation=FLAG,
                readOnly=FLAG,
                scope={"enum": ["Global", "Mesh"]},
                **_NAMES,
            )
        ),
    ),
    "Policies": record(
        "Every type of policy, for older clients.",
        policies=many(
            record(
                "",
                readOnly=FLAG,
                isExperimental=FLAG,
                isTargetRefBased=FLAG,
                isInbound=FLAG,
                isOutbound=FLAG,
                **_NAMES,
            )
        ),
    ),
    "Rules": record(
        "What the targetRef policies come to for one proxy.",
        httpMatches=many(record("", hash=TEXT, match=many(ANY_OBJECT))),
        resource=of("ResourceMeta"),
        rules=many(_RULES_OF_TYPE),
    ),
    "ProxyConfiguration": record(
        "What Envoy is told as one proxy, by type and name; `diff` is a JSON Patch (RFC 6902).",
        {"diff": many(record("", {"value": {}}, op=TEXT, path=TEXT))},
        xds={
            "type": "object",
            "additionalProperties": {"type": "object", "additionalProperties": ANY_OBJECT},
        },
    ),
    "Affected": record(
        "The data plane proxies that a resource is about.",
        {"next": TEXT},
        items=many(of("ResourceMeta")),
        total=COUNT,
    ),
    "AttachedDataplanes": record(
        "The data plane proxies that a policy or a gateway is for, and where it is attached.",
        total=COUNT,
        items=many(
            record(
                "",
                {
                    "kind": TEXT,
                    "gateway": _KEY,
                    "attachments": many(record("", {"name": TEXT, "service": TEXT}, type=TEXT)),
                    "listeners": many(ANY_OBJECT),
                },
                dataplane=_KEY,
            )
        ),
    ),
    "SidecarPolicies": record(
        "The policies of a proxy by the place where they are attached.",
        kind={"const": "SidecarDataplane"},
        total=COUNT,
        items=many(ANY_OBJECT),
    ),
    "GatewayPolicies": record(
        "The policies of a built-in gateway, by listener, host and route.",
        {"policies": ANY_OBJECT},
        kind={"const": "MeshGatewayDataplane"},
        gateway=_KEY,
        listeners=many(ANY_OBJECT),
    ),
    "RuleList": record(
        "What the targetRef policies come to for one proxy, one item for each rule.",
        total=COUNT,
        items=many(
            record(
                "",
                {"name": TEXT, "addresses": many(TEXT), "service": TEXT, "tags": TEXTS},
                type=TEXT,
                policyType=TEXT,
                subset=TEXTS,
                conf=ANY_OBJECT,
                origins=many(_KEY),
            )
        ),
    ),
    "ZoneStatuses": perhaps(many(record("", name=TEXT, active=FLAG))),
    "Hostnames": record(
        "The host names of a service, and the zones that know them.",
        items=many(record("", hostname=TEXT, zones=many(record("", name=TEXT)))),
        total=COUNT,
    ),
    "GlobalInsights": record(
        "How many there are of each global type.",
        type={"const": "GlobalInsights"},
        creationTime=INSTANT,
        resources={"type": "object", "additionalProperties": _TOTAL},
    ),
    "GlobalInsight": record(
        "Sums over the insights of all meshes and zones.",
        createdAt=INSTANT,
        dataplanes=record(
            "", gatewayBuiltin=_BY_STATUS, gatewayDelegated=_BY_STATUS, standard=_BY_STATUS
        ),
        meshes=_TOTAL,
        policies=_TOTAL,
        resources={"type": "object", "additionalProperties": _TOTAL},
        services=record(
            "",
            external=_TOTAL,
            gatewayBuiltin=_BY_STATUS,
            gatewayDelegated=_BY_STATUS,
            internal=_BY_STATUS,
        ),
        zones=record("", controlPlanes=_ONLINE, zoneEgresses=_ONLINE, zoneIngresses=_ONLINE),
    ),
    "Token": {"type": "string", "description": "The bare token, a JWT."},
    "DataplaneTokenRequest": record(
        "A token for a proxy; what is empty is not bound by it.",
        {
            "name": TEXT,
            "tags": {"type": "object", "additionalProperties": many(TEXT)},
            "type": {"enum": ["", "dataplane", "ingress", "egress"]},
            "validFor": TEXT,
        },
        mesh={**TEXT, "minLength": 1},
    ),
    "ZoneTokenRequest": record(
        "A token for the proxies of a zone, or for its control plane (`cp`).",
        {"zone": TEXT, "validFor": TEXT},
        scope={**many(TEXT), "minItems": 1},
    ),
    "UserTokenRequest": record(
        "A token for a user of this API.",
        {"groups": many(TEXT)},
        name={**TEXT, "minLength": 1},
        validFor=TEXT,
    ),
    "SigningKey": record(
        "A key that signs tokens, without the key.",
        {"mesh": TEXT},
        series={"enum": [*GLOBAL_SERIES, DATAPLANE]},
        serial=COUNT,
        name={**TEXT, "description": "Of the secret that holds it."},
        state={"enum": [each.value for each in SigningKeyUse]},
        creationTime=INSTANT,
    ),
    "SigningKeys": record(
        "Signing keys, the newest of each kind first.", total=COUNT, items=many(of("SigningKey"))
    ),
    "SealingKeys": record(
        "The keys of secrets at rest, the one in use first.",
        total=COUNT,
        items=many(
            record(
                "",
                id={**TEXT, "description": "Tells keys apart, and nothing about them."},
                state={"enum": [each.value for each in SealingKeyUse]},
                secrets={**COUNT, "description": "How many it has sealed."},
            )
        ),
    ),
    "SealingKeyRotation": record(
        "What came of rotating the sealing key.",
        id=TEXT,
        earlier={**many(TEXT), "description": "Keys that still open."},
        secrets={**COUNT, "description": "How many were sealed anew."},
    ),
    "SealingKeyRetirement": record(
        "What came of retiring the earlier sealing keys.",
        retired=many(TEXT),
        kept={**many(TEXT), "description": "Those of a credential."},
        secrets={**COUNT, "description": "How many were sealed anew before."},
    ),
    "Document": {"type": "object", "description": "OpenAPI 3.1.", "additionalProperties": True},
}
