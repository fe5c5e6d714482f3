"""What a mesh must not become.

Source: docs/wire/meshes.md#changes, docs/wire/meshes.md#deletion
"""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.meshes.mesh_changes import (
    change_violations,
    conf_warnings,
    creation_violations,
    secrets_in_use,
)
from kong_mesh_cp.core.resources.kinds.mesh import Mesh
from kong_mesh_cp.core.schema.messages import read_message
from kong_mesh_cp.core.schema.violations import Violation


def mesh(*backends: dict[str, object], enabled: str = "", skip: bool = False) -> Mesh:
    mtls = {"enabledBackend": enabled, "backends": list(backends), "skipValidation": skip}
    return read_message(Mesh, {"mtls": mtls})


def builtin(name: str) -> dict[str, object]:
    return {"name": name, "type": "builtin"}


CONF = "mtls.backends[0].conf"
TYPE = ("mtls.backends[0].type", "could not find installed plugin for this type")
NAME = f"{CONF}.mtls.backends.name"
NO_OBJECT = "json: cannot unmarshal {} into Go value of type map[string]json.RawMessage"
UNCHOSEN = "data source has to be chosen. Available sources: secret, file, inline"
IN_BASE64 = {"inline": "QUFB"}


def provided(conf: object, name: str = "a") -> dict[str, object]:
    return {"name": name, "type": "provided", "conf": conf}


def made(conf: object, name: str = "a") -> dict[str, object]:
    return {"name": name, "type": "builtin", "conf": conf}


def told(found: list[Violation]) -> list[tuple[str, str]]:
    return [(each.field, each.message) for each in found]


