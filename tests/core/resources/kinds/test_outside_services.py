"""ExternalService and VirtualOutbound: names for what is outside, and names of one's own."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.formats.go.go_values import ParseError
from kong_mesh_cp.core.resources.kinds.legacy.virtual_outbound import evaluated
from support.specs.kinds import ANY_SERVICE, SERVICE, Found, found, found_at, shown

PORT = "port must be in the range [1, 65535]"


def external(tls: object = None, **change: Any) -> dict[str, Any]:
    networking = {"address": "httpbin.org:80"} | ({} if tls is None else {"tls": tls})
    return {"networking": networking, "tags": SERVICE} | change


def test_an_external_service_with_everything_is_valid_and_shown_as_it_was() -> None:
    body = external(
        {
            "enabled": True,
            "caCert": {"secret": "ca"},
            "clientCert": {"inline": "dGVzdAo="},
            "clientKey": {"inlineString": "x"},
            "allowRenegotiation": False,
            "serverName": "a.b",
        }
    )
    assert found("ExternalService", body) == []
    assert shown("ExternalService", body) == body


def test_an_external_service_keeps_whether_its_host_is_a_name_in_dns() -> None:
    body = external()
    body["networking"]["disableHostDNSEntry"] = True
    assert found("ExternalService", body) == []
    assert shown("ExternalService", body) == body
    body["networking"]["disableHostDNSEntry"] = 1
    with pytest.raises(ParseError, match="cannot unmarshal number into Go value of type bool"):
        shown("ExternalService", body)


@pytest.mark.parametrize(
    ("address", "messages"),
    [
        ("192.168.0.1:8080", []),
        ("[fd00::1]:8080", []),
        ("", ["address can't be empty"]),
        ("..>_<..:80", ["address has to be a valid IP address or a domain name"]),
        ("a:65536", [PORT]),
        ("a:0", [PORT]),
        ("a:http", ["unable to parse port in address", PORT]),
        ("a:99999999999", ["unable to parse port in address", PORT]),
        (
            "a",
            [
                "unable to parse address",
                "address has to be a valid IP address or a domain name",
                "unable to parse port in address",
                PORT,
            ],
        ),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, messages: list[str]) -> None:
    body = external(networking={"address": address})
    expected = [("networking.address", message) for message in messages]
    assert found("ExternalService", body) == expected


def test_networking_is_there() -> None:
    body = external(networking=None)
    assert found("ExternalService", body) == [("networking", "should have networking")]


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ({"serverName": ""}, [("serverName", "cannot be empty")]),
        ({"caCert": {}}, [("caCert", "data source cannot be empty")]),
        ({"clientCert": {"inline": ""}}, [("clientCert", "data source cannot be empty")]),
        ({"clientKey": {"file": ""}}, [("clientKey", "data source cannot be empty")]),
        ({"clientKey": {"file": "/etc/key"}}, []),
    ],
)
def test_tls(tls: object, expected: Found) -> None:
    assert found_at("ExternalService", external(tls), "networking.tls.") == expected


def test_a_service_cannot_be_taken_for_its_address() -> None:
    body = external(tags={"kuma.io/service": "httpbin.org"})
    assert found("ExternalService", body) == [
        ('tags["kuma.io/service"]', "cannot be the same as networking.address")
    ]


PARAMETER = {"name": "service", "tagKey": "kuma.io/service"}


def virtual(**change: Any) -> dict[str, Any]:
    conf = {"host": "{{.service}}.mesh", "port": "80", "parameters": [PARAMETER]} | change
    return {"selectors": ANY_SERVICE, "conf": conf}


def test_a_virtual_outbound_with_everything_is_valid_and_shown_as_it_was() -> None:
    body = virtual(port="{{ .port }}", parameters=[PARAMETER, {"name": "port"}])
    assert found("VirtualOutbound", body) == []
    assert shown("VirtualOutbound", body) == body


def test_a_virtual_outbound_has_selectors_and_a_conf() -> None:
    assert found("VirtualOutbound", {}) == [
        ("selectors", "must have at least one element"),
        ("conf", "has to be defined"),
    ]


def fault(reason: str) -> str:
    quoted = reason.replace("\\", "\\\\").replace('"', '\\"')
    return f'template pre evaluation failed with error="{quoted}"'


NOT_DEFINED = 'failed compiling gotemplate error="template: :1: function \\"mesh\\" not defined"'
NO_END = 'failed compiling gotemplate error="template: :1: unexpected EOF"'
NO_RANGE = 'failed compiling gotemplate error="template: :1: function \\"range\\" not defined"'
NO_NUMBER = "evaluation of template with parameters didn't evaluate to a parsable number result="
OUT_OF_RANGE = "evaluation of template returned a port outside of the range [1..65535] result="
NO_NAME = "evaluation of template with parameters didn't return a valid dns name result="


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"host": ""}, [("host", "has to be defined")]),
        ({"port": ""}, [("port", "has to be defined")]),
        ({"host": "{{mesh"}, [("host", fault(NOT_DEFINED))]),
        ({"host": "a b"}, [("host", fault(f'{NO_NAME}"a b"'))]),
        ({"host": "{{.x}}"}, [("host", fault(f'{NO_NAME}"<no value>"'))]),
        ({"port": "{{.service}}a"}, [("port", fault(f'{NO_NUMBER}"1a"'))]),
        ({"port": "9" * 30}, [("port", fault(f'{NO_NUMBER}"{"9" * 30}"'))]),
        ({"port": "0"}, [("port", fault(f"{OUT_OF_RANGE}0"))]),
        ({"port": "{{.service}}00000"}, [("port", fault(f"{OUT_OF_RANGE}100000"))]),
        ({"port": " {{- .service -}} "}, []),
        ({"port": "{{if .service}}80{{end}}"}, []),
        ({"port": "{{if .port}}{{.port}}{{else}}80{{end}}"}, []),
        ({"port": "{{if .service}}80"}, [("port", fault(NO_END))]),
        ({"port": "{{range .service}}80{{end}}"}, [("port", fault(NO_RANGE))]),
        (
            {"parameters": [{"name": "a"}]},
            [
                ("parameters", "must contain a parameter with kuma.io/service as a tagKey"),
                ("host", fault(f'{NO_NAME}"<no value>.mesh"')),
            ],
        ),
        (
            {"parameters": [PARAMETER, {"name": "service", "tagKey": "a"}]},
            [("parameters[1].name", "name is already used")],
        ),
        (
            {"parameters": [PARAMETER, {"name": "a", "tagKey": "*"}]},
            [("parameters[1].tagKey", "must be a valid tag name")],
        ),
        (
            {"parameters": [PARAMETER, {"name": "a*"}]},
            [
                (
                    "parameters[1].name",
                    "must be a valid tag name if you are not setting tagKey",
                ),
                (
                    "parameters[1].name",
                    "must consist of alphanumeric characters to be used as a gotemplate key",
                ),
            ],
        ),
    ],
)
def test_the_conf_of_a_virtual_outbound(change: dict[str, Any], expected: Found) -> None:
    assert found_at("VirtualOutbound", virtual(**change), "conf.") == expected


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.a}}.{{ .b }}", "1.2"),
        ("x {{- .a -}} y", "x1y"),
        ("x {{- .a }} y", "x1 y"),
        ("{{.c}}", "<no value>"),
        ("plain", "plain"),
        ("{{if .a}}x{{end}}", "x"),
        ("{{.a.b}}", None),
    ],
)
def test_parameters_are_filled_in(template: str, text: str | None) -> None:
    assert evaluated(template, {"a": "1", "b": "2"}) == text


def test_a_template_of_any_length_costs_no_time() -> None:
    assert evaluated(" " * 1_000_000, {}) is None
    assert found("VirtualOutbound", virtual(host=" " * 1_000_000)) == []
