"""What a shell is told while one types: commands, types, and names that the control plane knows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.daemons.kuma_api import INDEX, Asked, Plane, Reply, api, refusal
from support.daemons.kumactl_runs import User

ROOT = Path(__file__).parents[2]


def _offered(user: User, *words: str) -> list[str]:
    ran = user.run("__complete", "--", *words)
    assert (ran.status, ran.err) == (0, "")
    return ran.out.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ins"], ["inspect", "install"]),
        (["config", "control-planes", ""], ["add", "list", "remove", "switch", "view"]),
        (["get", "meshtime"], ["meshtimeout", "meshtimeouts"]),
        (["get", "mesh", "default", ""], []),
        (["get", "-o", "y"], ["yaml"]),
        (
            ["get", "-o", "yaml", "zone-ingress"],
            ["zone-ingress", "zone-ingress-insights", "zone-ingresses"],
        ),
        (["--no-config", "ver"], ["version"]),
        (["--config-file", "get", "ver"], ["version"]),
        (["apply", "--dr"], ["--dry-run"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["inspect", "dataplane", "d", "--type", "c"], ["clusters", "config", "config-dump"]),
        (["no-such", "ge"], ["generate", "get"]),
        ([], []),
    ],
)
def test_completion_knows_what_may_come_next(
    words: list[str], expected: list[str], tmp_path: Path
) -> None:
    assert _offered(User(tmp_path, "http://127.0.0.1:9"), *words) == expected


def _plane() -> Plane:
    plane = Plane()
    for document in (
        {"type": "Mesh", "name": "default"},
        {"type": "Mesh", "name": "payments"},
        {"type": "Zone", "name": "east"},
        {"type": "Dataplane", "mesh": "default", "name": "web-1"},
        {"type": "Dataplane", "mesh": "payments", "name": "bank-1"},
        {"type": "Dataplane", "mesh": "payments", "name": "bank-2"},
        {"type": "MeshTimeout", "mesh": "default", "name": "slow"},
        {"type": "ZoneIngress", "name": "in-1"},
    ):
        plane.put(document)
    return plane


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("get mesh _", ["default", "payments"]),
        ("get mesh pa", ["payments"]),
        ("get dp _", ["web-1"]),
        ("delete dataplane -m payments _", ["bank-1", "bank-2"]),
        ("delete dataplane --mesh=payments bank-2", ["bank-2"]),
        ("get MeshTimeout s", ["slow"]),
        ("get meshtimeout slow _", []),
        ("get meshes -m _", ["default", "payments"]),
        ("apply --mesh pay", ["payments"]),
        ("inspect dataplane _", ["web-1"]),
        ("inspect dataplane --mesh payments _", ["bank-1", "bank-2"]),
        ("inspect dataplanes _", []),
        ("explain dataplane w", ["web-1"]),
        ("inspect zoneingress _", ["in-1"]),
        ("inspect zone-ingress _", ["in-1"]),
        ("inspect meshtimeout _", ["slow"]),
        ("generate zone-token --zone _", ["east"]),
        ("generate dataplane-token --name _", ["web-1"]),
        ("generate user-token --name _", []),
        ("config control-planes switch --name _", ["here"]),
        ("config control-planes add --name _", []),
    ],
)
def test_names_are_those_that_the_control_plane_knows(
    words: str, expected: list[str], tmp_path: Path
) -> None:
    begun = ["" if word == "_" else word for word in words.split()]

    with api(_plane()) as server:
        assert _offered(User(tmp_path, server.url), *begun) == expected
    # Whoever types waits: one question, and none about versions.
    assert len(server.asked) <= 1


def test_names_that_a_shell_would_obey_are_not_offered(tmp_path: Path) -> None:
    names = ["good", "$(reboot)", "a b", "-rf", "`x`", "a;b", "", "a\x1b[2J", "ok.1_2"]
    page = {"total": len(names), "items": [{"name": name} for name in names], "next": None}

    with api(lambda _asked: Reply(body=page)) as server:
        assert _offered(User(tmp_path, server.url), "get", "mesh", "") == ["good", "ok.1_2"]


@pytest.mark.parametrize(
    "reply",
    [
        refusal(403, "Access Denied", "no"),
        refusal(404, "x", "y"),
        Reply(200, b"<html>"),
        Reply(500),
    ],
)
def test_whatever_goes_wrong_nothing_is_offered_and_nothing_said(
    reply: Reply, tmp_path: Path
) -> None:
    with api(lambda _asked: reply) as server:
        assert _offered(User(tmp_path, server.url), "get", "mesh", "") == []
    assert _offered(User(tmp_path, "http://127.0.0.1:9"), "get", "mesh", "") == []


@pytest.mark.parametrize("content", ["[1]", "controlPlanes: 5", "currentContext: nowhere"])
def test_a_damaged_configuration_offers_nothing(content: str, tmp_path: Path) -> None:
    user = User(tmp_path)
    user.configure(content)

    assert _offered(user, "get", "mesh", "") == []


def test_another_configuration_may_be_named(tmp_path: Path) -> None:
    with api(_plane()) as server:
        other = User(tmp_path / "other", server.url)
        other.run("config", "view")
        user = User(tmp_path, "http://127.0.0.1:9")

        assert _offered(user, "--config-file", str(other.config), "get", "zone", "") == ["east"]
        assert _offered(user, "get", "zone", f"--config-file={other.config}", "e") == ["east"]


def test_a_token_is_sent_as_with_any_command(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        known = asked.headers.get("authorization") == "Bearer t0k"
        return _plane()(asked) if known else Reply(401, INDEX)

    with api(answer) as server:
        user = User(tmp_path, server.url)
        user.run(
            *("config", "control-planes", "add", "--name", "x", "--address", server.url),
            *("--skip-check", "--auth-type", "tokens", "--auth-conf", "token=@-"),
            stdin=b"t0k",
        )
        assert _offered(user, "get", "zone", "") == ["east"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script_that_asks_kumactl(shell: str, tmp_path: Path) -> None:
    ran = User(tmp_path).run("completion", shell)

    assert "kumactl __complete -- " in ran.out


# How each shell is made to complete a line without a terminal.
TYPED = {
    "bash": "COMP_WORDS=(kumactl get meshret); COMP_CWORD=2; _kumactl; echo ${COMPREPLY[@]}",
    "zsh": """
        words=(kumactl get meshret); CURRENT=3
        compadd() { shift; print -r -- ${(P)1} }
        _kumactl
    """,
    "fish": 'complete -C "kumactl get meshret"',
}


@pytest.mark.parametrize("shell", TYPED)
def test_a_shell_completes_with_its_script(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = User(tmp_path).run("completion", shell).out
    if shell == "zsh":
        script = f"autoload -Uz compinit; compinit -u -D\n{script}"
    (tmp_path / "kumactl").write_text(f'#!/bin/sh\nexec {sys.executable} -m kumactl "$@"\n')
    (tmp_path / "kumactl").chmod(0o755)

    done = subprocess.run(
        [shell, "-c", f"{script}\n{TYPED[shell]}"],
        env=_environment() | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.split() == ["meshretries", "meshretry"]


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "daemon"), "HOME": "/nonexistent"}
