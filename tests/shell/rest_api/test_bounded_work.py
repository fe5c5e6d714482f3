"""What a request costs grows as its length does: paths, queries and headers, those that are read.

Which ones these are is found by asking: each route says which queries it takes, and the headers of
a request note which of them are looked at.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final
from urllib.parse import quote

import pytest
import trio

from kong_mesh_cp.core.identity.access import StaticAccess
from kong_mesh_cp.shell.http.h1.parsing import RequestError, RequestParser
from kong_mesh_cp.shell.http.messages import Handler
from kong_mesh_cp.shell.listening.limits import Limits
from kong_mesh_cp.shell.listening.peer import Peer
from kong_mesh_cp.shell.rest_api.allowed_origins import AllowedOrigins
from kong_mesh_cp.shell.rest_api.cors import across_origins
from kong_mesh_cp.shell.rest_api.guards import Guards
from kong_mesh_cp.shell.rest_api.handler import Index, RestApi
from kong_mesh_cp.usecases.identity.authenticating import AuthenticationSettings, Authenticator
from kong_mesh_cp.usecases.identity.signing_keys import SigningKeys
from kong_mesh_cp.usecases.license.reload_outcome import ReloadOutcome, ReloadResult
from support.daemons.rest_api import Routes
from support.fakes.identity import NOW
from support.fakes.key_secrets import FakeKeySecrets, numbered_keys
from support.specs.sound_resources import SOUND
from support.suites.growth import GROWTH_MAX, growth
from support.suites.hostile_texts import HOSTILE_TEXTS

HEAD_BYTES: Final = 4 * 1024  # twice as much, each byte as three, is a head that is still taken
HEADERS: Final = Limits().header_count_max // 2 - 2
INDEX: Final = Index(version="1", cluster_id="a", hostname="b", instance_id="c")


class Noted(dict[str, str]):
    """Headers that note which of them are asked for; there are none."""

    asked: set[str]

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        self.asked.add(name)
        return default

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return False


def filled() -> Routes:
    """With something that filters have to look at."""
    routes = Routes()

    async def fill() -> None:
        meta = {"type": "Dataplane", "name": "a", "mesh": "default"}
        made = [
            await routes.put("/meshes/default", type="Mesh", name="default"),
            await routes.put("/meshes/default/dataplanes/a", **meta, **SOUND["Dataplane"]),
        ]
        assert [answer.status for answer in made] == [201, 201]

    trio.run(fill)
    return routes


ROUTES: Final = filled()


def api() -> Handler:
    keys = SigningKeys(FakeKeySecrets("default"), numbered_keys())
    authenticator = Authenticator(keys, lambda: NOW, AuthenticationSettings())

    async def reload_license() -> ReloadOutcome:
        return ReloadOutcome(result=ReloadResult.UNCHANGED)

    handler = RestApi(
        index=INDEX,
        public_license=dict,
        full_license=dict,
        reload_license=reload_license,
        config=lambda: b"{}",
    ).handler(Guards(authenticate=authenticator.user, access=StaticAccess()), ROUTES.routes)
    return across_origins(handler, AllowedOrigins((".*",)))


API: Final = api()


def asking(head: str) -> Callable[[], None]:
    """What is done with a request of this head, from its bytes on."""
    whole = f"{head}\r\n\r\n".encode("utf-8", "replace")

    async def ask() -> None:
        parser = RequestParser(Limits(header_bytes_max=len(whole) + 1))
        try:
            parser.feed(whole)
        except RequestError:
            return
        finally:
            parser.close()
        with socket.socket() as nobody:
            await API(parser.request(Peer(nobody, address=("127.0.0.1", 4711))))

    return lambda: trio.run(ask)


def slow(head_of: Callable[[str], str]) -> list[str]:
    def work_of(text: Callable[[int], str], size: int) -> Callable[[], None]:
        return asking(head_of(text(size)))

    return [
        shape
        for shape, text in HOSTILE_TEXTS.items()
        if growth(partial(work_of, text), HEAD_BYTES) > GROWTH_MAX
    ]


def headers_read() -> set[str]:
    asked: set[str] = set()

    async def ask() -> None:
        for path in ("/", "/meshes", "/meshes/a", "/config"):
            for method in ("GET", "PUT", "OPTIONS"):
                headers = Noted()
                headers.asked = asked
                with socket.socket() as nobody:
                    peer = Peer(nobody, address=("127.0.0.1", 4711))
                    parser = RequestParser(Limits())
                    parser.feed(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                    request = parser.request(peer)
                    request.headers = headers
                    await API(request)

    trio.run(ask)
    return asked


def queries() -> Iterator[tuple[str, str]]:
    """A path that takes it, and its name; one path for each set of names is enough."""
    seen: set[tuple[str, ...]] = set()
    for route in ROUTES.routes:
        names = route.about.query if route.about else ()
        if route.method == "GET" and names not in seen:
            seen.add(names)
            path = route.path.replace("{mesh}", "default").replace("{name}", "a")
            yield from ((path, name) for name in names)


def test_the_headers_that_are_read_are_found() -> None:
    assert headers_read() >= {"host", "origin", "accept", "content-type", "authorization"}


@pytest.mark.parametrize("name", sorted({*headers_read(), "access-control-request-headers", "x"}))
def test_a_header_costs_what_its_length_is(name: str) -> None:
    host = "" if name == "host" else "\r\nHost: localhost"
    of_browser = "\r\nOrigin: http://a\r\nAccess-Control-Request-Method: PUT"
    assert slow(lambda text: f"GET /meshes HTTP/1.1{host}\r\n{name}: {text}") == []
    assert slow(lambda text: f"OPTIONS /meshes HTTP/1.1{host}{of_browser}\r\n{name}: {text}") == []


def test_a_token_costs_what_its_length_is() -> None:
    head = "GET /meshes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
    assert slow(lambda text: f"{head}{text}") == []
    assert slow(lambda text: f"{head}{text}.{text}.{text}") == []
    assert slow(lambda text: f"{head}eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.{text}.e30") == []


@pytest.mark.parametrize(("path", "name"), list(queries()))
def test_a_query_costs_what_its_length_is(path: str, name: str) -> None:
    end = "HTTP/1.1\r\nHost: localhost"
    assert slow(lambda text: f"GET {path}?{name}={quote(text)} {end}") == []


@pytest.mark.parametrize(
    "query",
    ["{}", "{}=1", "a={}", "filter[labels.{}]=1", "filter[labels.a]={}", "filter[{}", "tag=a:{}"],
)
def test_the_names_of_queries_cost_what_their_length_is(query: str) -> None:
    end = "HTTP/1.1\r\nHost: localhost"
    path = "/meshes/default/dataplanes"
    assert slow(lambda text: f"GET {path}?{query.replace('{}', quote(text))} {end}") == []
    assert slow(lambda text: f"GET {path}?{query.replace('{}', text)} {end}") == []


@pytest.mark.parametrize(
    "part", ["a=1&", "tag=a:b&", "filter[labels.a]=1&", "filter[a&", "&", "a+b&"]
)
def test_many_queries_cost_what_they_are(part: str) -> None:
    def work_of(size: int) -> Callable[[], None]:
        query = part * (size // len(part))
        return asking(f"GET /meshes/default/dataplanes?{query} HTTP/1.1\r\nHost: localhost")

    assert growth(work_of, HEAD_BYTES) < GROWTH_MAX


@pytest.mark.parametrize(
    "path",
    ["{}", "/{}", "/meshes/{}", "/meshes/default/dataplanes/{}", "/meshes/{}/dataplanes/a/_rules"],
)
def test_a_path_costs_what_its_length_is(path: str) -> None:
    end = "HTTP/1.1\r\nHost: localhost"
    assert slow(lambda text: f"GET {path.replace('{}', quote(text))} {end}") == []
    assert slow(lambda text: f"PUT {path.replace('{}', text)} {end}") == []


@pytest.mark.parametrize("same", [True, False])
def test_many_headers_cost_what_they_are(same: bool) -> None:
    def work_of(count: int) -> Callable[[], None]:
        lines = "".join(f"\r\nx-{0 if same else n}: {'a' * 64}" for n in range(count))
        return asking(f"GET /meshes HTTP/1.1\r\nHost: localhost{lines}")

    assert growth(work_of, HEADERS) < GROWTH_MAX


@pytest.mark.parametrize(
    "part", ["\r\n", "\r\n\r\n", "1\r\n", "1;a\r\n\n\r\n", "1\r\na\r\n", "0", "4\r\n\r\n\r\n\r\n"]
)
def test_a_chunked_body_costs_what_its_length_is(part: str) -> None:
    head = b"PUT /meshes/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    def feed(body: bytes) -> None:
        parser = RequestParser(Limits())
        try:
            parser.feed(head)
            for at in range(0, len(body), 16 * 1024):
                parser.feed(body[at : at + 16 * 1024])
        except RequestError:
            pass
        finally:
            parser.close()

    assert (
        growth(lambda size: partial(feed, (part * size).encode()), 128 * 1024 // len(part))
        < GROWTH_MAX
    )
