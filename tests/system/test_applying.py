"""`kumactl` and the daemon together: what is judged, applied, exported, pruned and deleted."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.daemons.daemon import Daemon, eventually, running
from support.daemons.kumactl_runs import User

PROXY = """\
type: Dataplane
mesh: {mesh}
name: {name}
networking:
  address: 10.0.0.1
  inbound:
  - port: 8080
    tags:
      kuma.io/service: web
"""
RETRY = """\
type: MeshRetry
mesh: {mesh}
name: {name}
spec:
  targetRef: {{kind: Mesh}}
  to: [{{targetRef: {{kind: Mesh}}, default: {{http: {{numRetries: {retries}}}}}}}]
---
"""


def authority() -> tuple[bytes, bytes]:
    """The certificate of a CA, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def complete(daemon: Daemon) -> bool:
    made = daemon.api("GET", "/global-secrets").body
    return all(
        name in made for name in (b"inter-cp-ca", b"admin-user-token", b"user-token-signing")
    )


def user_of(daemon: Daemon, tmp_path: Path) -> User:
    eventually("all that a start makes", lambda: complete(daemon))
    return User(tmp_path / "home", f"http://{daemon.addresses['api'].rpartition('/')[2]}")


def everything(daemon: Daemon, user: User) -> dict[str, Any]:
    """Every resource, its times among them."""
    exported = user.run("export", "--profile", "all", "--include-admin")
    assert (exported.status, exported.err) == (0, "")
    return {"text": exported.out, "meshes": daemon.api("GET", "/meshes").json}


def test_an_export_applied_at_once_changes_nothing_and_the_dry_run_says_so(tmp_path: Path) -> None:
    with running(tmp_path / "daemon") as daemon:
        user = user_of(daemon, tmp_path)
        user.run("apply", "-f", "-", stdin=PROXY.format(mesh="default", name="a").encode())
        before = everything(daemon, user)
        document = before["text"].encode()

        foretold = user.run("apply", "--dry-run", "-f", "-", stdin=document)
        applied = user.run("apply", "-f", "-", stdin=document)

        assert (foretold.status, applied.status) == (0, 0)
        assert foretold.out == applied.out
        assert len(applied.out.splitlines()) > 10
        assert all(line.endswith(" unchanged") for line in applied.out.splitlines())
        assert everything(daemon, user) == before


def test_an_export_brings_all_of_it_to_another_control_plane_in_one_run(tmp_path: Path) -> None:
    certificate, key = authority()
    secrets = "".join(
        f"type: Secret\nmesh: shop\nname: {name}\ndata: {base64.b64encode(content).decode()}\n---\n"
        for name, content in (("ca-cert", certificate), ("ca-key", key))
    )
    mesh = (
        "type: Mesh\nname: shop\nmtls:\n  enabledBackend: ca\n  backends:\n  - name: ca\n"
        "    type: provided\n    conf: {cert: {secret: ca-cert}, key: {secret: ca-key}}\n---\n"
    )
    with running(tmp_path / "a") as source, running(tmp_path / "b") as target:
        user = user_of(source, tmp_path / "of-a")
        made = user.run("apply", "-f", "-", stdin=(mesh + secrets).encode())
        text = user.run("export", "--profile", "all", "--include-admin").out

        other = user_of(target, tmp_path / "of-b")
        foretold = other.run("apply", "--dry-run", "-f", "-", stdin=text.encode())
        applied = other.run("apply", "-f", "-", stdin=text.encode())

        assert (made.status, made.err) == (0, "")
        assert made.out.splitlines()[-1] == "mesh/shop created: 4 default policies, signing key"
        assert (foretold.status, applied.status) == (0, 0), (foretold.err, applied.err)
        assert "mesh/shop created" in applied.out
        moved = other.run("export", "--profile", "all", "--include-admin").out
        assert contents(moved) == contents(text)


def contents(export: str) -> list[Any]:
    """What is exported, without times and the labels that a write adds."""
    of_control_plane = {"creationTime", "modificationTime", "labels"}
    return [
        {key: value for key, value in document.items() if key not in of_control_plane}
        for document in yaml.safe_load_all(export)
    ]


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_applied(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "10.yaml").write_text(RETRY.format(mesh="late", name="patient", retries=3))
    (folder / "20.yaml").write_text(
        "type: Mesh\nname: late\n---\ntype: Mesh\nname: Not_Good\n---\n"
        + RETRY.format(mesh="lost", name="x", retries=1)
        + RETRY.format(mesh="default", name="negative", retries=-1)
    )
    with running(tmp_path / "daemon") as daemon:
        user = user_of(daemon, tmp_path)
        meshes = daemon.api("GET", "/meshes").json

        foretold = user.run("apply", "--dry-run", "-f", str(folder))
        refused = user.run("apply", "-f", str(folder))

        assert foretold.status == refused.status == 1
        assert foretold.out == (
            "mesh/late would be created\nmeshretry/patient (mesh late) would be created\n"
        )
        assert refused.out == ""
        for said in (foretold.err, refused.err):
            assert f"Error: {folder}/20.yaml, document 2 (line 4), mesh/Not_Good: " in said
            assert '(Not found): mesh "lost"; there is default\n' in said
            assert f"{folder}/20.yaml, document 4 (line 14), meshretry/negative" in said
            assert "3 of 5 resources are wrong" in said
        assert daemon.api("GET", "/meshes").json == meshes

        kept_going = user.run("apply", "--keep-going", "-f", str(folder))

        assert kept_going.status == 1
        assert "meshretry/patient (mesh late) created\n" in kept_going.out
        assert kept_going.err.endswith("3 of 5 resources are wrong; 2 applied\n")


