"""Messages of DNS, hostile ones among them, without a socket."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma_dp.dns.messages import (
    Code,
    MalformedError,
    Query,
    Unanswerable,
    answer_of_envoy,
    code_of_answer,
    fitting,
    plain_question,
    read_query,
    refusal,
    renumbered,
)
from support.data_plane.dns_peers import (
    AXFR,
    HTTPS,
    NAME_ERROR,
    OPT,
    A,
    Heard,
    address_record,
    answer_to,
    named,
    query,
    question,
)
from support.suites.growth import GROWTH_MAX, growth

LABELS = st.text("abcXYZ09-_", min_size=1, max_size=63)
NAMES = st.lists(LABELS, max_size=3).map(".".join)


def read(message: bytes) -> Query:
    found = read_query(message)
    assert isinstance(found, Query)
    return found


def refused_with(message: bytes) -> Code:
    found = read_query(message)
    assert isinstance(found, Unanswerable)
    assert Heard(refusal(found, found.code)).code == found.code
    return found.code


@given(NAMES, st.integers(0, 0xFFFF), st.sampled_from([A, HTTPS, 255]), st.booleans())
def test_a_question_is_read_as_it_was_asked(name: str, number: int, kind: int, edns: bool) -> None:
    message = query(name, kind, number=number, edns=edns)

    found = read(message)

    assert (found.number, found.name, found.kind) == (number, name.lower(), kind)
    assert found.question == question(name, kind)
    assert (found.extended, found.takes_bytes) == ((True, 4096) if edns else (False, 512))


@given(st.binary(max_size=600))
def test_any_bytes_are_a_query_or_refused_or_passed_over(data: bytes) -> None:
    try:
        found = read_query(data)
    except MalformedError:
        assert len(data) < 12 or data[2] & 0x80
        return
    answer = refusal(found, Code.SERVER_FAILURE)
    assert answer[:2] == data[:2]
    assert answer[2] & 0x80, "whoever reads it does not answer it"


@given(NAMES, st.data())
def test_a_query_that_is_cut_short_is_malformed(name: str, data: st.DataObject) -> None:
    message = query(name, edns=True)
    cut = data.draw(st.integers(12, len(message) - 1))
    assert refused_with(message[:cut]) is Code.FORMAT_ERROR


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (query("a.mesh", flags=0x2900), Code.NOT_IMPLEMENTED),  # an update
        (struct.pack("!6H", 1, 0x0100, 0, 0, 0, 0), Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0x0100, 2, 0, 0, 0) + 2 * question("a"), Code.FORMAT_ERROR),
        (struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", Code.FORMAT_ERROR),
        (query(".".join(["a" * 63] * 4)), Code.FORMAT_ERROR),
        (query("a.mesh", AXFR), Code.REFUSED),
        (query("a.mesh")[:11] + b"\xff" + question("a.mesh"), Code.FORMAT_ERROR),
    ],
)
def test_what_is_no_plain_question_is_refused(message: bytes, code: Code) -> None:
    assert refused_with(message) is code


@pytest.mark.parametrize("message", [b"", b"\0" * 11, query("a", flags=0x8180)])
def test_what_is_no_query_is_not_answered(message: bytes) -> None:
    with pytest.raises(MalformedError):
        read_query(message)


def test_envoy_is_asked_in_lower_case_and_the_answer_has_the_capitals_of_the_question() -> None:
    asked = read(query("BackEnd.Mesh", number=7, edns=True))
    plain = plain_question(asked, 99)
    assert plain == query("backend.mesh", number=99)

    answer = answer_of_envoy(asked, answer_to(plain, address_record("240.0.0.1")))

    heard = Heard(answer)
    assert (heard.number, heard.question) == (7, question("BackEnd.Mesh"))
    assert heard.addresses == ["240.0.0.1"]
    assert answer[3] & 0x80, "recursion is available: the servers of the machine offer it"
    assert answer[-11:-10] + answer[-10:-8] == b"\0" + OPT[1:3], "who speaks EDNS is answered so"


def test_types_are_no_letters() -> None:
    """Of HTTPS the number is that of a capital A, and of another type that of a small one."""
    plain = plain_question(read(query("a", HTTPS)), 1)
    assert plain == query("a", HTTPS, number=1)
    assert code_of_answer(answer_to(query("a", 97, number=1)), plain) is None


def test_an_answer_counts_when_number_and_question_are_those_that_were_asked() -> None:
    asked = query("a.mesh", number=7)
    good = answer_to(asked, code=NAME_ERROR)
    assert code_of_answer(good, asked) is not None
    assert code_of_answer(good, asked) == Code.NAME_ERROR
    assert code_of_answer(answer_to(query("A.mesh", number=7)), asked) == Code.NO_ERROR
    for other in (
        renumbered(good, 8),
        answer_to(query("b.mesh", number=7)),
        answer_to(query("a.mesh", 28, number=7)),
        asked,
        good[:11],
        b"",
    ):
        assert code_of_answer(other, asked) is None


@given(st.binary(max_size=100))
def test_any_bytes_can_be_held_against_a_question(data: bytes) -> None:
    asked = query("a.mesh", number=7)
    assert code_of_answer(data, asked) is None or data[:2] == asked[:2]


def test_an_answer_that_is_too_long_for_udp_becomes_the_request_to_ask_over_tcp() -> None:
    asked = read(query("a.mesh", number=7))
    long = answer_to(asked.message, *[address_record("240.0.0.1")] * 40)
    assert len(long) > 512

    heard = Heard(fitting(asked, long))

    assert heard.is_cut
    assert (heard.number, heard.question, heard.addresses) == (7, question("a.mesh"), [])
    extended = read(query("a.mesh", edns=True))
    assert fitting(extended, long) is long


def test_reading_takes_as_long_as_the_message_is() -> None:
    def work(size: int) -> Callable[[], object]:
        records = struct.pack("!3HIH", 0xC00C, 1, 1, 0, 0) * (size // 12)
        head = struct.pack("!6H", 1, 0x0100, 1, 0, 0, min(size // 12, 0xFFFF))
        message = head + named("a.mesh") + struct.pack("!2H", A, 1) + records
        return lambda: [read_query(message) for _ in range(5)]

    assert growth(work, 32_000) < GROWTH_MAX
