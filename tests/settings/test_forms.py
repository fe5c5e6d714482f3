"""Each form takes what it should and nothing else, from text and from a file's own types."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.settings import forms
from kong_mesh_cp.settings.forms import MalformedError, Secret, UnsupportedError, one_of


@pytest.mark.parametrize("value", ["true", "TRUE", "True", "t", "T", "1", True])
def test_true_is_written_as_in_go(value: object) -> None:
    assert forms.BOOLEAN.read(value) is True


@pytest.mark.parametrize("value", ["false", "FALSE", "False", "f", "F", "0", False])
def test_false_is_written_as_in_go(value: object) -> None:
    assert forms.BOOLEAN.read(value) is False


@pytest.mark.parametrize("value", ["yes", "tRUE", " true", "2", 1, 0, 0.0, [], {}])
def test_other_words_are_no_boolean(value: object) -> None:
    with pytest.raises(MalformedError, match="must be true or false"):
        forms.BOOLEAN.read(value)


@given(st.integers(0, 65_535))
def test_every_port_is_taken_as_number_and_as_text(port: int) -> None:
    assert forms.PORT.read(port) == forms.PORT.read(str(port)) == port


@given(st.one_of(st.integers(max_value=-1), st.integers(min_value=65_536)))
def test_no_other_number_is_a_port(number: int) -> None:
    for value in (number, str(number)):
        with pytest.raises(MalformedError):
            forms.PORT.read(value)


@pytest.mark.parametrize(
    "value", ["", " 80", "80 ", "+80", "8_0", "٨٠", "0x50", "80.0", 80.0, True, "9" * 11]
)
def test_what_int_would_take_is_no_port(value: object) -> None:
    with pytest.raises(MalformedError):
        forms.PORT.read(value)


@pytest.mark.parametrize(
    ("value", "seconds"), [("1s", 1), ("72h0m0s", 259_200), ("1.5m", 90), ("250ms", 0.25)]
)
def test_a_duration_is_written_as_in_go(value: str, seconds: float) -> None:
    assert forms.DURATION.read(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "0", "0s", "-1s", "1", "1d", "5 m", "1ns", 5, 5.0, True])
def test_a_duration_is_above_zero_and_has_a_unit(value: object) -> None:
    with pytest.raises(MalformedError, match="must be a time above zero in quotes"):
        forms.DURATION.read(value)


@pytest.mark.parametrize(("value", "seconds"), [("0s", 0), ("0", 0), ("10s", 10)])
def test_a_delay_may_be_none(value: str, seconds: float) -> None:
    assert forms.DELAY.read(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "-1s", "1", "1d", 5, 0, True])
def test_a_delay_is_not_negative_and_has_a_unit(value: object) -> None:
    with pytest.raises(MalformedError, match="must be a time in quotes"):
        forms.DELAY.read(value)


@pytest.mark.parametrize("value", ["cp.example.com", "10.0.0.1", "fd00::1", "localhost"])
def test_a_server_is_a_name_or_an_address(value: str) -> None:
    assert forms.SERVER.read(value) == value


@pytest.mark.parametrize(
    "value", ["", "cp:5678", "[::1]", "https://cp", "/run/cp", "@cp", "a,b", "$HOST"]
)
def test_a_server_is_one_alone(value: object) -> None:
    with pytest.raises(MalformedError, match="must be the name or address of a host alone"):
        forms.SERVER.read(value)


@pytest.mark.parametrize("value", ["0.0.0.0", "127.0.0.1", "::", "::1", "fe80::1%eth0"])
def test_an_interface_is_an_address(value: str) -> None:
    assert forms.INTERFACE.read(value) == value


@pytest.mark.parametrize(
    "value", ["localhost", "eth0", "127.0.0.01", "127.1", "[::1]", "1.2.3.4:80", 5]
)
def test_an_interface_is_nothing_else(value: object) -> None:
    with pytest.raises(MalformedError):
        forms.INTERFACE.read(value)


@pytest.mark.parametrize("value", ["default", "a", "east-1", "1", "a" * 63])
def test_a_zone_has_a_label_as_its_name(value: str) -> None:
    assert forms.ZONE_NAME.read(value) == value


@pytest.mark.parametrize("value", ["East", "-a", "a-", "a.b", "a" * 64, "zone\n", "é", 1])
def test_a_zone_has_no_other_name(value: object) -> None:
    with pytest.raises(MalformedError):
        forms.ZONE_NAME.read(value)


def test_a_socket_path_fits_the_kernels_structure() -> None:
    longest = "/" + "s" * 102
    assert forms.SOCKET_PATH.read(longest) == Path(longest)
    assert forms.SOCKET_PATH.read("run/admission.sock") == Path("run/admission.sock")
    with pytest.raises(MalformedError, match="103 bytes"):
        forms.SOCKET_PATH.read(longest + "s")
    with pytest.raises(MalformedError):
        forms.SOCKET_PATH.read("/" + "ö" * 52)


@pytest.mark.parametrize("value", ["~/mesh", "~", "a\nb", "a\0b", "/run/\udc80", 5, ["/x"]])
def test_a_folder_is_a_path_written_out(value: object) -> None:
    for form in (forms.DIRECTORY, forms.SOCKET_PATH):
        with pytest.raises(MalformedError):
            form.read(value)


def test_a_folder_is_no_socket() -> None:
    with pytest.raises(MalformedError):
        forms.SOCKET_PATH.read("/run/kong-mesh-cp/")


def test_a_license_path_takes_any_text_for_the_reader_to_check() -> None:
    assert forms.LICENSE_PATH.read('{"license": {}}') == '{"license": {}}'
    with pytest.raises(MalformedError):
        forms.LICENSE_PATH.read(5)


def test_a_word_of_a_closed_list() -> None:
    refusal = UnsupportedError("blue is not in this version", remedy="Use red")
    form = one_of("red", "green", unsupported={"blue": refusal}, deprecated={"rot": "red"})
    assert form.read("green") == "green"
    assert form.read("rot") == "red"
    with pytest.raises(UnsupportedError) as caught:
        form.read("blue")
    assert caught.value.remedy == "Use red"
    with pytest.raises(MalformedError, match="must be red or green"):
        form.read("RED")


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = forms.SECRET.read("canary")
    assert isinstance(secret, Secret)
    assert secret.reveal() == "canary"
    assert "canary" not in f"{secret} {secret!r} {secret!s} {[secret]}"
    assert secret == Secret("canary")
    assert secret != Secret("other")
    assert secret != "canary"
    assert len({secret, Secret("canary")}) == 1


@pytest.mark.parametrize(
    ("value", "path"), [("/", "/"), ("", "/"), ("/mesh", "/mesh"), ("/a/b.c/", "/a/b.c")]
)
def test_a_url_path_has_no_slash_at_its_end(value: str, path: str) -> None:
    assert forms.URL_PATH.read(value) == path


@pytest.mark.parametrize("value", ["mesh", "/a b", "/a//b", "/ä", "/a?b", "http://a/b", 5])
def test_a_url_path_holds_nothing_that_needs_escaping(value: object) -> None:
    with pytest.raises(MalformedError):
        forms.URL_PATH.read(value)


@pytest.mark.parametrize(("value", "path"), [("/gui", "/gui"), ("/a/b.c/", "/a/b.c")])
def test_the_console_has_a_path_of_its_own(value: str, path: str) -> None:
    assert forms.CONSOLE_PATH.read(value) == path
    for wrong in ("/", "", "gui", "/a?b"):
        with pytest.raises(MalformedError):
            forms.CONSOLE_PATH.read(wrong)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("", ""),
        ("/gui/", "/gui"),
        ("https://mesh.example.com", "https://mesh.example.com"),
        ("https://mesh.example.com:8443/east/gui/", "https://mesh.example.com:8443/east/gui"),
        ("http://[fd00::2]:5681/gui", "http://[fd00::2]:5681/gui"),
    ],
)
def test_a_web_address_has_no_slash_at_its_end(value: str, address: str) -> None:
    assert forms.WEB_ADDRESS.read(value) == address


@pytest.mark.parametrize(
    "value",
    [
        *("mesh.example.com/gui", "ftp://mesh.example.com", "javascript:alert(1)", "//example.com"),
        *(
            "https://a:b@example.com/",
            "https://example.com/?a",
            "https://example.com/#a",
            "/a b",
            5,
        ),
    ],
)
def test_a_web_address_has_neither_user_nor_query(value: object) -> None:
    with pytest.raises(MalformedError):
        forms.WEB_ADDRESS.read(value)
