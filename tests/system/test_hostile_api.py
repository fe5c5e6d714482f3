"""Hostile requests at the outermost door of the API: refused with the right words, nothing lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.daemons.daemon import Daemon, eventually, running
from support.daemons.raw_http import Reply, connected, exchange, received, replies, request

pytestmark = pytest.mark.system

MIB = 1024 * 1024
BODY_BYTES_MAX = MIB
GROWTH_BYTES_MAX = 24 * MIB  # of the process, over hundreds of bodies of up to 1 MiB
SLOW = 50
MESH = {"type": "Mesh", "name": "kept", "labels": {"team": "a"}}
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) {1,4}[a-z]")

# Around a resource that would be taken without what is put in the place of the @.
AROUND = b'{"type":"Mesh","name":"kept","x":@}'
UNREADABLE = {
    "nothing": b"",
    "white space": b" \n\t ",
    "arrays in arrays": b"[" * 100_000,
    "objects in objects": b'{"a":' * 100_000,
    "a deep member": AROUND.replace(b"@", b"[" * 65 + b"]" * 65),
    "a number without an end": AROUND.replace(b"@", b"9" * 500_000),
    "a number beyond any float": AROUND.replace(b"@", b"1e999"),
    "a number with many digits": AROUND.replace(b"@", b"0." + b"1" * 500_000 + b"e999999999"),
    "NaN": AROUND.replace(b"@", b"NaN"),
    "Infinity": AROUND.replace(b"@", b"-Infinity"),
    "the same key twice": b'{"type":"Mesh","name":"kept","name":"other"}',
    "the same key twice, written in two ways": b'{"type":"Mesh","name":"kept","nam\\u0065":"o"}',
    "half a character": AROUND.replace(b"@", b'"\\ud800"'),
    "half a character as a key": b'{"type":"Mesh","name":"kept","\\udc00":1}',
    "NUL": AROUND.replace(b"@", b'"\0"'),
    "a control character": AROUND.replace(b"@", b'"\x1b[2J"'),
    "no UTF-8": AROUND.replace(b"@", b'"\xff\xfe"'),
    "a slash in two bytes": AROUND.replace(b"@", b'"\xc0\xaf"'),
    "half a character in UTF-8": AROUND.replace(b"@", b'"\xed\xa0\x80"'),
    "a byte order mark": b"\xef\xbb\xbf" + AROUND.replace(b"@", b"1"),
    "UTF-16": AROUND.replace(b"@", b"1").decode().encode("utf-16"),
    "UTF-32": AROUND.replace(b"@", b"1").decode().encode("utf-32-le"),
    "an end too early": AROUND[:-1].replace(b"@", b"1"),
    "an end too late": AROUND.replace(b"@", b"1") + b"{}",
    "a comma too much": AROUND.replace(b"@", b"1,"),
    "YAML": b"type: Mesh\nname: kept\n",
    "a list": b"[]",
    "a text": b'"Mesh"',
    "a number": b"1",
}
WRONG = {
    "null": b"null",
    "an empty object": b"{}",
    "another name": b'{"type":"Mesh","name":"other"}',
    "a name with NUL": b'{"type":"Mesh","name":"kept\\u0000"}',
    "a name with a line break": b'{"type":"Mesh","name":"kept\\nERROR forged: x"}',
    "a label with NUL": b'{"type":"Mesh","name":"kept","labels":{"a\\u0000":"b\\u0000"}}',
    "a label with a line break": b'{"type":"Mesh","name":"kept","labels":{"a":"b\\nERROR forged: x"}}',
    "many labels that are none": b'{"type":"Mesh","name":"kept","labels":{%s}}'
    % b",".join(b'"K %d":"v"' % number for number in range(60_000)),
}
TOO_LARGE = AROUND.replace(b"@", b'"' + b"a" * 10 * MIB + b'"')

# What a URL says, and what the API makes of it; nothing of it is a path to something else.
# 307 leads to a path of this server, which asks for itself who may have it.
TARGETS = {
    "/meshes/..": 307,
    "/meshes/%2e%2e": 307,
    "/meshes/../config": 307,
    "/meshes/%2e%2e/config": 307,
    "/meshes/kept%2F..%2F..%2Fconfig": 307,
    "/meshes/kept%2Fdataplanes": 200,  # a slash is a slash, as Go's router has it
    "/meshes/kept/dataplanes/a%2Fb": 404,
    "/meshes/kept/dataplanes/a%252Fb": 404,
    "/meshes/kept%00": 400,
    "/meshes/kept%0d%0aX-Forged:%20x": 400,
    "/meshes/kept%0aERROR%20forged:%20x": 400,
    "/meshes/%1b%5b2J": 400,
    "/meshes/%E2%80%A8": 400,
    "/meshes/%ff": 400,
    "/meshes/%c0%af": 400,
    "/meshes/%ed%a0%80": 400,
    "/meshes/%": 404,
    "/meshes/%zz": 404,
    "/meshes/%u002e": 404,
    "/meshes/K%45PT": 404,
    "/meshes/" + "x" * 15_000: 404,
    "/meshes/" + "x" * 17_000: 431,
    "//kept": 307,
    "/meshes//kept": 307,
    "/meshes/kept//": 307,
    "/meshes/kept;x=1": 404,
    "/meshes?name=%00": 200,
    "/meshes?name=%ff": 400,
    "/meshes?name=%27%20OR%201=1--": 200,
    "/meshes?name=%25": 200,
    "/meshes?filter[labels.%00]=%00": 200,
    "/meshes?filter[labels.a]=%ed%a0%80": 400,
    "/meshes?size=" + "9" * 5_000: 400,
    "/meshes?size=%EF%BC%91": 400,  # a full-width 1 is no digit here
    "/meshes?offset=-1": 400,
    "/meshes?" + "a=1&" * 3_000: 200,
    "/meshes/kept?format=%0aX": 400,
    "/meshes/kept?format=k8s&namespace=%0d%0aX:%20y": 200,
    "/meshes/kept/dataplanes?gateway=%0aX": 400,
    "/meshes/kept/dataplanes?tag=%00:%00": 200,
    "/meshes/kept/service-insights?type=%00": 400,
    "/license?view=%0aX": 400,
    "/meshes#kept": 400,
    "kept": 400,
    "ftp://localhost/meshes": 400,
    "/meshes/k\x7fpt": 400,
    "/meshes/k\xe9pt": 400,
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    environment = {"KUMA_STORE_TYPE": "memory", "KUMA_DEFAULTS_SKIP_TENANT_RESOURCES": "true"}
    with running(tmp_path_factory.mktemp("d"), environment=environment) as daemon:
        assert put(daemon, json.dumps(MESH).encode()).status == 201
        yield daemon


def put(daemon: Daemon, body: bytes, *headers: str, path: str = "/meshes/kept") -> Reply:
    [reply] = exchange(daemon.addresses["api"], request("PUT", path, body, *headers))
    return reply


def nothing_is_lost(daemon: Daemon) -> bool:
    kept = daemon.api("GET", "/meshes/kept").json
    listed = daemon.api("GET", "/meshes").json
    return kept["labels"] == MESH["labels"] and listed["items"] == [kept]


@pytest.mark.parametrize("what", [*UNREADABLE, *WRONG])
def test_a_hostile_body_is_refused_with_a_problem_and_changes_nothing(
    daemon: Daemon, what: str
) -> None:
    reply = put(daemon, {**UNREADABLE, **WRONG}[what])

    assert reply.status == 400
    assert len(reply.body) <= BODY_BYTES_MAX, "an answer is not larger than what it answers"
    problem = json.loads(reply.body)
    assert (
        problem["title"] == "Bad Request" if what in UNREADABLE else problem["invalid_parameters"]
    )
    assert nothing_is_lost(daemon)


@pytest.mark.parametrize("what", UNREADABLE)
@pytest.mark.parametrize("kind", ["dataplane", "user", "zone"])
def test_a_hostile_request_for_a_token_is_refused(daemon: Daemon, kind: str, what: str) -> None:
    data = request("POST", f"/tokens/{kind}", UNREADABLE[what])
    assert [reply.status for reply in exchange(daemon.addresses["api"], data)] == [400]


@pytest.mark.parametrize("path", ["/meshes/kept", "/tokens/user", "/license/reload"])
def test_a_body_of_ten_mebibytes_is_refused_before_it_is_read(daemon: Daemon, path: str) -> None:
    method = "PUT" if path == "/meshes/kept" else "POST"
    asked = request(method, path, TOO_LARGE, "Expect: 100-continue")
    head = asked[: asked.index(b"\r\n\r\n") + 4]

    [reply] = exchange(daemon.addresses["api"], head)

    assert reply.status == 413
    assert [each.status for each in exchange(daemon.addresses["api"], asked)] in ([413], [])
    assert nothing_is_lost(daemon)


def test_a_body_in_chunks_is_measured_as_it_comes(daemon: Daemon) -> None:
    head = request("PUT", "/meshes/kept").replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent, heard = 0, b""
    with connected(daemon.addresses["api"]) as connection:
        connection.sendall(head)
        try:
            while sent < 10 * BODY_BYTES_MAX:
                connection.sendall(chunk)
                sent += 0x10000
        except ConnectionError:
            pass
        heard = received(connection)
    assert not heard or [each.status for each in replies(heard)] == [413]
    assert sent < 10 * BODY_BYTES_MAX, "it was read to its end"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Transfer-Encoding: chunked, chunked", 400),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: +5", 400),
        ("Content-Length: -5", 400),
        ("Content-Length: 99999999999999999999999", 400),
        ("Content-Length : 5", 400),
        ("Host: other", 400),
        ("X: a\x00b", 400),
        ("X: a\nb: c", 400),
    ],
)
def test_a_body_whose_end_two_readers_could_see_in_two_places_is_refused(
    daemon: Daemon, line: str, status: int
) -> None:
    head = (
        f"PUT /meshes/kept HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{line}"
    )
    data = head.encode() + b"\r\n\r\n0\r\n\r\nGET /config HTTP/1.1\r\nHost: localhost\r\n\r\n"

    assert [reply.status for reply in exchange(daemon.addresses["api"], data)] == [status]
    assert nothing_is_lost(daemon)


def test_requests_in_one_piece_are_answered_in_order_and_a_bad_one_is_the_last(
    daemon: Daemon,
) -> None:
    sound = request("PUT", "/meshes/kept", json.dumps(MESH).encode())
    good = request("GET", "/meshes/kept", content_type="")
    refused = request("PUT", "/meshes/kept", UNREADABLE["NaN"])
    data = b"".join([good, refused, sound, good] * 20) + b"GARBAGE\r\n\r\n" + good

    statuses = [reply.status for reply in exchange(daemon.addresses["api"], data)]

    assert statuses == [200, 400, 200, 200] * 20 + [statuses[-1]]
    assert statuses[-1] in {400, 501}


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
        *("application/yaml", "application/jsonx", "text/json", "application/json, text/plain"),
    ],
)
def test_what_is_not_said_to_be_json_is_not_read(daemon: Daemon, content_type: str) -> None:
    body = b'{"type":"Mesh","name":"kept"}'
    for target in ("/meshes/kept", "/meshes/new"):
        data = request("PUT", target, body, content_type=content_type)
        assert [each.status for each in exchange(daemon.addresses["api"], data)] == [415]
    assert nothing_is_lost(daemon)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:40])
def test_a_hostile_target_is_no_way_to_anything(daemon: Daemon, target: str) -> None:
    data = request("GET", target, content_type="")

    [reply] = exchange(daemon.addresses["api"], data)

    assert reply.status == TARGETS[target]
    assert b"forged" not in reply.headers.lower()
    if reply.status == 307:
        assert re.search(rb"\r\nLocation: /[^/\\\r]?[^\r]*\r\n", reply.headers)
        assert not re.search(rb"\r\nLocation: (//|[^/])", reply.headers)


@pytest.mark.parametrize(
    "name", ["..", ".", "a%2Fb", "%20", "A", "a_b", "x" * 254, "a%0Ab", "é", "-"]
)
def test_a_name_that_is_none_is_not_stored(daemon: Daemon, name: str) -> None:
    body = json.dumps({"type": "Mesh", "name": name.replace("%2F", "/").replace("%20", " ")})
    target = f"/meshes/{name.replace('é', '%C3%A9')}"
    reply = put(daemon, body.encode(), path=target)
    assert reply.status in {307, 400, 404, 405}
    assert nothing_is_lost(daemon)


def test_bodies_that_dawdle_keep_nobody_waiting(daemon: Daemon) -> None:
    head = request("PUT", "/meshes/kept", b"x" * 1000)[:-1000]
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(daemon.addresses["api"])) for _ in range(SLOW)]
        for number in range(3):
            for one in slow:
                one.sendall(head if number == 0 else b" ")
            assert nothing_is_lost(daemon)
    assert nothing_is_lost(daemon)


def test_no_request_forges_a_line_of_the_log_and_none_is_a_defect(daemon: Daemon) -> None:
    for text in ("x\nERROR forged: y", "x\r\n\r\nERROR forged: y", "\x1b[2J", "\u2028forged"):
        issued = json.dumps({"name": text, "groups": [text], "validFor": "1h"}).encode()
        exchange(daemon.addresses["api"], request("POST", "/tokens/user", issued))
        of_proxy = {"name": text, "mesh": text, "tags": {text: [text]}, "validFor": "1h"}
        exchange(
            daemon.addresses["api"],
            request("POST", "/tokens/dataplane", json.dumps(of_proxy).encode()),
        )
        dataplane = {"type": "Dataplane", "mesh": "kept", "name": text}
        put(daemon, json.dumps(dataplane).encode(), path="/meshes/kept/dataplanes/a")
    exchange(
        daemon.addresses["api"],
        request(
            "GET",
            "/meshes",
            b"",
            "Authorization: Bearer a\tb\xe9",
            "User-Agent: \x1b",
            content_type="",
        ),
    )

    lines = daemon.stderr.splitlines()
    assert lines
    assert not [line for line in lines if not LOG_LINE.match(line)]
    assert "request-failed" not in daemon.stderr


def test_hostile_bodies_leave_no_memory_behind(daemon: Daemon) -> None:
    bodies = [body for body in UNREADABLE.values() if len(body) > 1000]
    nearly = AROUND.replace(b"@", b'"' + b"a" * (BODY_BYTES_MAX - 100) + b'"')

    def send_all() -> None:
        for body in [*bodies, nearly + b"x"]:
            put(daemon, body)

    for _ in range(3):
        send_all()
    before = resident(daemon)
    for _ in range(20):
        send_all()

    eventually("memory is given back", lambda: resident(daemon) < before + GROWTH_BYTES_MAX)
    assert nothing_is_lost(daemon)


def resident(daemon: Daemon) -> int:
    """Bytes of the process in memory."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert found
    return int(found[1]) * 1024