def test_a_member_that_nobody_knows_is_told_and_refused_when_that_is_asked(tmp_path: Path) -> None:
    mesh = b"type: Mesh\nname: pay\nmlts: {}\n"
    with running(tmp_path / "daemon") as daemon:
        user = user_of(daemon, tmp_path)

        strict = user.run("apply", "--strict", "-f", "-", stdin=mesh)
        assert (strict.status, strict.out) == (1, "")
        assert "* mlts: " in strict.err

        foretold = user.run("apply", "--dry-run", "-f", "-", stdin=mesh)
        applied = user.run("apply", "-f", "-", stdin=mesh)
        assert foretold.out == "mesh/pay would be created\n"
        assert applied.out.startswith("mesh/pay created")
        for ran in (foretold, applied):
            assert ran.status == 0
            assert ran.err.startswith("Warning: unknown member mlts")
            assert 'did you mean "mtls"?' in ran.err


@pytest.mark.parametrize("value", ["abc", "5"])
def test_a_dry_run_refuses_what_the_apply_would_refuse(value: str, tmp_path: Path) -> None:
    timeout = (
        "type: MeshTimeout\nname: slow\nspec: {targetRef: {kind: Mesh}, to: [{targetRef:"
        f" {{kind: Mesh}}, default: {{idleTimeout: {value}}}}}]}}\n"
    ).encode()
    with running(tmp_path / "daemon") as daemon:
        user = user_of(daemon, tmp_path)

        foretold = user.run("apply", "--dry-run", "-f", "-", stdin=timeout)
        refused = user.run("apply", "-f", "-", stdin=timeout)

        assert (refused.status, refused.out) == (1, "")
        assert foretold == refused
        assert refused.err.startswith("Error: standard input, meshtimeout/slow (mesh default): ")


def test_a_constraint_of_the_same_run_decides_on_its_proxies(tmp_path: Path) -> None:
    mesh = (
        "type: Mesh\nname: shop\nconstraints:\n  dataplaneProxy:\n    requirements:\n"
        "    - tags: {{kuma.io/service: {service}}}\n---\n"
    )
    proxy = PROXY.format(mesh="shop", name="a")
    with running(tmp_path / "daemon") as daemon:
        user = user_of(daemon, tmp_path)
        user.run("apply", "-f", "-", stdin=mesh.format(service="other").encode())

        refused = user.run("apply", "-f", "-", stdin=proxy.encode())
        opened = user.run(
            "apply", "-f", "-", stdin=(proxy + "---\n" + mesh.format(service="web")).encode()
        )

        assert refused.status == 1
        assert (opened.status, opened.err) == (0, "")
        assert opened.out == "mesh/shop updated\ndataplane/a (mesh shop) created\n"


def test_pruning_deletes_what_was_applied_before_and_is_given_no_more(tmp_path: Path) -> None:
    one, two = (RETRY.format(mesh="default", name=name, retries=2) for name in ("one", "two"))
    with running(tmp_path / "daemon") as daemon:
        user = user_of(daemon, tmp_path)
        prune = ("apply", "--apply-set", "team", "--prune", "-f", "-")
        user.run(
            "apply",
            "-f",
            "-",
            stdin=RETRY.format(mesh="default", name="by-hand", retries=1).encode(),
        )
        user.run(*prune, stdin=(one + two).encode())
        before = daemon.api("GET", "/meshretries").json

        foretold = user.run(*prune, "--dry-run", stdin=one.encode())
        assert daemon.api("GET", "/meshretries").json == before
        pruned = user.run(*prune, stdin=one.encode())

        assert foretold.out == (
            "meshretry/one (mesh default) unchanged\nmeshretry/two (mesh default) would be deleted\n"
        )
        assert pruned.out == (
            "meshretry/one (mesh default) unchanged\nmeshretry/two (mesh default) deleted\n"
        )
        left = daemon.api("GET", "/meshes/default/meshretries").json["items"]
        assert isinstance(left, list)
        assert [each["name"] for each in left] == ["by-hand", "mesh-retry-all-default", "one"]


def test_a_mesh_that_has_proxies_is_refused_with_their_names(tmp_path: Path) -> None:
    with running(tmp_path / "daemon") as daemon:
        user = user_of(daemon, tmp_path)
        proxies = "---\n".join(PROXY.format(mesh="default", name=f"p{n}") for n in range(7))
        user.run("apply", "-f", "-", stdin=proxies.encode())

        ran = user.run("delete", "mesh", "default")

        assert ran.status == 1
        assert ran.err == (
            "Error: Could not delete a resource (Resource is not valid): 7 Dataplanes in it: p0, p1,"
            " p2, p3, p4 and 2 others. Stop the proxies, then: kumactl delete dataplane NAME"
            " --mesh default\n"
            "* mesh: unable to delete mesh, there are still some dataplanes attached\n"
        )
