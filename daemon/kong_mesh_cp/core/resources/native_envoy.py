"""A first look at Envoy resources that users write as text, in YAML or JSON.

Only their outer form is judged here: whether they are an object, and one that is complete. What
Envoy makes of their fields is not known in this place.
"""

from __future__ import annotations

import re
from typing import Final

UNEXPECTED_END: Final = "unexpected EOF"
NOT_AN_OBJECT: Final = "json: cannot unmarshal {} into Go value of type map[string]json.RawMessage"

_NOISE: Final = re.compile(r"(?:\s+|#[^\n]*|---(?=\s|$)|%[^\n]*\n)*")
_QUOTED: Final = re.compile(r"""\"(?:[^\"\\]|\\.)*\"?|'(?:[^']|'')*'?""", re.DOTALL)
_KEY: Final = re.compile(r"""(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^\n#]*?)\s*:(?:\s|$)""")
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9.eE+-]*")


def native_fault(text: str) -> str | None:
    """Why `text` cannot be an Envoy resource, in the words of Go's decoder; None if it may be."""
    body = text[_end_of_noise(text) :]
    if not body or body.strip() in {"null", "~"}:
        return None  # an empty resource
    if body[0] in "{[":
        plain = _QUOTED.sub("", body)
        if plain.count("{") > plain.count("}") or plain.count("[") > plain.count("]"):
            return UNEXPECTED_END
        return None if body[0] == "{" else NOT_AN_OBJECT.format("array")
    if body.startswith(("- ", "-\n")):
        return NOT_AN_OBJECT.format("array")
    if _KEY.match(body) or body.startswith("? "):
        return None
    scalar = body.strip()
    if scalar in {"true", "false"}:
        return NOT_AN_OBJECT.format("bool")
    return NOT_AN_OBJECT.format("number" if _NUMBER.fullmatch(scalar) else "string")


def _end_of_noise(text: str) -> int:
    noise = _NOISE.match(text)
    return noise.end() if noise else 0
