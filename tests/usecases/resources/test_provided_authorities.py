"""What an authority refers to is looked at before it is believed.

Source: docs/wire/meshes.md#provided-authorities, docs/wire/meshes.md#secrets
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest

from kong_mesh_cp.core.resources.labels import Deployment
from kong_mesh_cp.usecases.resources.mesh_creation import MeshCreation
from kong_mesh_cp.usecases.resources.provided_authorities import FileUnreadableError
from kong_mesh_cp.usecases.resources.resource_refusals import Fault, ResourceRefusedError
from kong_mesh_cp.usecases.resources.write_rules import WriteRules
from kong_mesh_cp.usecases.resources.writer import ResourceWriter
from support.daemons.resource_api import AT, ResourceApi
from support.fakes.authorities import certificate, ec_key, leaf, private_pem
from support.fakes.identity import pem

CA, KEY = certificate(), pem()
CERT_AT, KEY_AT = "mtls.backends[0].conf.cert", "mtls.backends[0].conf.key"
BY_NAME = {"cert": {"secret": "c"}, "key": {"secret": "k"}}


def mtls(conf: object, *, enabled: str = "ca", **more: Any) -> dict[str, Any]:
    backends = [{"name": "ca", "type": "provided", "conf": conf}]
    return {"enabledBackend": enabled, "backends": backends, **more}


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def inline(content: bytes) -> dict[str, str]:
    return {"inline": in_base64(content)}


async def put_mesh(api: ResourceApi, conf: object, **more: Any) -> None:
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"], mtls=mtls(conf, **more))


async def put_secret(api: ResourceApi, name: str, content: bytes) -> tuple[str, ...]:
    written = await api.put("Secret", name, mesh="m", data=in_base64(content))
    return written.warnings


async def with_secrets(certificate_pem: bytes = CA, key: bytes = KEY) -> ResourceApi:
    """A mesh with the two Secrets, and no mTLS yet."""
    api = ResourceApi()
    await api.put("Mesh", "m", skipCreatingInitialPolicies=["*"])
    await put_secret(api, "c", certificate_pem)
    await put_secret(api, "k", key)
    return api


def told(error: pytest.ExceptionInfo[ResourceRefusedError]) -> list[tuple[str, str]]:
    assert error.value.fault is Fault.INVALID
    return [(each.field, each.message) for each in error.value.violations]


async def test_a_mesh_signs_with_the_pair_that_its_secrets_hold() -> None:
    api = await with_secrets()
    await put_mesh(api, BY_NAME)
    assert (await api.get("Mesh", "m"))["mtls"]["enabledBackend"] == "ca"


async def test_a_secret_that_is_not_there_is_told_for_both_the_key_first() -> None:
    api = ResourceApi()
    with pytest.raises(ResourceRefusedError) as error:
        await put_mesh(api, BY_NAME)
    reason = 'could not load data: Resource not found: type="Secret" name="k" mesh="m"'
    assert told(error) == [(CERT_AT, reason), (KEY_AT, reason)]
    assert error.value.title == "Could not create a resource"

    api = await with_secrets()
    await api.delete("Secret", "c", mesh="m")
    with pytest.raises(ResourceRefusedError) as error:
        await put_mesh(api, BY_NAME)
    reason = 'could not load data: Resource not found: type="Secret" name="c" mesh="m"'
    assert told(error) == [(CERT_AT, reason), (KEY_AT, reason)]
    assert error.value.title == "Could not update a resource"
    assert "mtls" not in await api.get("Mesh", "m")


async def test_a_secret_of_another_mesh_is_not_there() -> None:
    api = await with_secrets()
    with pytest.raises(ResourceRefusedError) as error:
        await api.put("Mesh", "other", mtls=mtls(BY_NAME))
    assert 'name="k" mesh="other"' in told(error)[0][1]


@pytest.mark.parametrize(
    ("certificate_pem", "key", "field", "reason"),
    [
        (CA, pem(2), CERT_AT, "tls: private key does not match public key"),
        (CA, private_pem(ec_key()), CERT_AT, "tls: private key type does not match"),
        (KEY, CA, CERT_AT, "PEM inputs may have been switched"),
        (leaf(), KEY, f"{CERT_AT}[0]", "basic constraint 'CA' must be set"),
        (b"x", b"y", CERT_AT, "tls: failed to find any PEM data in certificate input"),
    ],
)
@pytest.mark.parametrize("source", ["secret", "inline", "inlineString"])
async def test_a_pair_that_is_none_is_refused_wherever_it_stands(
    source: str, certificate_pem: bytes, key: bytes, field: str, reason: str
) -> None:
    api = await with_secrets(certificate_pem, key)
    conf = {
        "secret": BY_NAME,
        "inline": {"cert": inline(certificate_pem), "key": inline(key)},
        "inlineString": {
            "cert": {"inlineString": certificate_pem.decode()},
            "key": {"inlineString": key.decode()},
        },
    }[source]
    with pytest.raises(ResourceRefusedError) as error:
        await put_mesh(api, conf)
    found = told(error)
    assert found[0][0] == field
    assert reason in found[0][1]
    assert "mtls" not in await api.get("Mesh", "m")


async def test_an_authority_out_of_force_is_looked_at_as_well() -> None:
    with pytest.raises(ResourceRefusedError) as error:
        await put_mesh(ResourceApi(), BY_NAME, enabled="")
    assert [field for field, _ in told(error)] == [CERT_AT, KEY_AT]


async def test_who_asks_not_to_look_is_believed() -> None:
    api = ResourceApi()
    await put_mesh(api, BY_NAME, skipValidation=True)
    assert (await api.get("Mesh", "m"))["mtls"]["skipValidation"] is True


async def test_a_pair_that_was_valid_may_follow_another_under_the_same_name() -> None:
    api = await with_secrets()
    await put_mesh(api, BY_NAME)
    other = {"cert": inline(certificate(ec_key())), "key": inline(private_pem(ec_key()))}
    await put_mesh(api, other)
    with pytest.raises(ResourceRefusedError) as error:
        await put_mesh(api, {**other, "key": {"secret": "k"}})
    assert told(error)[0][1].endswith("tls: private key type does not match public key type")


def with_files(files: dict[str, bytes]) -> ResourceApi:
    def read(path: str) -> bytes:
        if path not in files:
            raise FileUnreadableError(f"open {path}: no such file or directory")
        return files[path]

    api = ResourceApi()
    births = MeshCreation(api.store, api.keys, read_file=read)
    api.applying = ResourceWriter(api.store, api.access, births, api.rules, lambda: api.now)
    return api


async def test_a_pair_may_lie_in_files_of_this_machine() -> None:
    conf = {"cert": {"file": "/ca.pem"}, "key": {"file": "/ca.key"}}
    await put_mesh(with_files({"/ca.pem": CA, "/ca.key": KEY}), conf)
    with pytest.raises(ResourceRefusedError) as error:
        await put_mesh(with_files({"/ca.pem": CA}), conf)
    reason = "could not load data: open /ca.key: no such file or directory"
    assert told(error) == [(CERT_AT, reason), (KEY_AT, reason)]


async def test_a_write_that_breaks_an_authority_is_warned_of() -> None:
    api = await with_secrets()
    await put_mesh(api, BY_NAME)
    assert await put_secret(api, "c", certificate(ends=api.now)) == ()
    (warning,) = await put_secret(api, "k", pem(2))
    assert warning == (
        'mTLS backend "ca" of Mesh "m" needs this secret, and cannot work like that:'
        " not a valid TLS key pair: tls: private key does not match public key"
    )
    assert await put_secret(api, "other", b"x") == ()
    assert await put_secret(api, "k", KEY) == ()


async def test_a_write_that_breaks_an_authority_made_here_is_warned_of() -> None:
    api = ResourceApi()
    backends = [{"name": "b", "type": "builtin"}]
    await api.put(
        "Mesh",
        "m",
        skipCreatingInitialPolicies=["*"],
        mtls={"enabledBackend": "b", "backends": backends},
    )
    (warning,) = await put_secret(api, "m.ca-builtin-cert-b", b"")
    assert warning.startswith('mTLS backend "b" of Mesh "m" needs this secret')


async def test_a_secret_that_an_authority_needs_stays_unless_deletes_are_unsafe() -> None:
    api = await with_secrets()
    await put_mesh(api, BY_NAME, enabled="")
    with pytest.raises(ResourceRefusedError) as error:
        await api.delete("Secret", "c", mesh="m")
    assert told(error)[0][0] == "name"

    unsafe = WriteRules(deployment=Deployment(), unsafe_delete=True)
    api.applying = ResourceWriter(api.store, api.access, api.births, unsafe, lambda: api.now)
    await api.delete("Secret", "c", mesh="m")


async def test_an_authority_that_ends_soon_is_taken_with_a_warning() -> None:
    api = await with_secrets(certificate(ends=AT + timedelta(days=3, hours=1)))
    written = await api.put("Mesh", "m", mtls=mtls(BY_NAME))
    assert written.warnings == (
        (
            "mtls.backends[0]: the authority ends in 3 days, at 2026-11-24T13:00:00Z: from then on"
            " proxies refuse each other's certificates. Put a new certificate and key where they come"
            " from: c, k."
        ),
    )
    api = await with_secrets(certificate(ends=AT - timedelta(days=1)))
    (warning,) = (await api.put("Mesh", "m", mtls=mtls(BY_NAME))).warnings
    assert "the authority ended at 2026-11-20T12:00:00Z" in warning
    api = await with_secrets(certificate(ends=AT + timedelta(days=31)))
    assert (await api.put("Mesh", "m", mtls=mtls(BY_NAME))).warnings == ()
