"""Who a proxy is: by the Dataplane that it brings, or by name."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from kuma_dp.errors import NotMendedByWaitingError
from kuma_dp.given.dataplane_file import Proxy, proxy_of
from kuma_dp.given.options import GIVEN_BYTES_MAX

DATAPLANE = """\
type: Dataplane
mesh: default
name: {{ name }}
networking:
  address: {{address}}
  inbound: [{port: 8080, tags: {kuma.io/service: backend}}]
"""
VALUES = {"name": "backend-1", "address": "10.0.0.1"}


def proxy(**given: Any) -> Proxy:
    said: dict[str, Any] = {
        "mesh": "",
        "name": "",
        "proxy_type": "dataplane",
        "path": "",
        "inline": "",
        "variables": {},
        "stdin": io.BytesIO(),
    }
    return proxy_of(**{**said, **given})


def refused(**given: Any) -> NotMendedByWaitingError:
    with pytest.raises(NotMendedByWaitingError) as error:
        proxy(**given)
    assert error.value.exit_status == 78
    return error.value


def test_a_template_is_filled_in_and_its_mesh_and_name_count(tmp_path: Path) -> None:
    file = tmp_path / "dp.yaml"
    file.write_text(DATAPLANE)

    found = proxy(path=str(file), variables=VALUES)

    assert (found.mesh, found.name) == ("default", "backend-1")
    assert json.loads(found.text)["networking"]["address"] == "10.0.0.1"


def test_it_may_come_over_standard_input_or_as_an_option() -> None:
    text = json.dumps({"type": "Dataplane", "mesh": "m", "name": "n"})

    assert proxy(path="-", stdin=io.BytesIO(text.encode())).name == "n"
    assert proxy(inline=text).mesh == "m"


def test_it_may_have_outbounds_for_a_thousand_services(tmp_path: Path) -> None:
    outbounds = [
        {"port": 10000 + number, "tags": {"kuma.io/service": f"a-service-of-many-{number}"}}
        for number in range(1000)
    ]
    networking = {"address": "10.0.0.1", "outbound": outbounds}
    text = json.dumps({"type": "Dataplane", "mesh": "m", "name": "n", "networking": networking})
    file = tmp_path / "dp.yaml"
    file.write_text(text)

    for found in (proxy(path=str(file)), proxy(path="-", stdin=io.BytesIO(text.encode()))):
        assert len(json.loads(found.text)["networking"]["outbound"]) == 1000

    file.write_bytes(b"#" * (GIVEN_BYTES_MAX + 1))
    assert f"larger than {GIVEN_BYTES_MAX} bytes" in refused(path=str(file)).message


def test_without_one_name_and_mesh_tell_which_is_meant() -> None:
    assert proxy(mesh="default", name="backend-1") == Proxy("default", "backend-1")
    assert proxy(mesh="default", name="backend-1").text == ""


@pytest.mark.parametrize(
    ("given", "missing"),
    [({}, "--name"), ({"mesh": "default"}, "--name"), ({"name": "backend-1"}, "--mesh")],
)
def test_a_proxy_that_nobody_named_is_refused(given: dict[str, str], missing: str) -> None:
    error = refused(**given)
    assert error.code == "dataplane-name-missing"
    assert missing in error.message


def test_a_zone_proxy_needs_no_mesh() -> None:
    assert proxy(name="ingress-1", proxy_type="ingress") == Proxy("", "ingress-1")
    text = json.dumps({"type": "ZoneIngress", "name": "ingress-1"})
    assert proxy(inline=text, proxy_type="ingress").mesh == ""


def test_name_and_mesh_may_be_given_beside_a_dataplane_that_agrees() -> None:
    text = json.dumps({"type": "Dataplane", "mesh": "m", "name": "n"})

    assert proxy(inline=text, mesh="m", name="n").name == "n"
    assert refused(inline=text, name="other").code == "dataplane-contradiction"
    assert refused(inline=text, mesh="other").code == "dataplane-contradiction"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("type: Mesh\nname: default\n", "dataplane-unusable"),
        ("type: ZoneIngress\nname: a\n", "dataplane-unusable"),
        ("[1, 2]", "dataplane-unusable"),
        ("type: Dataplane\nmesh: m\nname: a\n---\ntype: Dataplane\n", "dataplane-unusable"),
        ("type: Dataplane\nmesh: m\n", "dataplane-unusable"),
        ("type: Dataplane\nmesh: m\nname: $(NAME)\n", "dataplane-unusable"),
        ("type: Dataplane\nmesh: m\nname: 5\n", "dataplane-unusable"),
        ("type: [Dataplane\n", "dataplane-unreadable"),
    ],
)
def test_what_is_no_dataplane_of_this_proxy_is_refused(text: str, code: str) -> None:
    assert refused(inline=text).code == code


def test_a_variable_without_a_value_and_a_file_that_is_not_there_are_named(tmp_path: Path) -> None:
    missing = refused(path=str(tmp_path / "none.yaml"))
    assert missing.code == "dataplane-unreadable"
    assert "none.yaml" in missing.message
    unfilled = refused(inline=DATAPLANE, variables={"name": "backend-1"})
    assert unfilled.code == "dataplane-unreadable"
    assert "address" in unfilled.message


def test_a_name_that_nothing_has_replaced_is_refused() -> None:
    assert refused(mesh="default", name="{{ name }}").code == "dataplane-unusable"
