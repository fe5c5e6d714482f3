"""A control plane as its HTTP API shows it: resources, pages, tokens, and its refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from kong_mesh_cp.core.formats.strict_json import StrictJsonError, parse
from kumactl.errors import (
    FieldError,
    MeshNotFoundError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from kumactl.json_value import JsonObject, objects_at, text_at, texts_at
from kumactl.transport import Answer, Transport

DRY_RUN: Final = "dryRun"  # a write that is judged, and changes nothing
PREVIEW: Final = "preview"  # what writes would do to proxies
STRICT: Final = "strict"  # members that a type does not know are refused
PAGE_SIZE: Final = 1000  # the largest that the API gives
_PLAIN_TEXT_CHARACTERS_MAX: Final = 300  # of an answer that is no JSON, in an error
_HTTP_UNAUTHENTICATED: Final = 401
_HTTP_NOT_FOUND: Final = 404
_DIAGNOSTICS_PATH: Final = "/healthy"  # the API has nothing there
_NO_MESH: Final = "Failed to retrieve Mesh"  # the title, docs/wire/errors.md#titles


@dataclass(frozen=True, slots=True)
class Index:
    """What `GET /` tells: who answers."""

    product: str
    version: str
    hostname: str
    cluster_id: str
    instance_id: str
    document: JsonObject  # all that it told


@dataclass(frozen=True, slots=True)
class _Told:
    """What a refusal tells beside Kuma's members; "" where it has none."""

    reason: str = ""
    hint: str = ""

    def text(self) -> str:
        """To stand behind the message: `: the reason. What to do`."""
        reason = f": {self.reason}" if self.reason else ""
        hint = f". {self.hint.removesuffix('.')}" if self.hint else ""
        return reason + hint


@dataclass(frozen=True, slots=True)
class Stored:
    """The outcome of a PUT."""

    created: bool
    warnings: Sequence[str]


