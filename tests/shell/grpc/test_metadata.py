"""What stands in the headers of a call."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from kong_mesh_cp.shell.grpc.metadata import (
    MESSAGE_TEXT_BYTES_MAX,
    binary_values,
    escaped,
    metadata_of,
    timeout_of,
)
from kong_mesh_cp.shell.grpc.status import GrpcError, Status


def test_metadata_has_all_values_in_order_and_no_pseudo_fields() -> None:
    head = [(b":path", b"/a"), (b"x", b"1"), (b"y", b"2"), (b"x", b"\xe9")]

    assert metadata_of(head) == {"x": ("1", "é"), "y": ("2",)}


def test_binary_values_are_base64_padded_or_not_joined_or_not() -> None:
    metadata = {"key-bin": ("AP8", "AP8=,AQ , ")}

    assert binary_values(metadata, "key-bin") == (b"\0\xff", b"\0\xff", b"\1", b"")
    assert binary_values(metadata, "other-bin") == ()


@pytest.mark.parametrize("value", ["A", "é", "A?==", "AA=A"])
def test_what_is_no_base64_is_refused(value: str) -> None:
    with pytest.raises(GrpcError, match="key-bin is not base64") as caught:
        binary_values({"key-bin": (value,)}, "key-bin")
    assert caught.value.status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1H", 3600.0),
        ("2M", 120.0),
        ("30S", 30.0),
        ("99999999m", 99_999.999),
        ("10u", 1e-5),
        ("10n", 1e-8),
        ("0S", 0.0),
    ],
)
def test_a_timeout_has_a_unit(text: str, seconds: float) -> None:
    assert timeout_of({"grpc-timeout": (text,)}) == pytest.approx(seconds)


def test_no_timeout_is_for_ever() -> None:
    assert timeout_of({}) is None


@pytest.mark.parametrize("text", ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", "٣S", "1 S"])
def test_a_malformed_timeout_is_refused(text: str) -> None:
    with pytest.raises(GrpcError, match="malformed grpc-timeout"):
        timeout_of({"grpc-timeout": (text,)})


@pytest.mark.parametrize("text", ["", "plain", "100 %", "naïve", "a\r\nb\0", "\ud800", "☃" * 10])
def test_a_message_is_escaped_so_that_it_can_stand_in_a_header(text: str) -> None:
    value = escaped(text)

    assert all(0x20 <= each < 0x7F for each in value)
    assert unquote(value.decode()) == text.encode("utf-8", "replace").decode()


def test_a_very_long_message_is_cut() -> None:
    assert len(escaped("x" * 10 * MESSAGE_TEXT_BYTES_MAX)) == MESSAGE_TEXT_BYTES_MAX
