"""OpenAPI schemas of what explains configurations, and of what foretells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.schema.json_schema import Schema
from kong_mesh_cp.shell.rest_api.openapi.shapes import (
    ANY_OBJECT,
    COUNT,
    FLAG,
    TEXT,
    TEXTS,
    many,
    of,
    record,
)

_ENVOY: Final = many(of("EnvoyResourceName"))
_VALUE: Final[Schema] = {"description": "Any JSON value."}
_LOST: Final = record(
    "What was said, and lost.",
    value=_VALUE,
    reason={**TEXT, "description": "By what it was decided; a stable code."},
    why={**TEXT, "description": "The same in words."},
    to=of("PolicyEntry"),
    **{"from": of("PolicyEntry")},
)
_POLICIES: Final = record(
    "What the policies of one type come to at one place.",
    {
        "envoy": _ENVOY,
        "clients": many(record("", key=TEXT, value=TEXT, **{"not": FLAG})),
        "route": {**TEXT, "description": "The hash of the matches of an HTTP route."},
        "takenAway": many(_LOST),
        "silent": {
            **many(TEXT),
            "description": "Policies that the proxy gets, and that say nothing of this place.",
        },
        "why": {**TEXT, "description": "Why nothing could be told."},
    },
    type=TEXT,
    settings=many(
        record(
            "",
            {"from": of("PolicyEntry"), "lost": many(_LOST), "envoy": _ENVOY},
            member=TEXT,
            value=_VALUE,
            source={"enum": ["policy", "default"]},
        )
    ),
)

_OLDER: Final = record(
    "A policy of the older generation that counts at one place. They do not merge.",
    {
        "sources": many(ANY_OBJECT),
        "destinations": many(ANY_OBJECT),
        "selectors": many(ANY_OBJECT),
        "service": {**TEXT, "description": "Of which it counts, where that is another one."},
        "lost": {
            **many(record("", name=TEXT, reason=TEXT, why=TEXT)),
            "description": "Policies of the type that fit as well, the closest first.",
        },
    },
    type=TEXT,
    name=TEXT,
    envoy=_ENVOY,
    settings=many(record("", member=TEXT, value=_VALUE)),
)

_CHANGED: Final = record(
    "A resource of Envoy that would be another one.",
    {
        "before": {**ANY_OBJECT, "description": "Of one that is removed."},
        "after": {**ANY_OBJECT, "description": "Of one that is added."},
        "members": many(
            record(
                "`path` is a JSON pointer; without `before` the member was not there, without"
                " `after` it is gone.",
                {"before": _VALUE, "after": _VALUE},
                path=TEXT,
            )
        ),
        "notShown": {**COUNT, "description": "Members beyond the first."},
        "hidden": {**FLAG, "description": "What differs may be a secret."},
    },
    type=TEXT,
    name=TEXT,
    change={"enum": ["added", "changed", "removed"]},
)

EXPLANATION_SHAPES: Final[Mapping[str, Schema]] = {
    "EnvoyResourceName": record("A resource of Envoy.", name=TEXT, type=TEXT),
    "PolicyEntry": record(
        "An entry of a policy.",
        {
            "displayName": TEXT,
            "entryTargetRef": ANY_OBJECT,
            "origin": TEXT,
            "zone": TEXT,
        },
        type=TEXT,
        mesh=TEXT,
        name=TEXT,
        role=TEXT,
        targetRef=ANY_OBJECT,
        list={"enum": ["to", "from", "rules", "default"]},
        index=COUNT,
    ),
    "PreviewRequest": record(
        "Resources that would be put, and some that would be deleted.",
        {
            "resources": {**many(ANY_OBJECT), "description": "As their types have them."},
            "deletions": many(record("", {"mesh": TEXT}, type=TEXT, name=TEXT)),
        },
    ),
    "Preview": record(
        "What writes would do.",
        {"leftOut": record("", meshes=COUNT, resources=COUNT)},
        resources=many(
            record(
                "",
                {
                    "mesh": TEXT,
                    "warnings": many(TEXT),
                    "refusal": record(
                        "",
                        code=TEXT,
                        title=TEXT,
                        detail=TEXT,
                        hint=TEXT,
                        violations=many(record("", field=TEXT, reason=TEXT)),
                    ),
                },
                type=TEXT,
                name=TEXT,
                outcome={"enum": ["created", "updated", "unchanged", "deleted", "refused"]},
            )
        ),
        meshes=many(
            record(
                "",
                mesh=TEXT,
                dataplanes={**COUNT, "description": "All of the mesh, before or after."},
                changed={**COUNT, "description": "Of those that were looked at."},
                lookedAt=COUNT,
                notLookedAt={**COUNT, "description": "They may change, too."},
                proxies=many(
                    record(
                        "",
                        {
                            "complaints": many(
                                record("What could not be made.", about=TEXT, reason=TEXT)
                            ),
                            "notShown": {**COUNT, "description": "Resources beyond the first."},
                        },
                        name=TEXT,
                        connected=FLAG,
                        resources=many(_CHANGED),
                    )
                ),
            )
        ),
    ),
    "Explanation": record(
        "Why a proxy is configured as it is. `envoy` are the resources that would be others without"
        " what it stands beside.",
        {"leftOut": record("", outbounds=COUNT)},
        resource=of("ResourceMeta"),
        complaints=many(record("What could not be made.", about=TEXT, reason=TEXT)),
        older={
            **many(TEXT),
            "description": "Types of the older generation that the mesh has policies of.",
        },
        leftAside=many(
            record("A policy that the proxy does not get.", type=TEXT, name=TEXT, why=TEXT)
        ),
        inbounds=many(
            record(
                "",
                {"name": TEXT},
                address=TEXT,
                port=COUNT,
                protocol=TEXT,
                tags=TEXTS,
                envoy=_ENVOY,
                policies=many(_POLICIES),
                older=many(_OLDER),
            )
        ),
        outbounds=many(
            record(
                "",
                {"service": TEXT, "tags": TEXTS, "resource": TEXTS, "older": many(_OLDER)},
                addresses=many(TEXT),
                protocol=TEXT,
                envoy=_ENVOY,
                policies=many(_POLICIES),
            )
        ),
        proxy=many(_POLICIES),
        olderOfProxy=many(_OLDER),
    ),
}
