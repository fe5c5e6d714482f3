"""Outer form of Envoy resources that users write as text, in YAML or JSON.

Only their outer form is checked here: whether they are an object, one that is complete, and one
with the members that its type cannot be without. What Envoy makes of the others is not known in
this place.

Source: docs/wire/policies.md#native-resources
"""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

NATIVE_CHARACTERS_MAX: Final = 256 * 1024  # of one resource; Envoy's own are far shorter
TOO_LONG: Final = f"it must not have more than {NATIVE_CHARACTERS_MAX} characters"
UNEXPECTED_END: Final = "unexpected EOF"
NO_VALUE: Final = "invalid character '{}' looking for beginning of value"
NO_KEY: Final = "invalid character '{}' looking for beginning of object key string"
NOT_AN_OBJECT: Final = "json: cannot unmarshal {} into Go value of type map[string]json.RawMessage"

# No expression here goes back over what it has read, and none reads on over more than a piece: so
# the time is that of the length, and other threads have their turns meanwhile.
_NOISE: Final = re.compile(r"\s++|#[^\n]*+|---(?=\s|$)|%(?:YAML|TAG)[^\n]*+\n")
_QUOTED: Final = re.compile(r"""\"(?:[^\"\\]++|\\.)*+\"?|'(?:[^']++|'')*+'?""", re.DOTALL)
_QUOTED_KEY: Final = re.compile(r"""(?:\"(?:[^\"\\]++|\\.)*+\"|'(?:[^']++|'')*+')\s*+:(?:\s|$)""")
_LINE: Final = re.compile(r"[^\n#]*+")
_COLON: Final = re.compile(r":(?:\s|$)")
_LATER_COLON: Final = re.compile(r"\s*+:(?:\s|$)")
_COMMENT: Final = re.compile(r"\s#[^\n]*+")
_NUMBER: Final = re.compile(
    r"[-+]?(?:0x[0-9a-f_]+|0b[01_]+|0o[0-7_]+"
    r"|(?:\.[0-9]+|[0-9][0-9_]*+(?:\.[0-9]*)?)(?:e[-+]?[0-9]+)?)",
    re.IGNORECASE,
)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
# In three spellings each, as YAML 1.1 has them.
_BOOLS: Final = frozenset(
    spelled
    for word in ("y", "n", "yes", "no", "true", "false", "on", "off")
    for spelled in (word, word.title(), word.upper())
)
_BRACE_KEY: Final = re.compile(r"\{\s*+([\[{])")
_NO_BEGINNING: Final = "%@`*]}"  # of a document in YAML
_FIRST_KEY_CHARACTERS_MAX: Final = 32  # between the beginning of an object and its first key
_TYPE_URL: Final = re.compile(r"""["']?@type["']?[ \t]*+:[ \t]*+["']?([^\s"'{},\[\]]++)""")
_UNSURE: Final = re.compile(r"<<|[?&!\\]")  # merged, anchored, tagged or escaped keys


class Needed(NamedTuple):
    """A member that a type of Envoy's cannot be without, and what is said where it is missing."""

    name: str
    reason: str


def _named(type_name: str) -> Needed:
    reason = f"invalid {type_name}.Name: value length must be at least 1 runes"
    return Needed("name", reason)


CLUSTER: Final = (_named("Cluster"),)
LISTENER: Final = ()
NETWORK_FILTER: Final = (_named("Filter"),)
HTTP_FILTER: Final = (_named("HttpFilter"),)
VIRTUAL_HOST: Final = (
    _named("VirtualHost"),
    Needed("domains", "invalid VirtualHost.Domains: value must contain at least 1 item(s)"),
)
ANY: Final = (Needed("@type", "Any JSON doesn't have '@type'"),)


# Kuma decodes into Envoy's own protobuf types, which this program does not carry.
def native_fault(text: str, needed: tuple[Needed, ...] = ()) -> str | None:
    """Why `text` cannot be an Envoy resource, in the words of Go's decoder; None if it may be.

    `needed`: members that it has to have, if anything can be told about its members at all.
    """
    if len(text) > NATIVE_CHARACTERS_MAX:
        return TOO_LONG
    begin = _end_of_noise(text)
    fault = _form_fault(text[begin:]) or _type_fault(text, begin, of_itself=needed == ANY)
    if fault is None:
        lacking = (each.reason for each in needed if _lacks(text, begin, each.name))
        fault = next(lacking, None)
    return fault


def _type_fault(text: str, begin: int, *, of_itself: bool) -> str | None:
    column = begin - (text.rfind("\n", 0, begin) + 1)
    for found in _TYPE_URL.finditer(text, begin):
        # Where the type is known, one that it says of itself is a member like any unknown one.
        place = found.start() - (text.rfind("\n", 0, found.start()) + 1)
        is_first = found.start() - begin < _FIRST_KEY_CHARACTERS_MAX and (
            not text[begin : found.start()].strip("{ \n")
        )
        if not of_itself and (place == column or is_first):
            continue
        # Every message of Envoy's is in a package, which is as much as is known of it here.
        if "." not in found[1].rpartition("/")[2]:
            return f"could not resolve Any message type: {found[1]}"
    return None


def _form_fault(body: str) -> str | None:
    if _plain(body) in _NULLS:
        return None  # an empty resource
    if body[0] in _NO_BEGINNING:
        return NO_VALUE.format(body[0])
    if (brace := _BRACE_KEY.match(body)) is not None:
        return NO_KEY.format(brace[1])
    if body[0] in "{[":
        if _is_open(body):
            return UNEXPECTED_END
        return None if body[0] == "{" else NOT_AN_OBJECT.format("array")
    if body == "-" or body.startswith(("- ", "-\n")):
        return NOT_AN_OBJECT.format("array")
    if _begins_with_key(body) or body.startswith("? "):
        return None
    scalar = _plain(body)
    if scalar in _BOOLS:
        return NOT_AN_OBJECT.format("bool")
    return NOT_AN_OBJECT.format("number" if _NUMBER.fullmatch(scalar) else "string")


def _plain(body: str) -> str:
    return _COMMENT.sub("", body).strip()


def _lacks(text: str, begin: int, name: str) -> bool:
    """Whether the object that begins there certainly has no value under `name`."""
    body = text[begin:]
    if _plain(body) in _NULLS:
        return True
    if body[0] == "{":
        try:
            return not json.loads(body).get(name)
        except (ValueError, RecursionError):
            return name not in body  # an object of YAML, in one line
    if _UNSURE.search(body):
        return False
    column = begin - (text.rfind("\n", 0, begin) + 1)
    if text[begin - column : begin].strip(" "):
        return False
    # What belongs to the values of other members stands further to the right.
    key = rf"^ {{{column}}}(?:{name}|\"{name}\"|'{name}')[ \t]*+:(?:[ \t]++([^\n]*+))?$"
    found = re.compile(key, re.MULTILINE).search(text, begin - column)
    if found is None:
        return True
    value = _plain(f" {found[1] or ''}")
    more = text.startswith((" ", "-"), found.end() + 1)  # in the lines that follow
    return value in {"''", '""', "[]", *_NULLS} and not (more and not value)


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
