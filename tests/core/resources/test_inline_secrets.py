"""Secrets in resources that are no Secrets: found wherever a type lets them stand."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.resources.inline_secrets import (
    MASK,
    MASK_IN_BASE64,
    NATIVE_TYPES,
    SOURCE_TYPES,
    found,
    mask_violations,
    masked,
    warnings,
)
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from kong_mesh_cp.core.schema.messages import Message
from kong_mesh_cp.usecases.resources.kinds import KINDS

CANARY = "canary-of-a-key"
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{CANARY}\n-----END EC PRIVATE KEY-----\n"
CANARY_IN_BASE64 = base64.b64encode(CANARY.encode()).decode()
PEM_IN_BASE64 = base64.b64encode(PEM.encode()).decode()
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
CERTIFICATE_IN_BASE64 = base64.b64encode(CERTIFICATE.encode()).decode()


def mesh(**conf: Any) -> dict[str, Any]:
    return {"mtls": {"backends": [{"name": "ca", "type": "provided", "conf": conf}]}}


def patch(**mod: Any) -> dict[str, Any]:
    return {"spec": {"default": {"appendModifications": [{"cluster": mod}]}}}


def template(value: str) -> dict[str, Any]:
    return {"conf": {"modifications": [{"cluster": {"operation": "patch", "value": value}}]}}


def paths(type_name: str, document: object) -> list[str]:
    return [each.at.text for each in found(type_name, json.dumps(document))]


CLUSTER = "mtls.backends[0].conf"
PATCH = "spec.default.appendModifications[0].cluster"
STEP = "/transport_socket/typedConfig/commonTlsContext/tlsCertificates/0/privateKey"
SECRETS: list[tuple[str, dict[str, Any], str]] = [
    ("Mesh", mesh(key={"inline": CANARY_IN_BASE64}), f"{CLUSTER}.key.inline"),
    ("Mesh", mesh(key={"inlineString": CANARY}), f"{CLUSTER}.key.inlineString"),
    ("Mesh", mesh(key={"inline_string": CANARY}), f"{CLUSTER}.key.inline_string"),
    ("Mesh", mesh(key={"InlineString": CANARY}), f"{CLUSTER}.key.InlineString"),
    ("Mesh", mesh(cert={"inline": PEM_IN_BASE64}), f"{CLUSTER}.cert.inline"),
    ("Mesh", mesh(key=PEM), f"{CLUSTER}.key"),
    ("Mesh", mesh(keys=[PEM]), f"{CLUSTER}.keys[0]"),
    (
        "Mesh",
        mesh(fromCp={"auth": {"token": {"inlineString": CANARY}}}),
        f"{CLUSTER}.fromCp.auth.token.inlineString",
    ),
    (
        "Mesh",
        mesh(auth={"awsCredentials": {"accessKeySecret": {"inline": CANARY_IN_BASE64}}}),
        f"{CLUSTER}.auth.awsCredentials.accessKeySecret.inline",
    ),
    (
        "ExternalService",
        {"networking": {"tls": {"clientKey": {"inline": CANARY_IN_BASE64}}}},
        "networking.tls.clientKey.inline",
    ),
    (
        "MeshExternalService",
        {"spec": {"tls": {"verification": {"clientKey": {"inlineString": CANARY}}}}},
        "spec.tls.verification.clientKey.inlineString",
    ),
    (
        "MeshExternalService",
        {"spec": {"tls": {"verification": {"clientCert": {"inlineString": PEM}}}}},
        "spec.tls.verification.clientCert.inlineString",
    ),
    (
        "MeshGateway",
        {"conf": {"listeners": [{"tls": {"certificates": [{"inline": CANARY_IN_BASE64}]}}]}},
        "conf.listeners[0].tls.certificates[0].inline",
    ),
    ("MeshProxyPatch", patch(value=f"a: |\n  {PEM}"), f"{PATCH}.value"),
    (
        "MeshProxyPatch",
        patch(value=f"private_key: {{inline_bytes: {CANARY_IN_BASE64}}}"),
        f"{PATCH}.value",
    ),
    (
        "MeshProxyPatch",
        patch(value=f'{{"authPassword":{{"inlineString":"{CANARY}"}}}}'),
        f"{PATCH}.value",
    ),
    ("MeshProxyPatch", patch(value=f"secret_access_key: {CANARY}"), f"{PATCH}.value"),
    (
        "MeshProxyPatch",
        patch(jsonPatches=[{"op": "add", "path": STEP, "value": {"inlineString": CANARY}}]),
        f"{PATCH}.jsonPatches[0].value",
    ),
    (
        "MeshProxyPatch",
        patch(jsonPatches=[{"op": "add", "path": f"{STEP}/inlineString", "value": CANARY}]),
        f"{PATCH}.jsonPatches[0].value",
    ),
    (
        "ProxyTemplate",
        template(f"generic_secret: {{secret: {{inline_string: {CANARY}}}}}"),
        "conf.modifications[0].cluster.value",
    ),
    (
        "ProxyTemplate",
        {"conf": {"resources": [{"resource": PEM}]}},
        "conf.resources[0].resource",
    ),
    ("MeshAccessLog", {"spec": {"to": [{"format": PEM}]}}, "spec.to[0].format"),
]


@pytest.mark.parametrize(("type_name", "document", "at"), SECRETS)
def test_a_secret_is_warned_of_at_its_path_and_masked(
    type_name: str, document: dict[str, Any], at: str
) -> None:
    text = json.dumps(document)
    assert paths(type_name, document) == [at]
    (warning,) = warnings(found(type_name, text))
    assert warning.startswith(f"{at}: ")
    shown = masked(type_name, text)
    assert CANARY not in shown and CANARY_IN_BASE64 not in shown and PEM_IN_BASE64 not in shown
    assert MASK in shown or MASK_IN_BASE64 in shown


@pytest.mark.parametrize(("type_name", "document", "at"), SECRETS)
def test_a_mask_is_never_stored(type_name: str, document: dict[str, Any], at: str) -> None:
    text = json.dumps(document)
    assert mask_violations(found(type_name, text)) == []
    (violation,) = mask_violations(found(type_name, masked(type_name, text)))
    assert violation.field == at


@pytest.mark.parametrize(
    ("type_name", "document"),
    [
        ("Mesh", mesh(cert={"inline": CERTIFICATE_IN_BASE64}, key={"secret": "a"})),
        ("Mesh", mesh(cert={"inlineString": CERTIFICATE}, key={"file": "/inline"})),
        ("Mesh", mesh(caCert={"rsaBits": 2048}, key={"inline": ""})),
        ("ExternalService", {"networking": {"tls": {"caCert": {"inline": "YQ=="}}}}),
        ("MeshExternalService", {"spec": {"tls": {"verification": {"caCert": {"inline": "?"}}}}}),
        ("MeshProxyPatch", patch(value="private_key: {filename: /a.key}")),
        ("MeshProxyPatch", patch(value="default_source_code: {inline_string: 'x()'}")),
        ("MeshProxyPatch", patch(jsonPatches=[{"op": "remove", "path": STEP}])),
        ("MeshTimeout", {"spec": {"inline": "key"}}),
        ("Secret", {"data": PEM}),
    ],
)
def test_what_is_no_secret_stays(type_name: str, document: dict[str, Any]) -> None:
    assert paths(type_name, document) == []


def test_a_masked_source_of_bytes_is_still_base64() -> None:
    shown = json.loads(masked("Mesh", json.dumps(mesh(key={"inline": "YQ=="}))))
    text = shown["mtls"]["backends"][0]["conf"]["key"]["inline"]
    assert base64.b64decode(text, validate=True).decode() == MASK


def _messages(hint: Any, seen: frozenset[Any] = frozenset()) -> Iterator[type]:
    """Every dataclass that a schema is made of."""
    for each in (hint, *get_args(hint)):
        origin = getattr(each, "__origin__", each)
        if isinstance(origin, type) and is_dataclass(origin) and each not in seen:
            yield origin
            for of in get_type_hints(origin, include_extras=True).values():
                yield from _messages(of, seen | {each})
        elif each is not hint:
            yield from _messages(each, seen)


def _spec_types(name: str) -> list[Any]:
    kind = KINDS[name]
    if isinstance(kind, PluginKind):
        return [kind.spec_type]
    message_type = getattr(kind, "message_type", Message)
    return [message_type]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_type_with_a_source_of_bytes_is_looked_through(name: str) -> None:
    has_source = any(
        {"inline", "inline_string"} & {each.name for each in fields(message)}
        for spec_type in _spec_types(name)
        for message in _messages(spec_type)
    )
    # Of a Mesh it is what `conf` holds, which is any JSON.
    assert (has_source or name == "Mesh") == (name in SOURCE_TYPES)


def test_every_type_with_texts_of_envoy_is_looked_through() -> None:
    from kong_mesh_cp.core.formats import native_envoy
    from kong_mesh_cp.core.policy.kinds import mesh_proxy_patch
    from kong_mesh_cp.core.resources.kinds.legacy import proxy_template

    judged = {module.KIND.type for module in (mesh_proxy_patch, proxy_template)}
    assert judged == NATIVE_TYPES
    users = {
        name
        for name in KINDS
        if native_envoy.native_fault in vars(import_module(_module_of(name))).values()
    }
    assert users == NATIVE_TYPES


def _module_of(name: str) -> str:
    return str(KINDS.constants[name]).rpartition(".")[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([PEM, "YQ==", MASK]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["inline", "value", "path", "conf", "caCert", "resource"]) | st.text(),
            inner,
        )
    ),
)


@given(
    type_name=st.sampled_from([*SOURCE_TYPES, *NATIVE_TYPES, "MeshTimeout"]),
    document=st.dictionaries(st.text(), JSON),
)
def test_any_document_can_be_masked_and_then_has_nothing_but_masks(
    type_name: str, document: dict[str, Any]
) -> None:
    left = found(type_name, masked(type_name, json.dumps(document, ensure_ascii=False)))
    assert all(each.is_masked for each in left)
