"""Secrets out of files and standard input, where the list of processes does not show them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kumactl import cli
from support.daemons.kuma_api import Plane, api
from support.daemons.kumactl_runs import User

ADD = ("config", "control-planes", "add", "--name", "x", "--address", "http://x", "--skip-check")
TOKENS = (*ADD, "--auth-type", "tokens", "--auth-conf")
CANARY = "canary-of-a-token"
SECRET = "type: GlobalSecret\nname: s\ndata: '{{ key }}'\n"


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def server_of(user: User) -> dict[str, object]:
    (*_, entry) = yaml.safe_load(user.config.read_text())["controlPlanes"]
    found: dict[str, object] = entry["coordinates"]["apiServer"]
    return found


@pytest.mark.parametrize("content", [CANARY, f"{CANARY}\n", f"{CANARY}\r\n"])
def test_a_token_out_of_a_file_or_standard_input(user: User, content: str) -> None:
    file = user.home / "token"
    file.write_bytes(content.encode())
    for text, stdin in ((f"token=@{file}", b""), ("token=@-", content.encode())):
        ran = user.run(*TOKENS, text, "--overwrite", stdin=stdin)
        assert (ran.status, ran.err) == (0, "")
        assert server_of(user)["authConf"] == {"token": CANARY}


def test_a_header_out_of_a_file(user: User) -> None:
    file = user.home / "header"
    file.write_text(f"Bearer {CANARY}\n")
    ran = user.run(*ADD, "--headers", f"Authorization=@{file},x-team=a")
    assert (ran.status, ran.err) == (0, "")
    assert server_of(user)["headers"] == [
        {"key": "Authorization", "value": f"Bearer {CANARY}"},
        {"key": "x-team", "value": "a"},
    ]


def test_a_variable_out_of_a_file_or_standard_input(user: User, tmp_path: Path) -> None:
    document, file = tmp_path / "secret.yaml", tmp_path / "key"
    document.write_text(SECRET)
    file.write_text("a2V5\n")
    for variable in (f"key=@{file}", "key=@-"):
        with api(Plane()) as server:
            ran = User(user.home, server.url).run(
                *("apply", "-f", str(document), "--var", variable),
                stdin=b"a2V5\n",
            )
            user.config.unlink()
        assert (ran.status, ran.err) == (0, "")
        assert [asked.json["data"] for asked in server.asked if asked.method == "PUT"] == ["a2V5"]


def test_an_at_sign_that_is_meant_is_doubled(user: User) -> None:
    ran = user.run(*ADD, "--headers", "x-owner=@@team")
    assert (ran.status, ran.err) == (0, "")
    assert server_of(user)["headers"] == [{"key": "x-owner", "value": "@team"}]


@pytest.mark.parametrize(
    "argv",
    [
        (*TOKENS, f"token={CANARY}"),
        (*ADD, "--headers", f"Authorization={CANARY}"),
        (*ADD, "--headers", f"x-api-key={CANARY}"),
        (*ADD, "--headers", f"x-other=eyJ{CANARY}"),
    ],
)
def test_a_secret_among_the_arguments_is_taken_with_a_warning(
    user: User, argv: tuple[str, ...]
) -> None:
    ran = user.run(*argv)
    assert ran.status == 0
    assert ran.err.startswith("WARNING: every user of this machine can read the value of --")
    assert "=@FILE" in ran.err
    assert CANARY not in ran.err + ran.out
    assert "WARNING" not in ran.out


@pytest.mark.parametrize("name", ["key", "signing-key", "token", "db_password", "client.secret"])
def test_a_variable_that_is_called_as_a_secret_is_warned_of(user: User, name: str) -> None:
    document = user.home / "m.yaml"
    document.write_text("type: Mesh\nname: m\n")
    ran = user.run("apply", "-f", str(document), "--dry-run", "--var", f"{name}={CANARY}")
    assert f"the value of --var {name} " in ran.err
    assert CANARY not in ran.err


@pytest.mark.parametrize("variable", ["team=a", "keyword=a", "monkey=a", "key="])
def test_other_variables_are_not_warned_of(user: User, variable: str) -> None:
    document = user.home / "m.yaml"
    document.write_text("type: Mesh\nname: m\n")
    ran = user.run("apply", "-f", str(document), "--dry-run", "--var", variable)
    assert "WARNING" not in ran.err


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ((*TOKENS, "token=@/absent"), "could not read '/absent'"),
        ((*TOKENS, "token=@"), "behind @ there has to be a file"),
        ((*TOKENS, "token=@-,other=@-"), "cannot both read standard input"),
        (("apply", "-f", "-", "--var", "a=@-"), "cannot both read standard input"),
        ((*TOKENS, CANARY), "that is not of the form key=value"),
        (("apply", "-f", "-", "--var", CANARY), "that is not of the form key=value"),
        ((*ADD, "--headers", CANARY), "that is not of the form key=value"),
    ],
)
def test_what_cannot_be_read_is_reported_without_its_value(
    user: User, argv: tuple[str, ...], problem: str
) -> None:
    ran = user.run(*argv, stdin=b"x")
    assert ran.status == 2
    assert problem in ran.err
    assert CANARY not in ran.err
    assert not user.config.exists()


def test_a_value_that_is_too_large_or_no_text_is_refused(user: User) -> None:
    for content, problem in ((b"a" * 65537, "larger than 65536 bytes"), (b"\xff", "not UTF-8")):
        ran = user.run(*TOKENS, "token=@-", stdin=content)
        assert ran.status == 2
        assert problem in ran.err


def test_a_signing_key_comes_from_standard_input(user: User) -> None:
    pem = user.run("generate", "signing-key", "--format", "pem").out.encode()
    ran = user.run("generate", "public-key", "--signing-key-path", "-", stdin=pem)
    assert ran.status == 0
    assert "BEGIN RSA PUBLIC KEY" in ran.out
    signed = user.run(
        *("generate", "user-token", "--name", "a", "--valid-for", "1h"),
        *("--kid", "1", "--signing-key-path", "-"),
        stdin=pem,
    )
    assert signed.status == 0
    assert signed.out.count(".") == 2


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _options(each)
        else:
            yield action


def test_every_option_with_pairs_says_how_to_keep_a_value_off_the_command_line() -> None:
    named = {
        action.option_strings[-1]: action.help or ""
        for action in _options(cli.parser())
        if action.option_strings and "VALUE" in str(action.metavar or "")
    }
    assert set(named) == {"--auth-conf", "--headers", "--tag", "--var"}
    for option, text in named.items():
        assert ("@FILE" in text) == (option != "--tag"), option  # tags are no secrets


def test_the_configuration_is_shown_without_any_secret(user: User) -> None:
    user.run(*TOKENS, "token=@-", "--headers", f"x-auth={CANARY}", stdin=CANARY.encode())
    for view in (("config", "view"), ("config", "control-planes", "view")):
        ran = user.run(*view)
        assert ran.status == 0
        assert CANARY not in ran.out
        assert ran.out.count("*****") == 2


def test_a_password_in_an_address_is_not_shown(user: User) -> None:
    address = f"https://joe:{CANARY}@cp.example.com:5682/a@b"
    add = ("config", "control-planes", "add", "--name", "x", "--skip-check", "--address", address)
    assert user.run(*add).status == 0
    for view in (("config", "view"), ("config", "control-planes", "list")):
        ran = user.run(*view)
        assert "https://*****@cp.example.com:5682/a@b" in ran.out
        assert CANARY not in ran.out


def test_the_configuration_is_for_its_owner_alone(user: User) -> None:
    umask = os.umask(0)
    try:
        user.run(*TOKENS, "token=@-", stdin=CANARY.encode())
    finally:
        os.umask(umask)
    assert user.config.stat().st_mode & 0o777 == 0o600
    assert user.config.parent.stat().st_mode & 0o777 == 0o700


def test_a_configuration_that_others_can_read_is_warned_of_and_mended_by_a_change(
    user: User,
) -> None:
    user.run(*TOKENS, "token=@-", stdin=CANARY.encode())
    user.config.chmod(0o644)
    ran = user.run("config", "view")
    assert "WARNING: others than you can read the tokens in" in ran.err
    assert f"chmod 600 {user.config}" in ran.err
    user.run("config", "control-planes", "switch", "--name", "local")
    assert user.run("config", "view").err == ""


def test_a_configuration_that_everybody_can_write_is_not_believed(user: User) -> None:
    user.run(*ADD)
    user.config.chmod(0o666)
    ran = user.run("config", "view")
    assert ran.status == 2
    assert "can be written by everybody" in ran.err


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
NOBODY = 65534


@needs_root
def test_another_users_configuration_is_not_believed(user: User) -> None:
    user.run(*ADD)
    os.chown(user.config, NOBODY, NOBODY)
    ran = user.run("config", "view")
    assert ran.status == 2
    assert f"belongs to the user with the id {NOBODY}" in ran.err


@needs_root
def test_a_link_that_another_user_put_there_is_not_followed(user: User, tmp_path: Path) -> None:
    user.run(*ADD)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "config").symlink_to(user.config)
    os.chown(theirs, NOBODY, NOBODY)
    before = user.config.read_text()
    given = ("--config-file", str(theirs / "config"))
    for argv in (("config", "view"), (*ADD, "--overwrite")):
        ran = user.run(*argv, *given)
        assert ran.status == 2
        assert "the folder of the configuration" in ran.err
    assert user.config.read_text() == before


def test_a_link_of_ones_own_is_followed(user: User, tmp_path: Path) -> None:
    user.run(*ADD)
    link = tmp_path / "link"
    link.symlink_to(user.config)
    assert user.run("config", "view", "--config-file", str(link)).status == 0


@needs_root
def test_nothing_is_written_into_another_users_folder(user: User) -> None:
    user.config.parent.mkdir(parents=True)
    os.chown(user.config.parent, NOBODY, NOBODY)
    ran = user.run(*ADD)
    assert ran.status == 2
    assert "the folder of the configuration" in ran.err
    assert list(user.config.parent.iterdir()) == []
