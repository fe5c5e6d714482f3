"""Settings, ports, sockets and state that a start is refused for."""

from __future__ import annotations

import grp
import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

from support.daemons.daemon import Daemon
from support.staging.staging import (
    DAEMON_USER,
    PID_SHOWN,
    Said,
    Scenarios,
    Stage,
    command_name,
    user_name,
)

STARTS = Scenarios()

OURS = 0x4B4D4350  # the application id of a store


@STARTS.called("A value that does not fit its setting")
def _(stage: Stage) -> Said:
    stage.set(KUMA_API_SERVER_HTTP_PORT="http")
    return stage.is_refused()


@STARTS.called("The whole address of a database where its host belongs")
def _(stage: Stage) -> Said:
    stage.set(
        KUMA_STORE_TYPE="postgres",
        KUMA_STORE_POSTGRES_HOST="postgres://kong_mesh:hunter2@db.example.com/kong_mesh",
    )
    return stage.is_refused()


@STARTS.called("A secret where the name of its file belongs")
def _(stage: Stage) -> Said:
    stage.set(KUMA_STORE_TYPE="postgres", KMESH_STORE_POSTGRES_PASSWORD_FILE="hunter2")
    return stage.is_refused()


@STARTS.called("A secret with something around it")
def _(stage: Stage) -> Said:
    stage.set(KUMA_STORE_POSTGRES_PASSWORD="'hunter2'")
    stage.start()
    return stage.says("config-doubtful")


@STARTS.called("A list in a form that is none")
def _(stage: Stage) -> Said:
    stage.set(KUMA_ACCESS_STATIC_ADMIN_RESOURCES_GROUPS="ops;sec")
    return stage.is_refused()


@STARTS.called("The variables of another product")
def _(stage: Stage) -> Said:
    stage.set(KONG_LICENSE_PATH="/etc/kong/license.json")
    stage.start()
    return stage.says("config-foreign-variable")


@STARTS.called("Variables of Kuma that this version does not use")
def _(stage: Stage) -> Said:
    stage.set(KUMA_GENERAL_DNS_CACHE_TTL="10s", KUMA_INTER_CP_SERVER_PORT="5683")
    stage.start()
    return stage.says("config-unused")


@STARTS.called("A misspelt name in the configuration file")
def _(stage: Stage) -> Said:
    stage.write_config("[licence]\npath = '/etc/kong-mesh/license.json'\n")
    return stage.is_refused()


@STARTS.called("A configuration file that is no TOML")
def _(stage: Stage) -> Said:
    stage.write_config("[log]\nlevel = debug\n")
    return stage.is_refused()


@STARTS.called("A configuration file that everybody can write")
def _(stage: Stage) -> Said:
    stage.write_config("").chmod(0o666)
    return stage.is_refused()


@STARTS.called("A secret in a configuration file that everybody can read")
def _(stage: Stage) -> Said:
    stage.write_config("[store.postgres]\npassword = 'choose-another'\n").chmod(0o644)
    stage.start()
    return stage.says("config-exposed")


@STARTS.called("A misspelt variable in the environment file")
def _(stage: Stage) -> Said:
    stage.set(KMESH_LICENCE_PATH=os.fspath(stage.license))
    stage.start()
    return stage.says("config-unknown-variable")


@STARTS.called("A port that is taken")
def _(stage: Stage) -> Said:
    taken = stage.open.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = str(taken.getsockname()[1])
    stage.set(KUMA_API_SERVER_HTTP_PORT=port)
    stage.show(port, "5681")
    stage.show(f"{command_name(os.getpid())} (pid {os.getpid()})", f"nginx (pid {PID_SHOWN})")
    return stage.is_refused()


@STARTS.called("An address that this machine does not have")
def _(stage: Stage) -> Said:
    stage.set(KUMA_API_SERVER_HTTP_INTERFACE="192.0.2.1", KUMA_API_SERVER_HTTP_PORT="5681")
    return stage.is_refused()


@STARTS.called("An admission socket that another process serves")
def _(stage: Stage) -> Said:
    stage.daemon.socket.parent.mkdir(parents=True)
    living = stage.open.enter_context(socket.socket(socket.AF_UNIX))
    living.bind(os.fspath(stage.daemon.socket))
    living.listen()
    here = f"process {os.getpid()} ({command_name(os.getpid())}) of uid {os.geteuid()}"
    stage.show(here, f"process {PID_SHOWN} (kong-mesh-cp) of uid 997")
    return stage.is_refused()


@STARTS.called("Something else at the path of the admission socket")
def _(stage: Stage) -> Said:
    stage.daemon.socket.parent.mkdir(parents=True)
    stage.daemon.socket.write_text("")
    return stage.is_refused()


@STARTS.called("A state directory that the daemon's user may not write")
def _(stage: Stage) -> Said:
    stage.without_privileges()
    stage.daemon.state.mkdir(parents=True)
    os.chown(stage.daemon.state, 65534, 65534)
    stage.show(f"written by {user_name()}", f"written by {DAEMON_USER}")
    stage.show("belongs to nobody", "belongs to root")
    stage.show(f"directory to {user_name()} (", f"directory to {DAEMON_USER} (")
    return stage.is_refused()


@STARTS.called("A file of the state directory that is a link")
def _(stage: Stage) -> Said:
    stage.daemon.state.mkdir(parents=True)
    (stage.daemon.state / "store.db").symlink_to("/srv/store.db")
    return stage.is_refused()


@STARTS.called("A state directory that another daemon uses")
def _(stage: Stage) -> Said:
    own_socket = os.fspath(stage.directory / "other.sock")
    shared = {"KUMA_GENERAL_WORK_DIR": os.fspath(stage.daemon.state)}
    environment = {**shared, "KMESH_ADMISSION_SOCKET": own_socket}
    other = stage.open.enter_context(Daemon(stage.directory / "o", environment=environment)).start()
    command = Path(f"/proc/{other.pid}/cmdline").read_text(encoding="utf-8").split("\0")
    here = f"process {other.pid} ({' '.join(command).strip()[:120]})"
    stage.show(here, f"process {PID_SHOWN} (/usr/bin/python3 -IS /usr/bin/kong-mesh-cp run)")
    return stage.is_refused()


@STARTS.called("A damaged store")
def _(stage: Stage) -> Said:
    stage.daemon.state.mkdir(parents=True)
    (stage.daemon.state / "store.db").write_bytes(b"not a database, but long enough" * 100)
    return stage.is_refused()


@STARTS.called("The store of a newer release, after a downgrade")
def _(stage: Stage) -> Said:
    stage.daemon.state.mkdir(parents=True)
    with closing(sqlite3.connect(stage.daemon.state / "store.db")) as store:
        store.executescript(
            f"PRAGMA application_id = {OURS}; PRAGMA user_version = 99; CREATE TABLE later (x);"
        )
    return stage.is_refused()


@STARTS.called("An admission socket that is open to a group, without rules")
def _(stage: Stage) -> Said:
    stage.start()
    group = grp.getgrgid(stage.daemon.socket.stat().st_gid).gr_name
    stage.show(f"of the group {group} ", "of the group kong-mesh ")
    return stage.says("admission-open")
