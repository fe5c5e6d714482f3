from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kong_mesh_cp.core.license.document import verify
from kong_mesh_cp.core.license.keyring import Algorithm, KeyPurpose, Keyring, KeyStatus
from kong_mesh_license.__main__ import EXIT_REFUSED, main
from support.licenses.licenses import VENDOR


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(line: str, *more: str) -> int:
    return main([*line.split(), *more])


def issue(*more: str) -> int:
    return run(
        "issue --key vendor.key.pem --customer company_inc --dataplanes 20 --expires 2032-11-09",
        *more,
    )


def keygen(name: str = "vendor", algorithm: str = "ed25519") -> None:
    assert run(f"keygen --out {name} --algorithm {algorithm}") == 0


def add_key(name: str = "vendor", purpose: str = "issued") -> str:
    """Put a generated key into keyring.json; returns its kid."""
    line = f"keyring add keyring.json --public-key {name}.pub.pem --purpose {purpose}"
    assert run(line, "--comment", f"of {name}") == 0
    return ring().keys[-1].kid


def ring() -> Keyring:
    return Keyring.parse(Path("keyring.json").read_bytes(), source="keyring.json")


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_from_key_to_license_to_daemon(algorithm: Algorithm) -> None:
    keygen(algorithm=algorithm)
    kid = add_key()
    assert issue("-o", "license.json") == 0

    license_ = verify(Path("license.json").read_bytes(), ring())
    assert license_.kid == kid
    assert license_.customer == "company_inc"
    assert license_.dataplanes == 20
    assert license_.purpose is KeyPurpose.ISSUED
    assert ring().keys[0].algorithm is algorithm
    assert ring().keys[0].comment == "of vendor"


def test_secrets_are_readable_by_their_owner_alone() -> None:
    keygen()
    issue("-o", "license.json")
    for name in ("vendor.key.pem", "license.json"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path("vendor.pub.pem").stat().st_mode) & 0o444 == 0o444


@pytest.mark.parametrize("kept", ["vendor.key.pem", "vendor.pub.pem"])
def test_a_key_is_never_overwritten(kept: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(kept).write_text("precious", encoding="utf-8")
    assert run("keygen --out vendor") == EXIT_REFUSED
    assert Path(kept).read_text(encoding="utf-8") == "precious"
    assert [path.name for path in Path().iterdir()] == [kept]
    assert "file-exists" in capsys.readouterr().err


def test_keys_may_go_into_a_folder() -> None:
    Path("keys").mkdir()
    keygen("keys")
    assert {path.name for path in Path("keys").iterdir()} == {"signing.key.pem", "signing.pub.pem"}


def test_a_license_goes_to_stdout_without_a_file(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    keygen()
    add_key()
    capfdbinary.readouterr()
    assert issue() == 0
    out, err = capfdbinary.readouterr()
    assert verify(out, ring()).dataplanes == 20
    assert b"until 2032-11-09T00:00:00Z" in err


def test_what_is_not_given_is_filled_in() -> None:
    keygen()
    issue("-o", "one.json")
    issue("-o", "two.json")
    one, two = (
        json.loads(Path(name).read_text(encoding="utf-8"))["license"]["payload"]
        for name in ("one.json", "two.json")
    )
    assert re.fullmatch(r"[0-9a-f]{40}", one["license_key"])
    assert one["license_key"] != two["license_key"]
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", one["license_creation_date"])
    assert list(one) == [
        "customer",
        "license_creation_date",
        "product_subscription",
        "dataplanes",
        "license_expiration_date",
        "license_key",
    ]


def test_other_fields_are_signed_too() -> None:
    keygen()
    add_key()
    assert issue("--field", "mesh_zones=3", "--field", "note=a=b", "-o", "license.json") == 0
    license_ = verify(Path("license.json").read_bytes(), ring())
    assert license_.unused_fields == ("mesh_zones", "note")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--dataplanes", "5_0"], "license-malformed"),
        (["--dataplanes", "0"], "license-malformed"),
        (["--expires", "2032-02-30"], "license-malformed"),
        (["--expires", "tomorrow"], "license-malformed"),
        (["--created", "2033-01-01"], "license-malformed"),
        (["--customer", "two\nlines"], "license-malformed"),
        (["--customer", "evil\u202e"], "license-malformed"),
        (["--customer", ""], "license-malformed"),
        (["--license-key", "x" * 1025], "license-malformed"),
        (["--field", "Bad=1"], "license-malformed"),
        (["--field", "dataplanes=99"], "field-taken"),
        (["--field", "a=1", "--field", "a=2"], "field-taken"),
        (["--key", "nowhere.pem"], "file-unusable"),
        (["--key", "vendor.pub.pem"], "key-unusable"),
        (["--output", "no/such/folder.json"], "file-unusable"),
    ],
)
def test_what_the_daemon_would_refuse_is_not_signed(
    more: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keygen()
    capsys.readouterr()
    assert issue("-o", "license.json", *more) == EXIT_REFUSED

    out, err = capsys.readouterr()
    assert not Path("license.json").exists()
    assert not out
    assert err.startswith(f"kong-mesh-license: {code}: ")
    assert len(err.splitlines()) == 1


def test_a_license_that_has_already_ended_is_pointed_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    keygen()
    more = ["--created", "2021-8-4", "--expires", "2023-11-09"]
    assert issue(*more, "-o", "license.json") == 0
    assert "already ended" in capsys.readouterr().err


def test_a_renewed_license_replaces_the_file_whole() -> None:
    keygen()
    add_key()
    issue("-o", "license.json")
    issue("--dataplanes", "40", "-o", "license.json")
    assert verify(Path("license.json").read_bytes(), ring()).dataplanes == 40
    assert not list(Path().glob(".license.json*"))


def test_an_encrypted_key_is_refused_with_the_way_to_open_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    keygen()
    command = "openssl pkey -in vendor.key.pem -aes256 -passout pass:secret -out locked.pem"
    subprocess.run(command.split(), check=True)
    assert issue("--key", "locked.pem") == EXIT_REFUSED
    assert "openssl pkey" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["rsa", "ec -pkeyopt ec_paramgen_curve:secp384r1"])
