"""Whatever JSON a server answers: a status that is documented, and no word to the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.daemons.kuma_api import Answering, Reply, api
from support.daemons.kumactl_runs import User

MEMBERS = (
    *("items", "name", "mesh", "type", "labels", "metadata", "spec", "status", "total", "next"),
    *("networking", "inbound", "tags", "gateway", "mtls", "backends", "enabledBackend"),
    *("dataplane", "dataplaneInsight", "zoneInsight", "subscriptions", "connectTime", "version"),
    *("kind", "attachments", "listeners", "hosts", "routes", "destinations", "policies"),
    *("matchedPolicies", "dependencies", "config", "resources", "policy", "modificationTime"),
    *("title", "detail", "invalid_parameters", "causes", "reason", "hint"),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        [
            "",
            "a",
            "kuma.io/service",
            "\x1b[2J",
            "\u202e",
            "2026-01-01T00:00:00Z",
            "http://x?offset=9",
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5)
    ),
    max_leaves=25,
)
COMMANDS = (
    *("get meshes", "get dataplanes", "get external-services", "get mesh x -o yaml"),
    *("get zones -o json", "delete mesh x", "export -p all", "export -p all -f kubernetes"),
    *("inspect meshes", "inspect dataplanes", "inspect dataplane x", "inspect zones"),
    *("inspect services", "inspect zone-ingresses", "inspect timeout x", "version"),
    *("inspect meshtimeout x --new-api", "inspect meshgateway x"),
    *("inspect dataplane x --type stats", "generate user-token --name x --valid-for 1h"),
)


@pytest.mark.parametrize("command", COMMANDS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answer=st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=12),
    status=st.sampled_from([200, 200, 200, 400, 404, 500]),
)
def test_any_answer_is_survived(
    command: str,
    answer: dict[str, Any],
    status: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with api(lambda _asked: Reply(status, answer)) as server:
        ran = User(tmp_path_factory.mktemp("home"), server.url).run(*command.split())

    assert ran.status in {0, 1, 3, 4}
    assert "\x1b" not in ran.out + ran.err
    assert "\u202e" not in ran.out + ran.err
    assert ran.status == 0 or ran.err.startswith("Error: ")


def _refusing(status: int, title: str, detail: str, **more: str) -> Answering:
    document = {"type": "/std-errors", "status": status, "title": title, "detail": detail}
    return lambda _asked: Reply(status, {**document, **more})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            _refusing(
                *(500, "Could not use the store", "Internal Server Error"),
                reason="no space is left; nothing was changed",
                hint="An operator finds the cause in the log.",
            ),
            (
                "Could not use the store (Internal Server Error): no space is left; nothing was"
                " changed. An operator finds the cause in the log"
            ),
        ),
        (
            _refusing(403, "Access Denied", "user anonymous cannot", hint="Send a user token."),
            "Access Denied (user anonymous cannot). Send a user token",
        ),
        (_refusing(503, "Starting", "", reason="it makes keys"), "Starting: it makes keys"),
    ],
)
def test_reason_and_remedy_of_a_refusal_stand_in_its_line(
    answer: Answering, said: str, tmp_path: Path
) -> None:
    with api(answer) as server:
        ran = User(tmp_path, server.url).run("get", "meshes")

    assert (ran.status, ran.err) == (1, f"Error: {said}\n")
