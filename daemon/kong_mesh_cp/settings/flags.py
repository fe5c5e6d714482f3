"""The flags that are settings, the same for every command that reads a configuration."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, MutableMapping

from kong_mesh_cp.settings.loading import CONFIG_FILE_FLAG, DEFAULT_FILE
from kong_mesh_cp.settings.model import rows


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c",
        CONFIG_FILE_FLAG,
        metavar="FILE",
        help=f"TOML, or a Kuma YAML by its ending .yml or .yaml (default: {DEFAULT_FILE})",
    )
    for row in rows():
        if row.option.flag:
            parser.add_argument(row.option.flag, metavar="VALUE", help=row.option.doc)


def flags_of(namespace: argparse.Namespace) -> Mapping[str, str | None]:
    """What `load` takes as `arguments`, from a parser that `add_flags` has prepared."""
    flags = (CONFIG_FILE_FLAG, *(row.option.flag for row in rows() if row.option.flag))
    return {flag: getattr(namespace, flag.removeprefix("--").replace("-", "_")) for flag in flags}


def process_environment() -> MutableMapping[str, str]:
    """The environment of this process: read here and nowhere else."""
    return os.environ
