"""The request target of RFC 9112, section 3.2, as path and query."""

from __future__ import annotations

from urllib.parse import unquote, unquote_plus


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """Path, percent-decoded, and the first value of each name of the query.

    Takes the origin form, the absolute form (scheme and authority are dropped) and "*".
    Raises: ValueError for anything else, for a fragment, and for what does not decode to
    printable UTF-8.
    """
    if "#" in target:
        raise ValueError("the request target has a fragment")
    if not target.startswith("/"):
        target = _without_authority(target)
    path, _, query = target.partition("?")
    if "%" in path:
        path = unquote(path, errors="strict")
        if not path.isprintable():
            raise ValueError("the path has a character that cannot be printed")
    return path, _first_values(query) if query else {}


def _without_authority(target: str) -> str:
    if target == "*":
        return target
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        raise ValueError("the request target is neither a path nor an http URL")
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    tail = rest[cut:]
    return tail if tail.startswith("/") else "/" + tail


def _first_values(query: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name = unquote_plus(name, errors="strict")
            value = unquote_plus(value, errors="strict")
        if name:
            values.setdefault(name, value)
    return values