def unreadable(reason: str) -> list[tuple[str, str]]:
    return [(CONF, f"could not convert backend config: {reason}")]


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ({"name": "a", "type": "other"}, [TYPE]),
        ({"name": "a", "type": "Builtin"}, [TYPE]),
        ({"name": "a"}, [TYPE]),
        (builtin("Not_DNS"), [(NAME, '"Not_DNS" name must be valid dns name')]),
        (builtin("a..b"), [(NAME, '"a..b" name must be valid dns name')]),
        (builtin("a b"), [(NAME, '"a b" name must be valid dns name')]),
        (builtin("a\n"), [(NAME, '"a\\n" name must be valid dns name')]),
        (builtin("x" * 60), [(NAME, f'"{"x" * 60}" name must be valid dns name')]),
        (
            builtin("x" * 240),
            [
                (NAME, "Backend name is too long. Max length: 255"),
                (NAME, f'"{"x" * 240}" name must be valid dns name'),
            ],
        ),
        (made({"caCert": "x"}), unreadable(NO_OBJECT.format("string"))),
        (made({"caCert": []}), unreadable(NO_OBJECT.format("array"))),
        (
            made({"caCert": {"RSAbits": "x"}}),
            unreadable("invalid character 'x' looking for beginning of value"),
        ),
        (
            made({"caCert": {"RSAbits": -1}}),
            unreadable("json: cannot unmarshal number -1 into Go value of type uint32"),
        ),
        (
            made({"caCert": {"RSAbits": 2048.5}}),
            unreadable("json: cannot unmarshal number 2048.5 into Go value of type uint32"),
        ),
        (
            made({"caCert": {"expiration": 5}}),
            unreadable("json: cannot unmarshal number into Go value of type string"),
        ),
        (
            made({"caCert": "x"}, "A"),
            [
                *unreadable(NO_OBJECT.format("string")),
                (NAME, '"A" name must be valid dns name'),
            ],
        ),
        (provided({"cert": "x", "key": "y"}), unreadable(NO_OBJECT.format("string"))),
        (provided({"cert": []}), unreadable(NO_OBJECT.format("array"))),
        (
            provided({"cert": {"secret": 5}}),
            unreadable("json: cannot unmarshal number into Go value of type string"),
        ),
        (
            provided({"cert": {"inline": "<base64>"}, "key": IN_BASE64}),
            unreadable("illegal base64 data at input byte 0"),
        ),
        (
            provided(None),
            [(f"{CONF}.cert", "has to be defined"), (f"{CONF}.key", "has to be defined")],
        ),
        (provided({"cert": {"secret": "c"}}), [(f"{CONF}.key", "has to be defined")]),
        (provided({"cert": {}, "key": IN_BASE64}), [(f"{CONF}.cert", UNCHOSEN)]),
        (provided({"cert": {"Inline": "QUFB"}, "key": IN_BASE64}), [(f"{CONF}.cert", UNCHOSEN)]),
        *(
            (
                provided({"cert": {source: ""}, "key": {source: ""}}),
                [
                    (f"{CONF}.cert.{source}", "cannot be empty"),
                    (f"{CONF}.key.{source}", "cannot be empty"),
                ],
            )
            for source in ("secret", "file", "inline")
        ),
    ],
)
def test_an_authority_that_cannot_work_is_refused(
    backend: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert told(creation_violations("m", mesh(backend))) == expected


@pytest.mark.parametrize(
    "backend",
    [
        *(builtin(name) for name in ("", "a_b", "-a", "a-", "a.b", ".a", "a.", "_", "1.2.3.4")),
        made(None),
        made({"caCert": None}),
        made({"caCert": {"RSAbits": "4096", "expiration": "0"}}),
        made({"caCert": {"RSAbits": 0, "expiration": ""}}),
        # Members in another letter case are unknown here, and those have no effect.
        made({"cacert": {"RSAbits": "x"}}),
        provided({"cert": IN_BASE64, "key": {"secret": "k"}}),
        provided({"cert": {"inlineString": ""}, "key": {"file": "/k"}}, "A B"),
        provided({"cert": {"secret": "c", "inline": "QUFB"}, "key": IN_BASE64}, ""),
    ],
)
def test_an_authority_that_can_work_is_not(backend: dict[str, object]) -> None:
    assert creation_violations("m", mesh(backend)) == []


def test_whoever_asks_not_to_look_is_told_only_what_makes_it_impossible() -> None:
    assert creation_violations("m", mesh(provided({"cert": "x"}), skip=True)) == []
    assert creation_violations("m", mesh(builtin("A B"), skip=True)) == []
    assert told(creation_violations("m", mesh({"type": "other"}, skip=True))) == [TYPE]
    unmakeable = mesh(made({"caCert": "x"}), skip=True)
    assert [each.field for each in creation_violations("m", unmakeable)] == [CONF]


def test_a_mesh_is_named_like_a_dns_label_by_length() -> None:
    assert creation_violations("x" * 63, Mesh()) == []
    assert [each.field for each in creation_violations("x" * 64, Mesh())] == ["name"]
    both = creation_violations("x" * 64, mesh({"type": "vault"}))
    assert [each.field for each in both] == ["name", "mtls.backends[0].type"]


def test_the_authority_in_force_changes_only_over_none() -> None:
    one, two = mesh(builtin("a"), enabled="a"), mesh(builtin("b"), enabled="b")
    assert [each.field for each in change_violations("m", one, two)] == ["mtls.enabledBackend"]
    both = change_violations("m", one, mesh(provided({}, "b"), enabled="b"))
    assert [each.field for each in both] == ["mtls.enabledBackend", f"{CONF}.cert", f"{CONF}.key"]
    assert change_violations("m", one, one) == []
    assert change_violations("m", one, mesh(builtin("b"))) == []
    assert change_violations("m", mesh(builtin("a")), two) == []


@pytest.mark.parametrize("enabled", ["", "a"])
def test_an_authority_needs_the_secrets_it_consists_of_in_force_or_not(enabled: str) -> None:
    conf = {"cert": {"secret": "c"}, "key": {"file": "/k"}}
    of_others = mesh(provided(conf), enabled=enabled)
    assert [each.field for each in secrets_in_use("c", "m", of_others)] == ["name"]
    assert secrets_in_use("k", "m", of_others) == []
    assert secrets_in_use("c", "m", Mesh()) == []

    own = mesh(builtin("a"), enabled=enabled)
    for name in ("m.ca-builtin-cert-a", "m.ca-builtin-key-a"):
        (needed,) = secrets_in_use(name, "m", own)
        assert needed.message == (
            f'The secret "{name}" that you are trying to remove is currently in use in Mesh "m" in'
            ' mTLS backend "a". Please remove the reference from the "a" backend before removing'
            " the secret."
        )
    assert secrets_in_use("m.ca-builtin-cert-b", "m", own) == []


def test_what_cannot_be_read_needs_no_secret() -> None:
    assert secrets_in_use("c", "m", mesh(provided({"cert": "c"}))) == []
    assert secrets_in_use("c", "m", mesh({"name": "a", "type": "vault"})) == []


def keyed(name: str, bits: object) -> dict[str, object]:
    return {**builtin(name), "conf": {"caCert": {"RSAbits": bits}}}


@pytest.mark.parametrize("skip", [False, True])
def test_a_key_that_takes_too_long_to_make_is_refused(skip: bool) -> None:
    asked = mesh(keyed("a", 2048), keyed("b", 65536), skip=skip)
    found = creation_violations("m", asked)
    assert [(each.field, each.message) for each in found] == [
        ("mtls.backends[1].conf.caCert.RSAbits", "must be 4096 at the most")
    ]
    assert change_violations("m", Mesh(), asked) == found
    assert creation_violations("m", mesh(keyed("a", 4096), skip=skip)) == []


@pytest.mark.parametrize("bits", [1, 512, 1023, "512"])
def test_a_key_that_nothing_can_make_is_refused(bits: object) -> None:
    assert told(creation_violations("m", mesh(keyed("a", bits)))) == [
        (f"{CONF}.caCert.RSAbits", "must be 1024 at the least")
    ]
    assert creation_violations("m", mesh(keyed("a", 1024))) == []


@pytest.mark.parametrize("text", ["x", "1", "-1y", "1.5d", "1h30m", "1M", " 1d", "10 y"])
def test_an_expiration_that_says_no_time_is_refused(text: str) -> None:
    asked = mesh(made({"caCert": {"expiration": text}}))
    (found,) = creation_violations("m", asked)
    assert found.field == f"{CONF}.caCert.expiration"
    assert found.message.startswith("has to be a valid format")
    assert change_violations("m", asked, asked) == []


def test_a_mesh_that_has_its_key_already_can_be_written_again() -> None:
    before = mesh(keyed("a", 8192))
    assert change_violations("m", before, before) == []
    assert change_violations("m", before, mesh(keyed("a", 8193))) != []
    assert change_violations("m", before, mesh(keyed("b", 8192))) != []


def test_one_write_asks_for_a_few_keys_only() -> None:
    few = mesh(*(builtin(f"a{number}") for number in range(8)))
    many = mesh(*(builtin(f"a{number}") for number in range(9)))
    assert creation_violations("m", few) == []
    assert [each.field for each in creation_violations("m", many)] == ["mtls.backends"]
    assert change_violations("m", few, many) == []


def asking(bits: int | None = None, expiration: str = "", name: str = "a") -> Mesh:
    asked = {"RSAbits": bits, "expiration": expiration}
    given = {key: value for key, value in asked.items() if value}
    return mesh(made({"caCert": given} if given else {}, name), enabled="a")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (asking(2048), asking(4096)),
        (asking(), asking(3072)),
        (asking(2048), asking()),
        (asking(expiration="1y"), asking(expiration="10y")),
    ],
)
def test_what_is_asked_of_an_authority_that_is_there_is_said_to_have_no_effect(
    before: Mesh, after: Mesh
) -> None:
    (warning,) = conf_warnings(before, after)

    assert warning.startswith(f"{CONF}.caCert: has no effect: the authority is there already")
    assert "kumactl rotate ca" in warning


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (asking(2048), asking(2048)),
        (Mesh(), asking(4096)),
        (asking(2048, name="b"), asking(4096)),
        (mesh(provided({}), enabled="a"), asking(4096)),
        (asking(2048), mesh(provided({}), enabled="a")),
    ],
)
def test_what_is_asked_of_a_new_authority_has_its_effect(before: Mesh, after: Mesh) -> None:
    assert not [*conf_warnings(before, after)]


@pytest.mark.parametrize(
    ("backend_type", "signer"),
    [("vault", "Vault"), ("acmpca", "AWS Private CA"), ("certmanager", "cert-manager")],
)
def test_authorities_of_kong_that_are_not_there_are_refused_with_a_way_out(
    backend_type: str, signer: str
) -> None:
    (violation,) = creation_violations("m", mesh({"name": "a", "type": backend_type}))
    field, known = TYPE
    assert violation.field == field
    assert violation.message == (
        f"{known}: this release does not ask {signer} for certificates. Use an authority of the"
        f" type provided, with the certificate and the key of an intermediate one that {signer} has"
        " issued, or one of the type builtin"
    )
