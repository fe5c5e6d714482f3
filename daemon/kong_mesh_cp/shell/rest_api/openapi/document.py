"""The API's own OpenAPI document: made of the route table and of the types (docs/adr/0013).

It takes a few hundredths of a second and some memory, so it is made for the first who asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from kong_mesh_cp.core.formats.addresses import PORT_MAX
from kong_mesh_cp.core.identity.key_series import GLOBAL_SERIES
from kong_mesh_cp.core.resources.kind_schemas import (
    MESH,
    NAME,
    inner_schema,
    meta_properties,
    resource_schema,
)
from kong_mesh_cp.core.resources.kinds.insights import Service, ServiceType
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.schema.json_schema import Definitions, Schema
from kong_mesh_cp.core.schema.message_json_schema import message_properties
from kong_mesh_cp.core.versions import WIRE_VERSION
from kong_mesh_cp.shell.http.operations import JSON, Operation
from kong_mesh_cp.shell.http.routing import Route
from kong_mesh_cp.shell.rest_api.list_queries import OFFSET_MAX
from kong_mesh_cp.shell.rest_api.openapi.explanation_shapes import EXPLANATION_SHAPES
from kong_mesh_cp.shell.rest_api.openapi.shapes import SHAPES, TEXT, many, of, page
from kong_mesh_cp.usecases.inspection.insight_views import SERVICE_INSIGHT
from kong_mesh_cp.usecases.resources.kinds import KINDS
from kong_mesh_cp.usecases.resources.queries import PAGE_ITEMS, PAGE_ITEMS_MAX, GatewayFilter
from kong_mesh_cp.usecases.resources.reader import OVERVIEWS

Document = dict[str, object]

OPENAPI: Final = "3.1.0"
PLAIN: Final = "text/plain"

_DESCRIPTION: Final = """\
The HTTP API of a control plane, as this one serves it: every path here is a row of its route
table, every schema is made of what reads and writes the type.

The schema of a resource shows the form in which it is stored and shown. Members that a schema does
not know have no effect, and the answer to a write has a warning for each. What a type asks beyond
the shape of its values (references, limits, what goes together) is judged when it is written; a
refusal names every field that is wrong.

