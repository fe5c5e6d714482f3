"""DNS messages, as far as somebody has to read them who passes them on. No I/O.

Of a query its head, its one question and the size that its sender takes are read; the rest goes on
as it came.

Source: docs/wire/beside-envoy.md#names
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass

HEAD_BYTES: Final = 12
NAME_BYTES_MAX: Final = 255  # RFC 1035 section 3.1
LABEL_BYTES_MAX: Final = 63
MESSAGE_BYTES_MAX: Final = 65535
UDP_BYTES_DEFAULT: Final = 512  # RFC 1035 section 4.2.1: without EDNS
UDP_BYTES_OFFERED: Final = 1232  # what we say that we take: no path breaks it up

TYPE_A: Final = 1
TYPE_OPT: Final = 41
TRANSFERS: Final = frozenset({251, 252})  # IXFR, AXFR: answers of any number of messages

_HEAD = struct.Struct("!6H")
_QUESTION_TAIL = struct.Struct("!2H")
_RECORD_TAIL = struct.Struct("!2HIH")
_IS_ANSWER: Final = 0x8000
_OPCODE: Final = 0x7800
_TRUNCATED: Final = 0x0200
_RECURSION_DESIRED: Final = 0x0100
_RECURSION_AVAILABLE: Final = 0x0080
_CODE: Final = 0x000F
_KEPT_OF_QUERY: Final = _OPCODE | _RECURSION_DESIRED | 0x0010  # and whether it checks signatures


class Code(IntEnum):
    """How an answer came out: RFC 1035 section 4.1.1."""

    NO_ERROR = 0
    FORMAT_ERROR = 1
    SERVER_FAILURE = 2
    NAME_ERROR = 3
    NOT_IMPLEMENTED = 4
    REFUSED = 5


class MalformedError(Exception):
    """Not a query that can be answered at all: silence is the only right answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question. `message` is all of it, as it came."""

    message: bytes
    number: int
    flags: int
    name: str  # in lower case, without the dot at its end; bytes that are no ASCII are escaped
    kind: int
    question: bytes  # as it stands in the message
    takes_bytes: int  # over UDP
    extended: bool  # whether it has an OPT record, and so its answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswerable:
    """What looks like a query and is refused with `code`; `question` is empty where it is none."""

    number: int
    flags: int
    code: Code
    question: bytes = b""


def read_query(message: bytes) -> Query | Unanswerable:
    """Raises: MalformedError."""
    if len(message) < HEAD_BYTES:
        raise MalformedError
    number, flags, questions, answers, authorities, additional = _HEAD.unpack_from(message)
    if flags & _IS_ANSWER:  # to answer an answer may go on for ever
        raise MalformedError
    if flags & _OPCODE:
        return Unanswerable(number=number, flags=flags, code=Code.NOT_IMPLEMENTED)
    if questions != 1:
        return Unanswerable(number=number, flags=flags, code=Code.FORMAT_ERROR)
    try:
        name, end = _name(message, HEAD_BYTES)
        (kind, _) = _QUESTION_TAIL.unpack_from(message, end)
        end += _QUESTION_TAIL.size
        size = _offered_size(message, end, answers + authorities + additional)
    except (ValueError, IndexError, struct.error):
        return Unanswerable(number=number, flags=flags, code=Code.FORMAT_ERROR)
    question = message[HEAD_BYTES:end]
    if kind in TRANSFERS:
        return Unanswerable(number=number, flags=flags, code=Code.REFUSED, question=question)
    return Query(
        message=message,
        number=number,
        flags=flags,
        name=name,
        kind=kind,
        question=question,
        takes_bytes=UDP_BYTES_DEFAULT if size is None else max(size, UDP_BYTES_DEFAULT),
        extended=size is not None,
    )


def refusal(query: Query | Unanswerable, code: Code) -> bytes:
    """The answer that there is none: with `code`, and no records."""
    extended = isinstance(query, Query) and query.extended
    flags = query.flags & _KEPT_OF_QUERY | _IS_ANSWER | _RECURSION_AVAILABLE | code
    head = _HEAD.pack(query.number, flags, bool(query.question), 0, 0, extended)
    return head + query.question + (_OPT if extended else b"")


def plain_question(query: Query, number: int, kind: int | None = None) -> bytes:
    """The question alone, in lower case and without anything else, for Envoy.

    Its filter compares names byte by byte, and has no use for what may follow the question.
    `kind`: ask for that instead.
    """
    question = _lowered(query.question)
    if kind is not None:
        question = question[:-4] + struct.pack("!H", kind) + question[-2:]
    return _HEAD.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0) + question


def renumbered(message: bytes, number: int) -> bytes:
    return struct.pack("!H", number) + message[2:]


def code_of_answer(answer: bytes, asked: bytes) -> int | None:
    """How `answer` to the message `asked` came out. None: it is no answer to that."""
    if len(answer) < HEAD_BYTES or answer[:2] != asked[:2]:
        return None
    _, flags, questions, *_ = _HEAD.unpack_from(answer)
    if not flags & _IS_ANSWER:
        return None
    code = int(flags & _CODE)
    if questions == 0 and code:
        return code  # some servers leave it out where they refuse
    _, end = _name(asked, HEAD_BYTES)
    end += _QUESTION_TAIL.size
    same = _lowered(answer[HEAD_BYTES:end]) == _lowered(asked[HEAD_BYTES:end])
    return code if questions == 1 and same else None


def has_records(answer: bytes) -> bool:
    """Whether there is anything in the answer section."""
    return answer[6:8] != b"\0\0"


def answer_of_envoy(query: Query, answer: bytes) -> bytes:
    """What Envoy has answered to the plain question, as an answer to `query`.

    The question comes back as it was asked, letter by letter: who mixes capitals in, to be safe
    from forged answers, takes no other.
    """
    _, flags, _, answers, authorities, additional = _HEAD.unpack_from(answer)
    flags = query.flags & _KEPT_OF_QUERY | flags & (_TRUNCATED | _CODE)
    flags |= _IS_ANSWER | _RECURSION_AVAILABLE
    head = _HEAD.pack(query.number, flags, 1, answers, authorities, additional + query.extended)
    rest = answer[HEAD_BYTES + len(query.question) :]
    return head + query.question + rest + (_OPT if query.extended else b"")


def fitting(query: Query, answer: bytes) -> bytes:
    """`answer`, or in place of one that the asker does not take over UDP: ask again over TCP."""
    if len(answer) <= query.takes_bytes:
        return answer
    cut = refusal(query, Code.NO_ERROR)
    (flags,) = struct.unpack_from("!H", cut, 2)
    return cut[:2] + struct.pack("!H", flags | _TRUNCATED) + cut[4:]


_OPT: Final = b"\0" + _RECORD_TAIL.pack(TYPE_OPT, UDP_BYTES_OFFERED, 0, 0)  # RFC 6891 section 6.1


def _name(message: bytes, at: int) -> tuple[str, int]:
    """The name of a question, and where it ends. Raises: ValueError, IndexError."""
    labels, begin = list[str](), at
    while length := message[at]:
        if length > LABEL_BYTES_MAX:  # a pointer has nothing before it that it could point to
            raise ValueError
        label = message[at + 1 : at + 1 + length]
        labels.append(label.lower().decode("ascii", "backslashreplace"))
        at += 1 + length
        if at - begin >= NAME_BYTES_MAX:
            raise ValueError
    return ".".join(labels), at + 1


def _lowered(question: bytes) -> bytes:
    """With its name in lower case. Lengths of labels are below 64, and so no capitals; types may
    be (65 is HTTPS).
    """
    return question[:-4].lower() + question[-4:]


def _offered_size(message: bytes, at: int, records: int) -> int | None:
    """What the OPT record among `records` says; None: there is none.

    Raises: ValueError, IndexError, struct.error. Linear in the message, whatever it claims.
    """
    for _ in range(records):
        at = _behind_name(message, at)
        kind, size, _, length = _RECORD_TAIL.unpack_from(message, at)
        if kind == TYPE_OPT:
            return int(size)
        at += _RECORD_TAIL.size + length
    return None


def _behind_name(message: bytes, at: int) -> int:
    while length := message[at]:
        if length > LABEL_BYTES_MAX:
            return at + 2
        at += 1 + length
    return at + 1
