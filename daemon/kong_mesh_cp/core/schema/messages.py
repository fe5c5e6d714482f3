"""Messages of protocol buffers as frozen dataclasses, and their JSON in both directions.

A message is a dataclass that derives from `Message`, a field of it one line:

    port: Uint32 = proto(0, number=1)                   a number; 0 is not written
    probe: Probe | None = proto(number=2)               a message; `{}` is written, None is not
    ready: bool | None = proto(number=3)                a wrapper (BoolValue): written whenever set
    inbound: tuple[Inbound, ...] = proto((), number=4)  repeated
    tags: Mapping[str, str] = proto(EMPTY, number=5)    a map; written with its keys sorted
    tcp: Tcp | None = oneof("type", number=6)           of one group at most one field is set

The number is the one of its .proto file: it names the field in the binary form
(`message_binary`). A message that travels as JSON only needs none. The JSON name is
the lowerCamelCase of the attribute, unless `proto(json=…)` tells another. Reading follows
golang/protobuf's jsonpb with unknown fields allowed, which is what Kuma's API uses: null is an
absent field, enums come by name or number, numbers may stand in strings, and what is wrong is
reported in Go's words. Writing leaves out defaults and keeps the order of declaration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, field, fields
from enum import IntEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as _type_hints

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.formats.go.go_values import ParseError, is_object, read_array, read_object
from kong_mesh_cp.core.schema import message_scalars as scalars
from kong_mesh_cp.core.schema.violations import FieldPath


class _NoEntries(Mapping[str, Any]):
    # A dataclass takes only hashable defaults, and no mapping of the library is one.
    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and not other


EMPTY: Final = _NoEntries()  # the default of every map

Int32 = Annotated[int, scalars.INT32]
Uint32 = Annotated[int, scalars.UINT32]
Uint64 = Annotated[int, scalars.UINT64]
Float = Annotated[float, scalars.FLOAT]  # of 32 bits; a plain `float` is a double
Duration = Annotated[int, scalars.DURATION]  # nanoseconds
Timestamp = Annotated[int, scalars.TIMESTAMP]  # nanoseconds since 1970
Bytes = Annotated[bytes, scalars.BYTES]
Struct = Annotated[Mapping[str, Any], scalars.STRUCT]  # any JSON object

_JSON_NAME: Final = "json_name"
_ORIGINAL: Final = "original_name"
_ONEOF: Final = "oneof"
_NUMBER: Final = "number"
_WRAPPED: Final = "wrapped"
_UNKNOWN_FIELDS: Final = "unknown_fields"

M = TypeVar("M", bound="Message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The base of every message.

    `unknown_fields`: the fields of its binary form that this version does not know, as they came.
    They go out again with the binary form, and make two messages differ; JSON has no place for
    them. They may hold what a newer version keeps secret, so they are not printed.
    """

    unknown_fields: bytes = field(default=b"", repr=False)

    def __init_subclass__(cls) -> None:
        # Without a docstring dataclasses writes the signature of each class into one, which is a
        # tenth of the time that importing all kinds takes.
        if cls.__doc__ is None:
            cls.__doc__ = cls.__name__


class ProtoEnum(IntEnum):
    """An enum of proto3: numbers without a name are kept, and written as numbers."""

    @classmethod
    def _missing_(cls, value: object) -> ProtoEnum | None:
        if not isinstance(value, int):
            return None
        nameless = int.__new__(cls, value)
        nameless._name_ = ""
        nameless._value_ = value
        return nameless


def proto(
    default: Any = None,
    *,
    number: int = 0,
    json: str = "",
    original: bool = False,
    wrapped: bool = False,
    repr: bool = True,  # noqa: A002  the word of dataclasses.field
) -> Any:
    """A field with the number that it has in its .proto file.

    `json`: its JSON name, where that does not follow from its own.
    `original`: it has a snake_case name in its .proto file, which is read as well.
    `wrapped`: a repeated field whose items are wrappers (BytesValue and the like).
    `repr`: whether it is printed with its message.
    """
    given = {_NUMBER: number, _JSON_NAME: json, _ORIGINAL: original, _WRAPPED: wrapped}
    return field(default=default, repr=repr, metadata=_kept(given))