A request that is no HTTP or takes too much is refused by the server itself: 400, 408, 413, 417,
431, 501, 503 or 505, with a Problem that has a `code`.
"""
_BEARER: Final = """\
A user token (docs/access.md). It need not be sent: without it a request is anonymous, or that of
an administrator when it comes over loopback and `KUMA_API_SERVER_AUTHN_LOCALHOST_IS_ADMIN` is on.
"""

_PARAMETER: Final = re.compile(r"\{(\w+)\}")

# Of refusals with their media types. The paths of resources have literal siblings (`_overview`),
# and a name with a slash in it is another path: what the router says of those is plain text.
_REFUSALS: Final = {
    400: ("The request is malformed, or what it says is not valid.", (JSON,)),
    401: ("The token proves nothing.", (JSON,)),
    403: ("The user may not do this.", (JSON,)),
    404: ("There is nothing of this name.", (JSON, PLAIN)),
    405: ("It cannot be written here, or the path does not take this method.", (JSON, PLAIN)),
    406: ("The answer is JSON, and the request does not accept that.", (PLAIN,)),
    409: ("Another writer was faster, or the state does not allow it.", (JSON,)),
    413: ("The body is too large.", (JSON,)),
    415: ("The body has to be JSON, and the header Content-Type has to say so.", (PLAIN,)),
    500: ("The control plane failed, and its log says why.", (JSON,)),
    503: ("It cannot be done right now; `Retry-After` says when to ask again.", (JSON,)),
}

_PARTS: Final[dict[str, Schema]] = {
    "mesh": {"description": "The name of a mesh.", "schema": MESH},
    "name": {"description": "The name of a resource.", "schema": NAME},
    "serial": {
        "description": "The number of a signing key: the `kid` of what it has signed.",
        "schema": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,17})$"},
    },
    "series": {
        "description": "The kind of token that keys sign.",
        "schema": {"enum": [*GLOBAL_SERIES]},
    },
    "token": {
        "description": "The id of a token: its claim `jti`.",
        "schema": {"type": "string", "pattern": "^[0-9A-Za-z._-]+$"},
    },
    "type": {"description": "The path of a type, as `/_resources` tells it.", "schema": NAME},
}
_WHOLE: Final = {"type": "integer", "minimum": 0}
_QUERIES: Final[dict[str, Schema]] = {
    "dryRun": {
        "description": (
            "Answer as the write would be answered, and write nothing. Only where the index has "
            "`dryRun` among its `capabilities`: others would write."
        ),
        "schema": {"type": "boolean", "default": False},
    },
    "filter": {
        "description": "`filter[labels.KEY]=VALUE`: resources that have all of these labels.",
        "style": "deepObject",
        "schema": {"type": "object", "patternProperties": {r"^labels\.": TEXT}},
    },
    "format": {
        "description": "The form of the answer.",
        "schema": {"enum": ["universal", "k8s", "kubernetes"], "default": "universal"},
    },
    "gateway": {
        "description": "Only gateways, only those of one sort, or all but gateways.",
        "schema": {"enum": [each.value for each in GatewayFilter]},
    },
    "inbound": {
        "description": "The port of the only inbound to be shown.",
        "schema": {**_WHOLE, "maximum": PORT_MAX},
    },
    "include": {"description": "What to add.", "schema": {"enum": ["diff"]}},
    "include_eds": {
        "description": "Add the endpoints that Envoy has.",
        "schema": {"type": "boolean", "default": False},
    },
    "name": {"description": "A part of the name.", "schema": TEXT},
    "namespace": {"description": "The namespace of a Kubernetes object.", "schema": TEXT},
    "offset": {
        "description": "How many resources to leave out.",
        "schema": {**_WHOLE, "maximum": OFFSET_MAX, "default": 0},
    },
    "outbound": {
        "description": "The only outbound to be shown: its service, its resource or its listener.",
        "schema": TEXT,
    },
    "shadow": {"description": "Whether shadow policies count.", "schema": {"type": "boolean"}},
    "size": {
        "description": "How many resources a page has.",
        "schema": {**_WHOLE, "maximum": PAGE_ITEMS_MAX, "default": PAGE_ITEMS},
    },
    "strict": {
        "description": "Refuse a body with members that the type does not know.",
        "schema": {"type": "boolean", "default": False},
    },
    "tag": {
        "description": "`key:value`, parts of a tag and of its value; all of them have to be had.",
        "schema": many(TEXT),
    },
    "type": {
        "description": "Services of these types.",
        "style": "form",
        "explode": False,
        "schema": many({"enum": [each.name for each in ServiceType]}),
    },
    "view": {"description": "All of it, for administrators.", "schema": {"enum": ["full"]}},
}


def openapi_document(routes: Iterable[Route], base_path: str = "") -> Document:
    """The document of `routes` below `base_path`, as JSON values.

    Routes that say nothing of themselves are not in it.
    """
    described = sorted(
        ((route.path, route.method, route.about) for route in routes if route.about),
        key=lambda each: each[:2],
    )
    paths: dict[str, dict[str, object]] = {}
    for path, method, about in described:
        paths.setdefault(path, {})[method.lower()] = _operation(path, method, about)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "kong-mesh-cp",
            "version": WIRE_VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {"url": base_path or "/", "description": "The control plane that this comes from."}
        ],
        "security": [{}, {"userToken": []}],
        "tags": [{"name": tag} for tag in sorted({about.tag for _, _, about in described})],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {_refusal(each): _response(each) for each in _REFUSALS},
            "parameters": {
                **{
                    f"{name}Path": {"name": name, "in": "path", "required": True, **said}
                    for name, said in _PARTS.items()
                },
                **{
                    f"{name}Query": {"name": name, "in": "query", **said}
                    for name, said in _QUERIES.items()
                },
            },
            "securitySchemes": {
                "userToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": _BEARER,
                }
            },
        },
    }


def _operation(path: str, method: str, about: Operation) -> Document:
    parameters = [
        *(_parameter(f"{name}Path") for name in _PARAMETER.findall(path)),
        *(_parameter(f"{name}Query") for name in about.query),
    ]
    operation: Document = {"operationId": about.id, "summary": about.summary, "tags": [about.tag]}
    if about.description:
        operation["description"] = about.description
    if not about.authenticates:
        operation["security"] = []
    if parameters:
        operation["parameters"] = parameters
    if about.takes:
        body = {"required": True, "content": {JSON: {"schema": of(about.takes)}}}
        operation["requestBody"] = body
    operation["responses"] = {
        **_successes(about),
        **{
            str(status): {"$ref": f"#/components/responses/{_refusal(status)}"}
            for status in sorted(_statuses(path, method, about))
        },
    }
    return operation


def _parameter(name: str) -> Schema:
    return {"$ref": f"#/components/parameters/{name}"}


def _successes(about: Operation) -> Document:
    if not about.answers:
        return {}
    schemas = [of(name) for name in about.answers]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    content = {about.answer_type: {"schema": schema}}
    if about.answers_as_text:
        content[PLAIN] = {"schema": TEXT}
    made = {"201": {"description": "It was not there before.", "content": content}}
    return {
        "200": {"description": "It is done.", "content": content},
        **(made if about.creates else {}),
    }


def _statuses(path: str, method: str, about: Operation) -> set[int]:
    """How the operation may be refused, by what stands before its own code and by that."""
    statuses = {400, *about.refuses}
    if "{" in path:
        statuses |= {404, 405}
    if about.negotiates:
        # A client that sends a body and takes no JSON back gets 415, too.
        statuses |= {415} if method in {"PUT", "POST"} else {406, 415}
    if about.authenticates:
        statuses |= {401, 403, 500}
    if about.takes:
        statuses.add(413)
    return statuses


def _refusal(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _response(status: int) -> Document:
    said, media_types = _REFUSALS[status]
    schemas = {JSON: of("Problem"), PLAIN: TEXT}
    content = {media_type: {"schema": schemas[media_type]} for media_type in media_types}
    return {"description": said, "content": content}


def _schemas() -> dict[str, Schema]:
    definitions = Definitions()
    for name, shape in {**SHAPES, **EXPLANATION_SHAPES}.items():
        definitions.pointer(name, name, lambda shape=shape: shape)  # type: ignore[misc]
    for name, kind in KINDS.items():
        resource_type = TYPES[name]
        one = resource_schema(resource_type, kind, definitions)
        definitions.pointer(f"{name}List", name, lambda one=one: page(one))  # type: ignore[misc]
    for name in OVERVIEWS:
        _overview(name, definitions)
    _service(definitions)
    return definitions.sorted()


def _overview(name: str, definitions: Definitions) -> None:
    """A resource with what is observed of it, and the list of such."""
    overview = OVERVIEWS[name]
    resource_type, insight = TYPES[name], TYPES[overview.insight_type]

    def make() -> Schema:
        meta = meta_properties(resource_type, overview.shown_type)
        inner = {
            overview.resource: inner_schema(resource_type, KINDS[name], definitions),
            overview.insight: inner_schema(insight, KINDS[insight.name], definitions),
        }
        required = [*(each for each in meta if each != "labels"), overview.resource]
        return {"type": "object", "properties": {**meta, **inner}, "required": required}

    one = definitions.pointer(overview.shown_type, resource_type, make)
    definitions.pointer(f"{overview.shown_type}List", resource_type, lambda: page(one))


def _service(definitions: Definitions) -> None:
    """One service of all that a stored insight holds."""
    resource_type = TYPES[SERVICE_INSIGHT]

    def make() -> Schema:
        # The name of a service is what its tag says, and need not be the name of a resource.
        properties = {
            **meta_properties(resource_type, SERVICE_INSIGHT),
            "name": TEXT,
            **message_properties(Service, definitions),
        }
        return {"type": "object", "properties": properties, "required": ["type", "mesh", "name"]}

    one = definitions.pointer("ServiceView", resource_type, make)
    definitions.pointer("ServiceViewList", resource_type, lambda: page(one))
