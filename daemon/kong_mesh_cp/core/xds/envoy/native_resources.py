"""Envoy's messages in texts that users write, in YAML or JSON.

They are read as generously as the original does: members that are not known are passed over, names
stand in either spelling, durations as Go writes them.

Source: docs/wire/envoy-patches.md#values
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import any_pb2, json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from kong_mesh_cp.core.formats.durations import (
    DurationError,
    format_proto_duration,
    parse_duration,
)
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message
from kong_mesh_cp.core.xds.envoy.known_messages import KNOWN, message_class
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

if TYPE_CHECKING:
    import yaml
else:  # few meshes have any patch
    yaml = lazy_import("yaml")

YAML_CHARACTERS_MAX: Final = 64 * 1024  # JSON is read fifty times as fast, and may be longer
NODES_MAX: Final = 100_000  # with what aliases stand for
_SHOWN_MAX: Final = 80  # characters of a wrong value
TEXTS_MAX: Final = 64  # that are kept as they were read

_DURATION: Final = "google.protobuf.Duration"
_ANY: Final = "google.protobuf.Any"
_NULL_IS_A_VALUE: Final = "google.protobuf.Value"
_OF_THEIR_OWN_FORM: Final = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("Struct", "Value", "ListValue", "Timestamp", "FieldMask", "StringValue", "BytesValue"),
        *("BoolValue", "Int32Value", "UInt32Value", "Int64Value", "UInt64Value"),
        *("FloatValue", "DoubleValue", _DURATION.rpartition(".")[2]),
    )
)


@lru_cache(maxsize=TEXTS_MAX)
def native(type_name: str, text: str) -> Message:
    """The message of `type_name` in `text`; nobody changes it. Raises: UnmakeableError."""
    return from_json(message_class(type_name), plain_of(text))


@lru_cache(maxsize=TEXTS_MAX)
def native_any(text: str) -> Message:
    """The message in `text`, which says its type itself (`@type`). Raises: UnmakeableError."""
    packed: Message = from_json(any_pb2.Any, plain_of(text))
    return unpacked_any(packed)


def unpacked_any(packed: Message) -> Message:
    """Raises: UnmakeableError."""
    return _class_of(packed.type_url).FromString(packed.value)


def from_json(kind: type[Message], value: object) -> Message:
    """The message of `kind` that `value` is in JSON. Raises: UnmakeableError."""
    message = kind()
    try:
        strict = _strict(value, message.DESCRIPTOR)
        json_format.ParseDict(strict, message, ignore_unknown_fields=True, descriptor_pool=KNOWN)
    except (json_format.ParseError, TypeError, ValueError, RecursionError) as error:
        raise UnmakeableError(str(error) or "it is nested too deep") from None
    return message


def plain_of(text: str) -> object:
    """The JSON value in `text`, YAML or JSON; {} where there is none. Raises: UnmakeableError."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise UnmakeableError("it is nested too deep") from None
    except ValueError:
        value = _of_yaml(text)
    return {} if value is None else value


def _of_yaml(text: str) -> object:
    if len(text) > YAML_CHARACTERS_MAX:
        raise UnmakeableError(
            f"it has more than {YAML_CHARACTERS_MAX} characters and is no JSON, which may be longer"
        )
    try:
        return _Plain().of(yaml.load(text, _loader()))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UnmakeableError(f"it is no YAML: {error}") from None


