"""Asking the daemon on its admission socket, whoever sits there."""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kong_mesh_cp.commands import service
from kong_mesh_cp.commands.running_daemon import NoDaemonError, add_daemon_arguments, ask_daemon
from kong_mesh_cp.core.errors import EX_UNAVAILABLE

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "


def meaning(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_daemon_arguments(parser)
    return parser.parse_args(words)


@contextlib.contextmanager
def answering(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    """Somebody who gives one answer, whatever the question; the questions are collected."""
    questions: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                questions.append(peer.recv(65536))
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield questions
        thread.join()


def test_status_and_object_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with answering(path, HEAD + b'11\r\n\r\n{"safe": 1}') as questions:
        answer = ask_daemon(meaning("--socket", str(path)), "GET", "/v1/license")

    assert (answer.status, answer.body) == (200, {"safe": 1})
    assert questions[0].startswith(b"GET /v1/license HTTP/1.1\r\nHost: localhost\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"4\r\n\r\nnull",
        HEAD + b"2\r\n\r\n[]",
        HEAD + b"3\r\n\r\n{x}",
        HEAD + b"1\r\n\r\n\xff",
        HEAD + b'100\r\n\r\n{"restartSafe": tr',  # ends too early
        HEAD + b"300000\r\n\r\n" + b"[" * 300_000,
        b"HTTP/1.1 999999 No\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x01\x02",
    ],
    ids=["null", "list", "no JSON", "no UTF-8", "short", "bomb", "status", "ssh", "binary"],
)
def test_an_answer_of_another_program_is_recognised(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "a.sock"
    with answering(path, answer), pytest.raises(NoDaemonError) as refused:
        ask_daemon(meaning("--socket", str(path)), "GET", "/v1/license")

    assert refused.value.code == "daemon-not-understood"
    assert refused.value.exit_status == EX_UNAVAILABLE


def test_a_peer_that_hangs_up_is_no_daemon(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with answering(path, b""), pytest.raises(NoDaemonError) as refused:
        ask_daemon(meaning("--socket", str(path)), "GET", "/v1/license")

    assert refused.value.code == "daemon-not-running"


@pytest.mark.parametrize("name", ["absent", "file", "stale", "x" * 200, "with\0nul"])
def test_where_nobody_listens_the_path_and_the_remedy_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(os.fspath(tmp_path / "stale"))

    with pytest.raises(NoDaemonError) as refused:
        ask_daemon(meaning("--socket", f"{tmp_path}/{name}"), "GET", "/v1/license")

    assert refused.value.code == "daemon-not-running"
    assert str(tmp_path) in refused.value.message
    assert refused.value.line.isprintable()
    assert "--socket" in refused.value.hint


def test_the_socket_is_the_one_of_the_daemons_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KMESH_ADMISSION_SOCKET", str(tmp_path / "set.sock"))
    monkeypatch.setenv("KMESH_LICENSE_INLINE", "kept for the next command")
    with answering(tmp_path / "set.sock", HEAD + b"2\r\n\r\n{}"):
        assert ask_daemon(meaning(), "GET", "/v1/license").body == {}

    assert os.environ["KMESH_LICENSE_INLINE"] == "kept for the next command"


def test_the_remedy_is_that_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def remedy() -> str:
        with pytest.raises(NoDaemonError) as refused:
            ask_daemon(meaning("--socket", str(tmp_path / "absent")), "GET", "/v1/license")
        return refused.value.hint

    monkeypatch.setattr(service, "UNIT_FOLDERS", (tmp_path,))
    assert remedy().startswith("Start it: kong-mesh-cp run.")
    (tmp_path / service.UNIT).write_text("[Service]\n")
    assert remedy().startswith("See its state: systemctl status kong-mesh-cp.service.")
