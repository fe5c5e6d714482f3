"""What may lie in the files of a certificate in place of it: at a start, and while it is shown."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from kong_mesh_cp.core.errors import ConfigurationError
from support.daemons.https_settings import codes, configured, https
from support.daemons.tls_peers import Pair, pair, shown_by
from support.specs.tls_files import MISTAKES, USABLE, Mistake


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_files_is_named_with_its_remedy(tmp_path: Path, mistake: Mistake) -> None:
    environ = configured(tmp_path / "own", mistake.files())
    with pytest.raises(ConfigurationError) as refused:
        https(tmp_path, **environ)

    error = refused.value
    assert error.code == mistake.code
    assert mistake.says in error.message
    assert f"{tmp_path}/own/server." in error.message
    assert mistake.remedy in error.hint
    assert b"PRIVATE KEY" not in error.line.encode()


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
async def test_a_mistake_in_a_renewal_changes_nothing_until_it_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mistake: Mistake
) -> None:
    served = https(tmp_path, **configured(tmp_path / "own", pair("first")))
    await served.provide()
    before = served.context()
    mistake.files().write(tmp_path / "own")
    await served.renew()
    await served.renew()
    assert served.context() is before
    assert codes(caplog) == [mistake.code]
    assert getattr(served.refusal, "code", None) == mistake.code
    assert "The certificate of before stays in force." in caplog.text

    pair("second").write(tmp_path / "own")
    await served.renew()
    assert served.refusal is None
    assert shown_by(served.context()) == pair("second").certificate


@pytest.mark.parametrize("made", USABLE.values(), ids=USABLE)
async def test_what_is_odd_and_right_is_served(tmp_path: Path, made: Callable[[], Pair]) -> None:
    served = https(tmp_path, **configured(tmp_path / "own", made()))
    await served.provide()
    assert shown_by(served.context()) == pair().certificate


NOT_FILES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: path,
    "a directory": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("put", NOT_FILES.values(), ids=NOT_FILES)
@pytest.mark.parametrize("name", ["server.crt", "server.key", "clients.pem", "clients/one.crt"])
async def test_what_is_no_file_any_more_changes_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, put: Callable[[Path], object]
) -> None:
    environ = configured(tmp_path / "own", pair())
    own = tmp_path / "own"
    (own / "clients").mkdir()
    for path in (own / "clients.pem", own / "clients" / "one.crt", own / "clients" / "two.crt"):
        path.write_bytes(pair("client").certificate)
    environ["KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE"] = str(own / "clients.pem")
    environ["KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR"] = str(own / "clients")
    served = https(tmp_path, **environ)
    await served.provide()
    before, descriptors = served.context(), open_descriptors()
    (own / name).unlink()
    put(own / name)
    for _ in range(3):
        await served.renew()

    if (name, put) == ("clients/one.crt", NOT_FILES["nothing"]):
        assert served.context() is not before, "who is taken out of a folder is trusted no more"
        return
    assert served.context() is before
    assert codes(caplog) == ["tls-file-unreadable"]
    assert str(own / name) in caplog.text
    assert open_descriptors() <= descriptors + 1, "nothing is left open"


async def test_a_certificate_that_has_ended_does_not_take_the_place_of_one_that_has_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = https(tmp_path, **configured(tmp_path / "own", pair()))
    await served.provide()
    before = served.context()
    pair("old", days=-1).write(tmp_path / "own")
    await served.renew()
    assert served.context() is before
    assert codes(caplog) == ["tls-certificate-expired"]
    assert served.refusal is None  # a start would show it, and warn


@pytest.mark.parametrize("missing", ["kuma-cp.crt", "kuma-cp.key"])
async def test_a_made_certificate_that_is_taken_away_stays_in_force_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    served = https(tmp_path)
    await served.provide()
    before = served.context()
    (tmp_path / missing).rename(tmp_path / "elsewhere")
    await served.renew()
    await served.renew()
    assert codes(caplog) == ["tls-certificate-gone"]

    (tmp_path / "elsewhere").rename(tmp_path / missing)
    await served.renew()
    assert served.context() is before
    assert codes(caplog) == ["tls-certificate-gone"]


@pytest.mark.parametrize("wrong", ["der", "a key", "empty"])
def test_an_authority_of_clients_that_is_none_is_named(tmp_path: Path, wrong: str) -> None:
    folder = tmp_path / "clients"
    folder.mkdir()
    (folder / "mary.crt").write_bytes(pair("mary").certificate)
    (folder / "john.crt").write_bytes(
        {
            "der": ssl.PEM_cert_to_DER_cert(pair("john").certificate.decode()),
            "a key": pair().key,
        }.get(wrong, b"")
    )
    environ = configured(tmp_path / "own", pair())
    with pytest.raises(ConfigurationError) as refused:
        https(tmp_path, **environ, KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR=str(folder))
    assert refused.value.code == ("tls-not-pem" if wrong == "der" else "tls-ca-unusable")
    assert f"{folder}/john.crt" in refused.value.message
