"""Outer form of Envoy resources that users write as text, in YAML or JSON.

Only their outer form is checked here: whether they are an object, and one that is complete. What
Envoy makes of their fields is not known in this place.
"""

from __future__ import annotations

import re
from typing import Final

NATIVE_CHARACTERS_MAX: Final = 256 * 1024  # of one resource; Envoy's own are far shorter
TOO_LONG: Final = f"it must not have more than {NATIVE_CHARACTERS_MAX} characters"
UNEXPECTED_END: Final = "unexpected EOF"
NOT_AN_OBJECT: Final = "json: cannot unmarshal {} into Go value of type map[string]json.RawMessage"

# No expression here goes back over what it has read, and none reads on over more than a piece: so
# the time is that of the length, and other threads have their turns meanwhile.
_NOISE: Final = re.compile(r"\s++|#[^\n]*+|---(?=\s|$)|%[^\n]*+\n")
_QUOTED: Final = re.compile(r"""\"(?:[^\"\\]++|\\.)*+\"?|'(?:[^']++|'')*+'?""", re.DOTALL)
_QUOTED_KEY: Final = re.compile(r"""(?:\"(?:[^\"\\]++|\\.)*+\"|'(?:[^']++|'')*+')\s*+:(?:\s|$)""")
_LINE: Final = re.compile(r"[^\n#]*+")
_COLON: Final = re.compile(r":(?:\s|$)")
_LATER_COLON: Final = re.compile(r"\s*+:(?:\s|$)")
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9.eE+-]*")


# Kuma decodes into Envoy's own protobuf types, which this program does not carry.
def native_fault(text: str) -> str | None:
    """Why `text` cannot be an Envoy resource, in the words of Go's decoder; None if it may be."""
    if len(text) > NATIVE_CHARACTERS_MAX:
        return TOO_LONG
    body = text[_end_of_noise(text) :]
    if not body or body.strip() in {"null", "~"}:
        return None  # an empty resource
    if body[0] in "{[":
        if _is_open(body):
            return UNEXPECTED_END
        return None if body[0] == "{" else NOT_AN_OBJECT.format("array")
    if body.startswith(("- ", "-\n")):
        return NOT_AN_OBJECT.format("array")
    if _begins_with_key(body) or body.startswith("? "):
        return None
    scalar = body.strip()
    if scalar in {"true", "false"}:
        return NOT_AN_OBJECT.format("bool")
    return NOT_AN_OBJECT.format("number" if _NUMBER.fullmatch(scalar) else "string")


def _is_open(body: str) -> bool:
    """Whether more is opened than closed, outside of quotes."""
    braces = brackets = begin = 0
    for quoted in _QUOTED.finditer(body):
        end = quoted.start()
        braces += body.count("{", begin, end) - body.count("}", begin, end)
        brackets += body.count("[", begin, end) - body.count("]", begin, end)
        begin = quoted.end()
    braces += body.count("{", begin) - body.count("}", begin)
    brackets += body.count("[", begin) - body.count("]", begin)
    return braces > 0 or brackets > 0


def _begins_with_key(body: str) -> bool:
    if _QUOTED_KEY.match(body):
        return True
    line = _LINE.match(body)
    end = line.end() if line else 0
    # What follows the line is seen, too: it says whether a colon at the end of it is one.
    return bool(_COLON.search(body, 0, end + 1) or _LATER_COLON.match(body, end))


def _end_of_noise(text: str) -> int:
    end = 0
    while (noise := _NOISE.match(text, end)) is not None:
        end = noise.end()
    return end
