"""What systemd says through the environment, and what of it is meant for this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.settings.service_manager import INHERITED_SOCKETS_MAX, ServiceEnvironment

PID = 812
OTHER_PID = 813


def read(**environ: str) -> ServiceEnvironment:
    return ServiceEnvironment.read(environ, pid=PID)


def test_without_a_service_manager_everything_is_absent() -> None:
    assert read() == ServiceEnvironment(
        watchdog_seconds=None,
        socket_names=(),
        credentials_directory=None,
        credential_origin=None,
        journal_stream="",
    )


def test_the_watchdog_is_reported_in_microseconds() -> None:
    assert read(WATCHDOG_USEC="30000000").watchdog_seconds == 30.0
    assert read(WATCHDOG_USEC="200000", WATCHDOG_PID=str(PID)).watchdog_seconds == 0.2


@pytest.mark.parametrize("usec", ["", "0", "-1", "1s", "0.5", "٣", "9" * 5000, " 5"])
def test_a_watchdog_time_that_systemd_would_not_write_is_no_watchdog(usec: str) -> None:
    assert read(WATCHDOG_USEC=usec).watchdog_seconds is None


def test_a_watchdog_of_another_process_is_not_ours() -> None:
    assert read(WATCHDOG_USEC="200000", WATCHDOG_PID=str(OTHER_PID)).watchdog_seconds is None


def test_inherited_sockets_have_their_names_in_order() -> None:
    environment = read(LISTEN_PID=str(PID), LISTEN_FDS="2", LISTEN_FDNAMES="admission:api")
    assert environment.socket_names == ("admission", "api")


def test_a_socket_without_a_name_is_called_unknown() -> None:
    # sd_listen_fds_with_names(3)
    assert read(LISTEN_PID=str(PID), LISTEN_FDS="2").socket_names == ("unknown", "unknown")
    environment = read(LISTEN_PID=str(PID), LISTEN_FDS="2", LISTEN_FDNAMES="admission")
    assert environment.socket_names == ("admission", "unknown")


@pytest.mark.parametrize("pid", [None, str(OTHER_PID), "", "self"])
def test_sockets_for_another_process_are_not_ours(pid: str | None) -> None:
    environ = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "admission"}
    if pid is not None:
        environ["LISTEN_PID"] = pid
    assert read(**environ).socket_names == ()


@pytest.mark.parametrize("count", ["", "-1", "one", "9" * 5000, "0"])
def test_a_count_that_systemd_would_not_write_is_no_socket(count: str) -> None:
    assert read(LISTEN_PID=str(PID), LISTEN_FDS=count).socket_names == ()


def test_an_absurd_count_takes_no_memory() -> None:
    names = read(LISTEN_PID=str(PID), LISTEN_FDS="1000000000000").socket_names
    assert len(names) == INHERITED_SOCKETS_MAX


def test_the_credential_has_a_directory_and_the_file_it_was_copied_from() -> None:
    environment = read(
        CREDENTIALS_DIRECTORY="/run/credentials/kong-mesh-cp.service",
        LICENSE_CREDENTIAL_ORIGIN="/etc/kong-mesh/license.json",
    )
    assert environment.credentials_directory == Path("/run/credentials/kong-mesh-cp.service")
    assert environment.credential_origin == Path("/etc/kong-mesh/license.json")


def test_an_empty_variable_is_an_absent_one() -> None:
    assert read(CREDENTIALS_DIRECTORY="", LICENSE_CREDENTIAL_ORIGIN="") == read()


@given(
    environ=st.dictionaries(
        st.sampled_from(
            ["WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]
        ),
        st.sampled_from([str(PID), "0", "1", "", ":", "x:", "²", "-3", "1e3"]) | st.text(),
    )
)
def test_no_environment_is_an_error_or_a_flood(environ: dict[str, str]) -> None:
    found = read(**environ)

    assert len(found.socket_names) <= INHERITED_SOCKETS_MAX
    assert all(found.socket_names)
    assert found.watchdog_seconds is None or found.watchdog_seconds > 0
