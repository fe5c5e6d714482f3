"""`kong-mesh-cp migrate up`: makes or migrates the store before a start, by any user."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from kong_mesh_cp.core.lazy_import import lazy_import

if TYPE_CHECKING:
    from kong_mesh_cp.compose import migrating
    from kong_mesh_cp.settings import loading, service_manager
else:
    migrating = lazy_import("kong_mesh_cp.compose.migrating")
    loading = lazy_import("kong_mesh_cp.settings.loading")
    service_manager = lazy_import("kong_mesh_cp.settings.service_manager")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("migrate", help="make or migrate the store")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    up = actions.add_parser(
        "up",
        help="bring the store to the version of this release",
        description="Makes the store where there is none, and migrates it where it is older. Every"
        " start does the same; this is for whoever wants it done before, or by another user.",
        allow_abbrev=False,
    )
    up.add_argument("-c", "--config-file", metavar="FILE", help="the daemon's configuration")
    up.set_defaults(run=_up)


def _up(arguments: argparse.Namespace) -> int:
    environ = dict(os.environ)  # noqa: TID251 (the same variables as the daemon's)
    settings = loading.load(
        arguments={"--config-file": arguments.config_file}, environ=environ
    ).settings
    service = service_manager.ServiceEnvironment.read(environ, pid=os.getpid())
    done = migrating.migrate_store(settings, service)
    if done.before == done.now:
        print(f"{done.store} is current (version {done.now})")
    elif done.before == 0:
        print(f"{done.store} was made (version {done.now})")
    else:
        print(f"{done.store} was migrated from version {done.before} to {done.now}")
    return 0