def oneof(group: str, *, number: int = 0, original: bool = False, wrapped: bool = False) -> Any:
    """A field of the group `group`; unset, until it is chosen. `wrapped`: it is a wrapper."""
    given = {_ONEOF: group, _NUMBER: number, _ORIGINAL: original, _WRAPPED: wrapped}
    return field(default=None, metadata=_kept(given))


def _kept(given: Mapping[str, object]) -> dict[str, object]:
    # There are some hundred fields, of which most have a number and nothing else.
    return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class MessageField:
    """One field as its JSON is: `hint` is what it holds, without the None of an absent one."""

    attribute: str
    names: tuple[str, ...]  # the JSON name last: it wins over the original one
    oneof: str
    hint: Any
    default: object  # not written
    number: int  # 0 where the message has no binary form
    wrapped: bool  # is a wrapper, or a list of them, where the hint alone would mean a scalar

    @property
    def name(self) -> str:
        return self.names[-1]


def message_fields(message_type: type[Message]) -> Iterator[MessageField]:
    """The fields of a message, in the order of their declaration."""
    hints = _type_hints(message_type, include_extras=True)
    for each in fields(message_type):
        if each.name == _UNKNOWN_FIELDS:
            continue
        original = (each.name,) if each.metadata.get(_ORIGINAL) else ()
        yield MessageField(
            attribute=each.name,
            names=(*original, each.metadata.get(_JSON_NAME) or camel_case(each.name)),
            oneof=each.metadata.get(_ONEOF, ""),
            hint=_without_none(hints[each.name]),
            default=None if each.default is MISSING else each.default,
            number=each.metadata.get(_NUMBER, 0),
            wrapped=each.metadata.get(_WRAPPED, False),
        )


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one field goes from JSON and to JSON."""

    of: MessageField
    name: str  # these two are asked for at every field of every message
    has_original: bool
    read: Callable[[object], object]
    write: Callable[[Any], object]
    is_container: bool


def read_message(message_type: type[M], value: object) -> M:
    """The message in the JSON `value`. Raises: ParseError."""
    document = read_object(value)
    given: dict[str, Any] = {}
    chosen: dict[str, str] = {}
    for codec in _codecs(message_type):
        of = codec.of
        member = document.get(codec.name)
        if member is None:
            # Either way of writing a name is read; the JSON name wins.
            member = document.get(of.names[0]) if codec.has_original else None
            if member is None:
                continue
        try:
            given[of.attribute] = codec.read(member)
        except ParseError as error:
            raise error.below(f".{codec.name}") from None
        if of.oneof:
            # As in Go: the last field of the group, in the order of the .proto file, wins.
            given.pop(chosen.get(of.oneof, ""), None)
            chosen[of.oneof] = of.attribute
    return message_type(**given)


def unknown_members(
    message_type: type[Message], value: object, at: FieldPath
) -> Iterator[FieldPath]:
    """The members of the JSON `value`, which stands at `at`, that reading the message ignores."""
    # What has another type is a fault that reading reports; here it has no members.
    if not is_object(value):
        return
    hints = {name: codec.of.hint for codec in _codecs(message_type) for name in codec.of.names}
    # In the order of the body, so that the answer follows what its author wrote.
    for name, member in value.items():
        hint, member_at = hints.get(name), at.field(name)
        if name not in hints:
            yield member_at
        elif isinstance(hint, type) and issubclass(hint, Message):
            yield from unknown_members(hint, member, member_at)
        elif get_origin(hint) is tuple and isinstance(member, list):
            inner = get_args(hint)[0]
            if isinstance(inner, type) and issubclass(inner, Message):
                for number, each in enumerate(member):
                    yield from unknown_members(inner, each, member_at.index(number))


def write_message(message: Message) -> dict[str, object]:
    """The JSON object of `message`, without fields that hold their default."""
    document: dict[str, object] = {}
    for codec in _codecs(type(message)):
        of = codec.of
        value = getattr(message, of.attribute)
        if value is None or (value == of.default and not of.oneof):
            continue
        # A map or list that was given empty is as absent on the wire as one that was not given.
        if codec.is_container and not value:
            continue
        document[codec.name] = codec.write(value)
    return document


def fields_of(message_type: type[Message]) -> Sequence[MessageField]:
    """As `message_fields`, of what has been worked out already."""
    return [codec.of for codec in _codecs(message_type)]


_CODECS: Final[dict[type[Message], tuple[_Codec, ...]]] = {}  # made at the first use of a type


def _codecs(message_type: type[Message]) -> tuple[_Codec, ...]:
    codecs = _CODECS.get(message_type)
    if codecs is None:
        codecs = tuple(map(_codec, message_fields(message_type)))
        _CODECS[message_type] = codecs
    return codecs


def _codec(of: MessageField) -> _Codec:
    hint = of.hint
    read, write = _value(hint)
    if get_origin(hint) is tuple:
        item_read, item_write = _value(get_args(hint)[0])
        read, write = _repeated(item_read, item_write)
    elif get_origin(hint) is Mapping:
        item_read, item_write = _value(get_args(hint)[1])
        read, write = _map(item_read, item_write)
    is_container = get_origin(hint) in {tuple, Mapping}
    return _Codec(of, of.name, len(of.names) > 1, read, write, is_container)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in {Union, UnionType}:
        return next(option for option in get_args(hint) if option is not NoneType)
    return hint


_Pair = tuple[Callable[[object], object], Callable[[Any], object]]


def _value(hint: Any) -> _Pair:
    if get_origin(hint) is Annotated:
        scalar = hint.__metadata__[0]
        return scalar.read, scalar.write
    if isinstance(hint, type) and issubclass(hint, Message):
        return lambda value: read_message(hint, value), write_message
    if isinstance(hint, type) and issubclass(hint, ProtoEnum):
        return lambda value: _read_enum(hint, value), _write_enum
    plain = scalars.PLAIN.get(hint)
    # Repeated fields and maps are looked into by the caller.
    return (plain.read, plain.write) if plain else (_unreadable, _unreadable)


def _unreadable(value: object) -> object:
    raise TypeError(f"no codec for {type(value).__name__}")


def _repeated(read: Callable[[object], object], write: Callable[[Any], object]) -> _Pair:
    def read_items(value: object) -> tuple[object, ...]:
        found: list[object] = []
        try:
            for item in read_array(value):
                found.append(read(item))  # noqa: PERF401 (how many there are says which is wrong)
        except ParseError as error:
            raise (error.below(f"[{len(found)}]") if isinstance(value, list) else error) from None
        return tuple(found)

    return read_items, lambda items: [write(item) for item in items]


def _map(read: Callable[[object], object], write: Callable[[Any], object]) -> _Pair:
    def read_entries(value: object) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for key, item in read_object(value).items():
            try:
                found[key] = read(item)
            except ParseError as error:
                raise error.below(f"[{go_quote(key)}]") from None
        return found

    return read_entries, lambda entries: {key: write(entries[key]) for key in sorted(entries)}


def _read_enum(enum: type[ProtoEnum], value: object) -> ProtoEnum:
    if isinstance(value, str):
        member = enum.__members__.get(value)
        if member is None:
            shown = go_quote(f'"{value}"')
            reason = f"unknown value {shown} for enum {_enum_name(enum)}"
            raise ParseError(reason, f"must be one of: {', '.join(enum.__members__)}")
        return member
    return enum(scalars.read_enum_number(value))


def _enum_name(enum: type[ProtoEnum]) -> str:
    return str(getattr(enum, "__proto_name__", enum.__name__))


def _write_enum(value: ProtoEnum) -> object:
    return value.name or value.value


def camel_case(name: str) -> str:
    """The JSON name of the field `name`, as protoc derives it."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