def test_a_key_of_another_algorithm_is_refused(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"openssl genpkey -algorithm {kind} -out other.pem"
    subprocess.run(command.split(), check=True, capture_output=True)
    public = "openssl pkey -in other.pem -pubout -out other.pub.pem"
    subprocess.run(public.split(), check=True)

    assert issue("--key", "other.pem") == EXIT_REFUSED
    assert "key-unusable" in capsys.readouterr().err
    line = "keyring add keyring.json --purpose issued --public-key other.pub.pem"
    assert run(line) == EXIT_REFUSED
    assert not Path("keyring.json").exists()


def test_a_key_made_by_openssl_does_as_well() -> None:
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", "vendor.key.pem"], check=True
    )
    subprocess.run(
        ["openssl", "pkey", "-in", "vendor.key.pem", "-pubout", "-out", "vendor.pub.pem"],
        check=True,
    )
    add_key()
    assert issue("-o", "license.json") == 0
    assert verify(Path("license.json").read_bytes(), ring()).dataplanes == 20


def test_keys_are_added_listed_and_retired(capsys: pytest.CaptureFixture[str]) -> None:
    keygen("old")
    keygen("new", "ecdsa-p256")
    old, new = add_key("old"), add_key("new", "test")
    assert run("keyring retire keyring.json", old) == 0
    capsys.readouterr()

    assert run("keyring list keyring.json") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == [old, "ed25519", "issued", "retired", "of", "old"]
    assert second.split() == [new, "ecdsa-p256", "test", "active", "of", "new"]
    assert [key.status for key in ring().keys] == [KeyStatus.RETIRED, KeyStatus.ACTIVE]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("keyring list nowhere.json", "file-unusable"),
        ("keyring list vendor.pub.pem", "keyring-invalid"),
        ("keyring retire keyring.json 0123456789abcdef", "key-not-found"),
        ("keyring add keyring.json --purpose test --public-key vendor.pub.pem", "keyring-refused"),
        ("keyring add keyring.json --purpose test --public-key vendor.key.pem", "key-unusable"),
        ("keyring add keyring.json --purpose test --public-key keyring.json", "key-unusable"),
        (
            "keyring add vendor.pub.pem --purpose test --public-key vendor.pub.pem",
            "keyring-invalid",
        ),
    ],
)
def test_a_keyring_is_not_changed_by_a_refused_command(
    line: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keygen()
    add_key()
    before = Path("keyring.json").read_bytes()
    assert run(line) == EXIT_REFUSED
    assert code in capsys.readouterr().err
    assert Path("keyring.json").read_bytes() == before


def test_no_private_key_is_ever_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("vendor.key.pem").write_bytes(VENDOR.pem)
    secret = VENDOR.pem.decode().splitlines()[1]
    issue("-o", "license.json")
    run("keyring add keyring.json --purpose issued --public-key vendor.key.pem")
    run("keyring list vendor.key.pem")
    out, err = capsys.readouterr()
    assert secret not in out + err


def test_a_wrong_command_line_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kong_mesh_license", "issue", "--customer", "x"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_a_private_key_may_come_from_standard_input() -> None:
    keygen()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "kong_mesh_license", "issue", "--key", "-"),
            *("--customer", "company_inc", "--dataplanes", "20", "--expires", "2032-11-09"),
        ],
        input=Path("vendor.key.pem").read_bytes(),
        capture_output=True,
        check=True,
    )
    add_key()
    assert verify(done.stdout, ring()).customer == "company_inc"


def test_a_private_key_that_others_can_read_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    keygen()
    assert issue("-o", "a.json") == 0
    assert "note: others can read" not in capsys.readouterr().err
    Path("vendor.key.pem").chmod(0o640)
    assert issue("-o", "b.json") == 0
    assert "Run: chmod 600 vendor.key.pem" in capsys.readouterr().err


def test_a_keyring_that_everybody_can_write_gets_no_more_trust(
    capsys: pytest.CaptureFixture[str],
) -> None:
    keygen()
    add_key()
    before = Path("keyring.json").read_bytes()
    Path("keyring.json").chmod(0o666)
    line = "keyring add keyring.json --public-key vendor.pub.pem --purpose test"
    for command in (line, "keyring list keyring.json"):
        assert run(command) == EXIT_REFUSED
        assert "keyring-exposed: " in capsys.readouterr().err
    assert Path("keyring.json").read_bytes() == before
