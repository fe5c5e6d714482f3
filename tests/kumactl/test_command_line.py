"""Wrong command lines: the texts that scripts match on, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from kumactl import cli
from support.daemons.kuma_api import INDEX, Reply, api
from support.daemons.kumactl_runs import Ran, User

LOUD = (
    'invalid argument "loud" for "--log-level" flag: unknown log level "loud":'
    " one of off, info, debug"
)


def _said(ran: Ran) -> str:
    """The line that says what is wrong; usage or help stands above it."""
    *_, last = ran.err.splitlines()
    return last.removeprefix("Error: ")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ("config control-planes add", 'required flag(s) "address", "name" not set'),
        ("config control-planes add --name x", 'required flag(s) "address" not set'),
        ("config control-planes switch", 'required flag(s) "name" not set'),
        ("generate user-token", 'required flag(s) "name", "valid-for" not set'),
        ("generate zone-token --zone a", 'required flag(s) "valid-for" not set'),
        ("generate public-key", 'required flag(s) "signing-key-path" not set'),
        ("generate tls-certificate --type server", 'required flag(s) "cp-hostname" not set'),
        ("apply", 'required flag(s) "file" not set'),
        ("delete", "accepts 2 arg(s), received 0: TYPE and NAME missing"),
        ("delete mesh", "accepts 2 arg(s), received 1: NAME missing"),
        ("inspect dataplane", "accepts 1 arg(s), received 0: NAME missing"),
        ("get", "accepts 1 arg(s), received 0: TYPE missing"),
        ("get mesh a b", 'unexpected argument "b" for "kumactl get"'),
        ("", "a command is missing: kumactl COMMAND"),
        ("inspect", "a command is missing: kumactl inspect COMMAND"),
        ("config control-planes", "a command is missing: kumactl config control-planes COMMAND"),
        ("--bogus", "unknown flag: --bogus"),
        ("get meshes -x", "unknown shorthand flag: 'x' in -x"),
        (
            "get meshes -o xml",
            'invalid argument "xml" for "--output" flag: one of table, yaml, json',
        ),
        (
            "get meshes --size x",
            'invalid argument "x" for "--size" flag: not a number',
        ),
        ("get meshes --log-level loud", LOUD),
    ],
)
def test_what_is_wrong_is_named_in_the_words_that_scripts_know(
    argv: str, said: str, tmp_path: Path
) -> None:
    ran = User(tmp_path).run(*argv.split())

    assert (ran.status, ran.out, _said(ran)) == (2, "", said)


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        ("insp meshes", '"inspect"'),
        ("gte meshes", '"get"'),
        ("aplly", '"apply"'),
        ("meshs", '"kumactl get meshes"'),
        ("dataplanes", '"kumactl get dataplanes"'),
        ("generate user-tokn", '"user-token"'),
        ("config control-plane list", '"control-planes"'),
        ("inspect dataplans", '"dataplanes"'),
        ("help inspct", '"inspect"'),
        ("help config control-planes ad", '"add"'),
        ("get meshs", '"meshes"'),
        ("get MeshTimout", '"meshtimeout"'),
        ("delete meshtimout x", '"meshtimeout"'),
        ("get meshes --ouput yaml", '"--output"'),
        ("generate user-token --nme x --name x --valid-for 1h", '"--name"'),
        ("get meshes -o yml", '"yaml"'),
        ("generate zone-token --zon a", '"--zone"'),
    ],
)
def test_what_was_probably_meant_is_said(argv: str, meant: str, tmp_path: Path) -> None:
    ran = User(tmp_path, "http://127.0.0.1:9").run(*argv.split())

    assert ran.status == 2
    assert f"did you mean {meant}?" in _said(ran)


@pytest.mark.parametrize(
    "argv", ["qqqq", "get qqqq", "generate qqqq", "get meshes --qqqq", "help qqqq"]
)
def test_nothing_is_guessed_where_nothing_is_near(argv: str, tmp_path: Path) -> None:
    ran = User(tmp_path).run(*argv.split())

    assert ran.status == 2
    assert "qqqq" in _said(ran)
    assert "did you mean" not in ran.err


@pytest.mark.parametrize(
    "argv",
    [
        "config control-planes add --auth-conf eyJsecret",
        "config control-planes add --headers eyJsecret",
        "apply --var eyJsecret",
        "apply --token=eyJsecret",
    ],
)
def test_what_may_be_a_secret_is_not_repeated(argv: str, tmp_path: Path) -> None:
    ran = User(tmp_path).run(*argv.split())

    assert ran.status == 2
    assert "eyJsecret" not in ran.err


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        ("inspect dataplanes --gateway=true", True),
        ("inspect dataplanes --gateway=1", True),
        ("inspect dataplanes --gateway=false", False),
        ("inspect dataplanes --gateway=F", False),
    ],
)
def test_a_switch_may_say_true_or_false(argv: str, *, asked: bool, tmp_path: Path) -> None:
    with api(lambda _asked: Reply(body={**INDEX, "total": 0, "items": []})) as server:
        ran = User(tmp_path, server.url).run(*argv.split(), "--no-config=false")

    assert ran.status == 0
    assert (("gateway", "true") in server.asked[-1].query) is asked


def test_a_switch_says_nothing_else(tmp_path: Path) -> None:
    ran = User(tmp_path).run("inspect", "dataplanes", "--gateway=maybe")

    assert (ran.status, _said(ran)) == (
        *(2,),
        'invalid argument "maybe" for "--gateway" flag: true or false',
    )


@pytest.mark.parametrize(
    ("given", "instead"),
    [
        ("30d", "Write 720h"),
        ("1d", "Write 24h"),
        ("2w", "Write 336h"),
        ("1y", "Write 8760h"),
        ("1d12h", "Write 36h"),
        ("1d30m", "Write 24h30m"),
        ("1d1h5m", "Write 25h5m"),
    ],
)
def test_days_are_answered_with_the_hours_to_write(
    given: str, instead: str, tmp_path: Path
) -> None:
    ran = User(tmp_path).run("generate", "user-token", "--name", "x", "--valid-for", given)

    assert ran.status == 2
    assert f'invalid argument "{given}" for "--valid-for" flag: time: unknown unit' in _said(ran)
    assert ran.err.endswith(f". {instead}\n")


@pytest.mark.parametrize("given", ["30", "d", "1x", "999999d", "1d1s", "1.5d"])
def test_no_hours_are_made_of_what_is_not_understood(given: str, tmp_path: Path) -> None:
    ran = User(tmp_path).run("generate", "user-token", "--name", "x", "--valid-for", given)

    assert ran.status == 2
    assert f'invalid argument "{given}" for "--valid-for" flag: time: ' in _said(ran)
    assert "Write" not in ran.err


@pytest.mark.parametrize("topic", ["", "get", "config control-planes add", "inspect zoneingress"])
def test_help_says_what_the_flag_says(topic: str, tmp_path: Path) -> None:
    asked = User(tmp_path).run("help", *topic.split())
    flag = User(tmp_path).run(*topic.split(), "--help")

    assert (asked.status, asked.out) == (0, flag.out)
    assert asked.out.startswith(f"usage: {' '.join(['kumactl', *topic.split()])} ")


def test_help_lists_the_types_in_groups_and_says_what_is_short_for_them(tmp_path: Path) -> None:
    text = User(tmp_path).run("get", "--help").out
    _, _, types = text.partition("types, as lists")

    headings = [
        line.strip() for line in types.splitlines() if line.endswith(":") and line[:2] == "  "
    ]
    assert headings == [
        "meshes, services and proxies:",
        "policies:",
        "older policies, by sources and destinations:",
        "secrets and access:",
        "what the control plane has seen:",
    ]
    for shown in ("meshcircuitbreakers (mcb)", "meshhttproutes (mhttpr)", "zone-insights"):
        assert shown in " ".join(types.split())
    assert all(len(line) <= 80 for line in types.splitlines())


@pytest.mark.parametrize(
    ("level", "lines"),
    [
        ("off", []),
        ("info", ["INFO GET {url}/: 200", "INFO GET {url}/meshes: 200"]),
        ("INFO", ["INFO GET {url}/: 200", "INFO GET {url}/meshes: 200"]),
    ],
)
def test_each_request_is_shown_where_it_is_asked_for(
    level: str, lines: list[str], tmp_path: Path
) -> None:
    with api(lambda _asked: Reply(body={**INDEX, "total": 0, "items": []})) as server:
        ran = User(tmp_path, server.url).run("get", "meshes", "--log-level", level)

    assert ran.status == 0
    assert ran.err.splitlines() == [line.format(url=server.url) for line in lines]


def test_debugging_shows_size_and_time_but_no_password(tmp_path: Path) -> None:
    with api(lambda _asked: Reply(body={**INDEX, "total": 0, "items": []})) as server:
        user = User(tmp_path, server.url.replace("//", "//me:pa55w0rd@"))
        ran = user.run("--log-level", "debug", "get", "meshes")

    first, second = ran.err.splitlines()
    assert first.startswith(f"DEBUG GET {server.url}/: 200, ")
    assert " bytes in " in second
    assert "pa55w0rd" not in ran.err


def test_a_request_that_fails_is_shown_too(tmp_path: Path) -> None:
    ran = User(tmp_path, "http://127.0.0.1:9").run("get", "meshes", "--log-level", "info")

    assert ran.status == 3
    assert ran.err.startswith("INFO GET http://127.0.0.1:9/: could not connect to ")


def test_every_command_of_the_tree_explains_itself() -> None:
    from kong_mesh_cp.core.command_line.command_words import subcommands

    pending, seen = [cli.parser()], 0
    while pending:
        parser = pending.pop()
        seen += 1
        assert parser.format_help().startswith(f"usage: {parser.prog} ")
        pending += subcommands(parser).values()
    assert seen > 60
