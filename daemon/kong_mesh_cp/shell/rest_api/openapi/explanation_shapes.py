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
    "Explanation": record(
        "Why a proxy is configured as it is. `envoy` are the resources that would be others without"
        " what it stands beside.",
        {"leftOut": record("", outbounds=COUNT)},
        resource=of("ResourceMeta"),
        complaints=many(record("What could not be made.", about=TEXT, reason=TEXT)),
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
            )
        ),
        outbounds=many(
            record(
                "",
                {"service": TEXT, "tags": TEXTS, "resource": TEXTS},
                addresses=many(TEXT),
                protocol=TEXT,
                envoy=_ENVOY,
                policies=many(_POLICIES),
            )
        ),
        proxy=many(_POLICIES),
    ),
}