class ControlPlane:
    """One control plane.

    Errors of every method: UnreachableError; RefusedError with title, detail and fields of the
    server; NotFoundError where a single resource was asked for and is not there.
    """

    def __init__(
        self, transport: Transport, *, why_unauthenticated: Callable[[str], str] | None = None
    ) -> None:
        """`why_unauthenticated`: what is wrong with the token that is sent, by the reason that
        the control plane gives for its refusal, if any.
        """
        self._transport = transport
        self._why_unauthenticated = why_unauthenticated

    def index(self) -> Index:
        """Who it is. Also tells whether it is a control plane at all."""
        try:
            document = self.document("/")
        except NotFoundError:
            self._require_no_diagnostics()
            raise
        return Index(
            product=text_at(document, "product"),
            version=text_at(document, "version"),
            hostname=text_at(document, "hostname"),
            cluster_id=text_at(document, "clusterId"),
            instance_id=text_at(document, "instanceId"),
            document=document,
        )

    def _require_no_diagnostics(self) -> None:
        """Raises: UnreachableError when this is the port of diagnostics, which has no index."""
        if self._transport.ask("GET", _DIAGNOSTICS_PATH).status == 200:
            raise UnreachableError(
                f"{self._transport.address} is the port of diagnostics, not of the API. The API is"
                " at port 5681, or 5682 for https, unless configured otherwise"
            )

    def who_am_i(self) -> str:
        """The name of the user that the control plane takes this client for."""
        return text_at(self.document("/who-am-i"), "name")

    def document(self, path: str, query: Mapping[str, str] | None = None) -> JsonObject:
        """The JSON object at `path`."""
        return _object(self._ask("GET", _target(path, query)))

    def find(self, path: str) -> JsonObject | None:
        """The JSON object at `path`, or None. Raises also: MeshNotFoundError."""
        try:
            return self.document(path)
        except MeshNotFoundError:
            raise
        except NotFoundError:
            return None

    def text(self, path: str, query: Sequence[tuple[str, str]] = ()) -> str:
        """What stands at `path`, as it is: configurations and statistics of Envoy."""
        answer = self._ask("GET", _target(path, query))
        return answer.body.decode(errors="replace")

    def page(
        self, path: str, query: Sequence[tuple[str, str]] = ()
    ) -> tuple[JsonObject, str | None]:
        """One page of a list, and the offset of the next one."""
        answer = self._ask("GET", _target(path, query))
        document = _object(answer)
        return document, _next_offset(text_at(document, "next"))

    def items(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Iterator[JsonObject]:
        """Everything in a list, page by page."""
        offset: str | None = "0"
        while offset is not None:
            paged = [*query, ("size", str(PAGE_SIZE)), ("offset", offset)]
            document, following = self.page(path, paged)
            yield from objects_at(document, "items")
            # A server whose next page is this one again would never end.
            offset = following if following and _number(following) > _number(offset) else None

    def can(self, capability: str) -> bool:
        """Whether it has `capability`: one that has not would take a dry run for a write."""
        return capability in self._capabilities

    @cached_property
    def _capabilities(self) -> frozenset[str]:
        return frozenset(texts_at(self.index().document, "capabilities"))

    def put(self, path: str, body: JsonObject, *asked: str) -> Stored:
        """Create or replace what is at `path`; `asked`: DRY_RUN, STRICT, where it `can`."""
        answer = self._ask("PUT", _target(path, dict.fromkeys(asked, "true")), body)
        # Before 2.10 the body of a good answer was empty.
        document = _object(answer) if answer.body.strip() else {}
        return Stored(created=answer.status == 201, warnings=texts_at(document, "warnings"))

    def delete(self, path: str, *asked: str) -> None:
        """Remove what is at `path`; `asked`: DRY_RUN, where it `can`."""
        self._ask("DELETE", _target(path, dict.fromkeys(asked, "true")))

    def preview(self, body: JsonObject, *asked: str) -> JsonObject:
        """What the writes in `body` would do, where it `can` PREVIEW; `asked`: STRICT."""
        return _object(self._ask("POST", _target("/_preview", dict.fromkeys(asked, "true")), body))

    def token(self, path: str, body: JsonObject) -> str:
        """The token that `path` issues."""
        answer = self._ask("POST", path, body)
        token = answer.body.decode(errors="replace").strip()
        if not token or not token.isascii() or not token.isprintable():
            raise UnreachableError(f"{self._transport.address} answered with no token")
        return token

    def _ask(self, method: str, target: str, body: JsonObject | None = None) -> Answer:
        content = None if body is None else _json(body)
        headers = None if body is None else _JSON_BODY
        answer = self._transport.ask(method, target, body=content, headers=headers)
        try:
            return self._ok(answer)
        except MeshNotFoundError as error:
            error.mesh = _mesh_in(target)
            raise

    def _ok(self, answer: Answer) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        error, told = _refusal(answer)
        if answer.status == _HTTP_UNAUTHENTICATED and self._why_unauthenticated is not None:
            message = f"{error.message}. The token: {self._why_unauthenticated(told.reason)}"
            raise RefusedError(answer.status, message, fields=error.fields)
        error.message += told.text()
        if answer.status == _HTTP_NOT_FOUND:
            of_mesh = error.message.startswith(_NO_MESH)
            kind = MeshNotFoundError if of_mesh else NotFoundError
            raise kind(error.message, fields=error.fields)
        raise error


_JSON_BODY: Final = {"content-type": "application/json"}


def _json(body: JsonObject) -> bytes:
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def _target(path: str, query: Mapping[str, str] | Sequence[tuple[str, str]] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _mesh_in(target: str) -> str:
    """`payments` of `/meshes/payments/meshretries/r`; "" where a path names no mesh."""
    _, first, mesh, *_ = [*target.partition("?")[0].split("/"), "", ""]
    return unquote(mesh) if first == "meshes" else ""


def _object(answer: Answer) -> JsonObject:
    try:
        document = parse(answer.body)
    except StrictJsonError as error:
        raise UnreachableError(f"the answer is not JSON of a control plane: {error}") from None
    if not isinstance(document, dict):
        raise UnreachableError("the answer is not JSON of a control plane: no object")
    return document


def _refusal(answer: Answer) -> tuple[RefusedError, _Told]:
    """The error in the words of the server; any server, any shape."""
    try:
        document = parse(answer.body)
    except StrictJsonError:
        document = None
    title = text_at(document, "title")
    if not title:
        shown = answer.body[: _PLAIN_TEXT_CHARACTERS_MAX * 4].decode(errors="replace").strip()
        shown = shown[:_PLAIN_TEXT_CHARACTERS_MAX]
        message = f"unexpected answer, HTTP status {answer.status}: {shown}"
        return RefusedError(answer.status, message), _Told()
    detail = text_at(document, "detail") or text_at(document, "details")
    fields = [
        FieldError(text_at(wrong, "field"), text_at(wrong, "reason"))
        for wrong in objects_at(document, "invalid_parameters")
    ] or [
        FieldError(text_at(wrong, "field"), text_at(wrong, "message"))
        for wrong in objects_at(document, "causes")
    ]
    message = f"{title} ({detail})" if detail else title
    told = _Told(text_at(document, "reason"), text_at(document, "hint"))
    return RefusedError(answer.status, message, fields=fields), told


def _next_offset(url: str) -> str | None:
    if not url:
        return None
    try:
        offsets = parse_qs(urlsplit(url).query).get("offset")
    except ValueError:
        return None
    return offsets[0] if offsets else None


def _number(offset: str) -> int:
    usable = offset.isascii() and offset.isdigit() and len(offset) <= 18
    return int(offset) if usable else -1