class _Plain:
    """YAML's values as JSON's: keys are texts, and nothing is shared."""

    def __init__(self) -> None:
        self._left = NODES_MAX

    def of(self, value: object) -> object:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"it has more than {NODES_MAX} values")
        if isinstance(value, dict):
            return {_key(key): self.of(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.of(each) for each in value]
        return value


def _key(key: object) -> str:
    return key if isinstance(key, str) else json.dumps(key)


@cache
def _loader() -> type[Any]:
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class GoLike(base):  # type: ignore[misc]
        """Dates and times stay texts, numbers are those of JSON, `y` and `n` are truth values."""

        bool_values = {**base.bool_values, "y": True, "n": False}  # noqa: RUF012
        yaml_implicit_resolvers = {  # noqa: RUF012 (the library's own)
            first: [(tag, pattern) for tag, pattern in found if tag not in _REPLACED]
            for first, found in base.yaml_implicit_resolvers.items()
        }

    for tag, (pattern, firsts) in _REPLACED.items():
        if pattern:
            GoLike.add_implicit_resolver(tag, re.compile(pattern), list(firsts))
    return GoLike


_BOOLS: Final = "|".join(
    spelled
    for word in ("y", "n", "yes", "no", "true", "false", "on", "off")
    for spelled in dict.fromkeys((word, word.title(), word.upper()))
)
_REPLACED: Final = {
    "tag:yaml.org,2002:timestamp": ("", ""),
    "tag:yaml.org,2002:bool": (rf"^(?:{_BOOLS})$", "yYnNtTfFoO"),
    "tag:yaml.org,2002:int": (
        r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$",
        "-+0123456789",
    ),
    "tag:yaml.org,2002:float": (
        r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$",
        "-+0123456789.",
    ),
}


def _strict(value: object, kind: Descriptor) -> Any:
    """`value` as protobuf's own reader takes it. Raises: ValueError."""
    name = kind.full_name
    if name == _DURATION:
        return _duration(value)
    if name in _OF_THEIR_OWN_FORM:
        return value
    members = _object(value, name)
    return _strict_any(members) if name == _ANY else _strict_members(members, kind)


def _strict_members(members: Mapping[str, object], kind: Descriptor) -> dict[str, Any]:
    fields = _fields(kind)
    return {
        key: _strict_field(each, field)
        for key, each in members.items()
        if (field := fields.get(key)) is not None and (each is not None or _takes_null(field))
    }


def _strict_any(members: Mapping[str, object]) -> dict[str, Any]:
    url = members.get("@type")
    if not members:
        return {}
    if not isinstance(url, str):
        raise ValueError("Any JSON doesn't have '@type'")  # noqa: TRY004 (as the others of a value)
    kind = _class_of(url).DESCRIPTOR
    if kind.full_name in _OF_THEIR_OWN_FORM:
        return {"@type": url, "value": _strict(members.get("value"), kind)}
    return {"@type": url, **_strict_members(members, kind)}


def _strict_field(value: object, field: FieldDescriptor) -> Any:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        entry = kind.fields_by_name["value"]
        members = _object(value, field.full_name)
        return {key: _strict_one(each, entry) for key, each in members.items()}
    if not field.is_repeated:
        return _strict_one(value, field)
    if not isinstance(value, list):
        raise ValueError(f"{field.full_name} is an array, and not {_short(value)}")  # noqa: TRY004
    return [_strict_one(each, field) for each in value]


def _strict_one(value: object, field: FieldDescriptor) -> Any:
    if field.message_type is not None:
        return _strict(value, field.message_type)
    # Protobuf's own reader passes over those that it does not know, and more with them.
    names = None if field.enum_type is None else field.enum_type.values_by_name
    if names is not None and isinstance(value, str) and value not in names:
        raise ValueError(f"unknown value {_short(value)} of {field.full_name}")
    return value


def _object(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} is an object, and not {_short(value)}")  # noqa: TRY004
    return value


def _short(value: object) -> str:
    return json.dumps(value)[:_SHOWN_MAX]


def _takes_null(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.full_name == _NULL_IS_A_VALUE and not field.is_repeated


def _duration(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a duration is a text, and not {_short(value)}")  # noqa: TRY004
    try:
        return format_proto_duration(parse_duration(value))
    except DurationError as error:
        raise ValueError(str(error)) from None


@cache
def _fields(kind: Descriptor) -> Mapping[str, FieldDescriptor]:
    """By either name."""
    return {name: each for each in kind.fields for name in (each.name, each.json_name)}


def _class_of(type_url: str) -> type[Message]:
    try:
        return message_class(type_url.rpartition("/")[2])
    except KeyError:
        raise UnmakeableError(f"could not resolve Any message type: {type_url}") from None
