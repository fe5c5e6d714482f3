"""Messages in the wire format of protocol buffers, in both directions.

The JSON of a message and its bytes hold the same: fields are named by their numbers here, and
neither writes what holds its default. Bytes are written in one way only, that of the runtimes in
their deterministic mode: fields by their number, entries of maps by their key, lists of numbers
packed, what is unknown at the end. So equal messages have equal bytes, and these can be hashed.

Reading takes all that the format allows: fields in any order, lists packed or not, and of a field
that comes several times the last value, but the union of messages. A field of another wire type
than its own is unknown, as is one of an unassigned number: both are kept as they came
(`Message.unknown_fields`), and a newer control plane gets back what an older one passed on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema import message_scalars
from kong_mesh_cp.core.schema.messages import Message, MessageField, ProtoEnum, message_fields
from kong_mesh_cp.core.schema.wire_format import (
    FIXED64,
    LENGTH,
    VARINT,
    BinaryError,
    Reader,
    Span,
    refuse_deep,
    refuse_large,
    tag,
    with_length,
)
from kong_mesh_cp.core.schema.wire_values import (
    EMBEDDED,
    INT32,
    SCALARS,
    EmbeddedCodec,
    ScalarCodec,
    encoded_entry,
    last_of,
    map_entry,
    signed,
    spans_of,
    wrapper,
)

M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """The bytes of `message`.

    Raises: BinaryError for a message that cannot come from JSON (a number out of its range, half
    a surrogate pair, too much of it); TypeError for a type whose fields have no numbers.
    """
    encoded = _encoded(message)
    # After encoding: the size is known only then, and a message of JSON is bounded already.
    refuse_large(encoded)
    return encoded


def decode(message_type: type[M], data: bytes) -> M:
    """The message in `data`, in time and memory linear in its size.

    Raises: BinaryError; TypeError for a type whose fields have no numbers. Nothing is validated
    but what JSON could not tell (a year of five digits, an infinite number in a Struct).
    """
    return _decoded(Reader(data), message_type, ((0, len(data)),), depth=1)


class _FieldCodec(ABC):
    """How one field of a message goes to bytes and from bytes.

    Reading has two steps: `take` adds a value, which is at `span` (a varint is its first number),
    to what is `held` of the field so far, None in the beginning; `whole` makes the field of that.
    """

    __slots__ = ("attribute", "name", "number", "oneof", "wire_types")

    def __init__(self, of: MessageField, *wire_types: int) -> None:
        self.attribute = of.attribute
        self.name = of.name
        self.number = of.number
        self.oneof = of.oneof
        self.wire_types = wire_types

    @abstractmethod
    def encode(self, value: Any) -> bytes:
        """The field with its tag; nothing where it holds its default."""

    @abstractmethod
    def take(self, reader: Reader, held: Any, wire_type: int, span: Span, depth: int, /) -> Any:
        """`held` with one value more."""

    def whole(self, _reader: Reader, held: Any, _depth: int, /) -> Any:
        return held


class _Scalar(_FieldCodec):
    __slots__ = ("_codec", "_nothing", "_tag")

    def __init__(self, of: MessageField, codec: ScalarCodec) -> None:
        super().__init__(of, codec.wire_type)
        self._codec = codec
        self._tag = tag(of.number, codec.wire_type)
        # A field of a group is there or not, whatever it holds.
        self._nothing = b"" if of.oneof else codec.encode(codec.default)

    def encode(self, value: Any) -> bytes:
        payload = self._codec.encode(value)
        return b"" if payload == self._nothing else self._tag + payload

    def take(self, reader: Reader, _held: Any, _type: int, span: Span, _depth: int, /) -> Any:
        return self._codec.decode(reader, *span)


class _Scalars(_FieldCodec):
    """A list of scalars; of numbers it is packed into one field."""

    __slots__ = ("_codec", "_packed", "_tag")

    def __init__(self, of: MessageField, codec: ScalarCodec) -> None:
        self._packed = codec.wire_type != LENGTH
        super().__init__(of, codec.wire_type, *([LENGTH] if self._packed else []))
        self._codec = codec
        self._tag = tag(of.number, LENGTH)

    def encode(self, value: Any) -> bytes:
        # proto3 packs numbers by default; texts and bytes carry their length already.
        items = map(self._codec.encode, value)
        if self._packed:
            return self._tag + with_length(b"".join(items)) if value else b""
        return b"".join(self._tag + item for item in items)

    def take(self, reader: Reader, held: Any, wire_type: int, span: Span, _depth: int, /) -> Any:
        items: list[object] = [] if held is None else held
        decode = self._codec.decode
        if wire_type == self._codec.wire_type:
            items.append(decode(reader, *span))
        elif self._codec.wire_type == VARINT:
            items.extend(decode(reader, number, 0) for number in reader.varints(*span))
        else:
            size = 8 if self._codec.wire_type == FIXED64 else 4
            items.extend(decode(reader, *each) for each in reader.chunks(*span, size))
        return items

    def whole(self, _reader: Reader, held: Any, _depth: int, /) -> Any:
        return tuple(held)


class _Embedded(_FieldCodec):
    """A message; its presence is another thing than what it holds."""

    __slots__ = ("_codec", "_tag")

    def __init__(self, of: MessageField, codec: EmbeddedCodec) -> None:
        super().__init__(of, LENGTH)
        self._codec = codec
        self._tag = tag(of.number, LENGTH)

    def encode(self, value: Any) -> bytes:
        return self._tag + with_length(self._codec.encode(value))

    def take(self, _reader: Reader, held: Any, _type: int, span: Span, _depth: int, /) -> Any:
        spans = [] if held is None else held
        spans.append(span)
        return spans

    def whole(self, reader: Reader, held: Any, depth: int, /) -> Any:
        return self._codec.decode(reader, held, depth + 1)


class _EmbeddedList(_Embedded):
    __slots__ = ()

    def encode(self, value: Any) -> bytes:
        return b"".join(super(_EmbeddedList, self).encode(item) for item in value)

    def take(self, reader: Reader, held: Any, _type: int, span: Span, depth: int, /) -> Any:
        items = [] if held is None else held
        # The list counts as well: in JSON it is a container.
        items.append(self._codec.decode(reader, (span,), depth + 2))
        return items

    def whole(self, _reader: Reader, held: Any, _depth: int, /) -> Any:
        return tuple(held)


class _Map(_FieldCodec):
    """Entries by their keys: a list of messages with a key and a value each."""

    __slots__ = ("_codec", "_tag")

    def __init__(self, of: MessageField, codec: ScalarCodec | EmbeddedCodec) -> None:
        super().__init__(of, LENGTH)
        self._codec = codec
        self._tag = tag(of.number, LENGTH)

    def encode(self, value: Any) -> bytes:
        return b"".join(
            self._tag + with_length(self._entry(key, value[key])) for key in sorted(value)
        )

    def _entry(self, key: str, value: Any) -> bytes:
        encoded = self._codec.encode(value)
        if isinstance(self._codec, ScalarCodec):
            return encoded_entry(key, encoded, self._codec.wire_type)
        return encoded_entry(key, with_length(encoded), LENGTH)

    def take(self, reader: Reader, held: Any, _type: int, span: Span, depth: int, /) -> Any:
        entries = {} if held is None else held
        key, fields = map_entry(reader, span)
        if isinstance(self._codec, ScalarCodec):
            entries[key] = last_of(fields, 2, self._codec, reader)
        else:
            entries[key] = self._codec.decode(reader, spans_of(fields), depth + 2)
        return entries


@dataclass(frozen=True, slots=True)
class _Table:
    """The fields of a message, in the order of their numbers and by number."""

    in_order: tuple[_FieldCodec, ...]
    by_number: Mapping[int, _FieldCodec]


# By class and not by a cache of the function: reading looks here for every message inside of a
# message.
_TABLES: Final[dict[type[Message], _Table]] = {}  # made at the first use of a type


def _table(message_type: type[Message]) -> _Table:
    table = _TABLES.get(message_type)
    if table is None:
        codecs = sorted(
            (_field_codec(message_type, of) for of in message_fields(message_type)),
            key=lambda codec: codec.number,
        )
        table = _Table(tuple(codecs), {codec.number: codec for codec in codecs})
        # At the first use of a type and not when it is declared: most types of a control plane are
        # never sent as bytes.
        if len(table.by_number) != len(codecs):
            raise TypeError(f"two fields of {message_type.__name__} have the same number")
        _TABLES[message_type] = table
    return table


def _field_codec(message_type: type[Message], of: MessageField) -> _FieldCodec:
    if not of.number:
        raise TypeError(f"the field {of.attribute} of {message_type.__name__} has no number")
    origin = get_origin(of.hint)
    if origin is Mapping:
        return _Map(of, _value_codec(get_args(of.hint)[1]))
    codec = _value_codec(get_args(of.hint)[0] if origin is tuple else of.hint)
    if isinstance(codec, ScalarCodec):
        # A scalar that may be absent by itself, not as one of a group, is a wrapper.
        is_wrapped = of.wrapped or (of.default is None and not of.oneof)
        if not is_wrapped:
            return _Scalars(of, codec) if origin is tuple else _Scalar(of, codec)
        codec = wrapper(codec)
    return _EmbeddedList(of, codec) if origin is tuple else _Embedded(of, codec)


def _value_codec(hint: Any) -> ScalarCodec | EmbeddedCodec:
    if isinstance(hint, type) and issubclass(hint, Message):
        return EmbeddedCodec(
            _encoded, lambda reader, spans, depth: _decoded(reader, hint, spans, depth)
        )
    if isinstance(hint, type) and issubclass(hint, ProtoEnum):
        return ScalarCodec(
            VARINT, hint(0), INT32.encode, lambda _reader, value, _end: hint(signed(value, 32))
        )
    is_annotated = get_origin(hint) is Annotated
    scalar = hint.__metadata__[0] if is_annotated else message_scalars.PLAIN[hint]
    return SCALARS.get(scalar) or EMBEDDED[scalar]


def _encoded(message: Message) -> bytes:
    parts = []
    for codec in _table(type(message)).in_order:
        value = getattr(message, codec.attribute)
        if value is not None:
            parts.append(codec.encode(value))
    parts.append(message.unknown_fields)
    return b"".join(parts)


def _decoded(reader: Reader, message_type: type[M], spans: Sequence[Span], depth: int) -> M:
    refuse_deep(depth)
    by_number = _table(message_type).by_number
    # By number, so that a field that comes in pieces is put together when all of it is there.
    held: dict[int, Any] = {}
    chosen: dict[str, int] = {}  # the number of the field that is set, by its group
    unknown = []
    for number, wire_type, value, begin, end in reader.fields(spans):
        codec = by_number.get(number)
        if codec is None or wire_type not in codec.wire_types:
            unknown.append(reader.data[begin:end])
            continue
        if codec.oneof:
            before = chosen.get(codec.oneof, number)
            if before != number:
                # What is overruled has to be sound all the same.
                _whole(reader, by_number[before], held.pop(before), depth)
            chosen[codec.oneof] = number
        try:
            held[number] = codec.take(reader, held.get(number), wire_type, (value, end), depth)
        except BinaryError as error:
            raise error.within(codec.name) from None
    given = {
        by_number[number].attribute: _whole(reader, by_number[number], parts, depth)
        for number, parts in held.items()
    }
    return message_type(**given, unknown_fields=b"".join(unknown))


def _whole(reader: Reader, codec: _FieldCodec, held: object, depth: int) -> Any:
    try:
        return codec.whole(reader, held, depth)
    except BinaryError as error:
        raise error.within(codec.name) from None
