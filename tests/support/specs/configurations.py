"""Short ways to load a configuration as an operator would have written it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kong_mesh_cp.settings.loading import Loaded, examine, load
from kong_mesh_cp.settings.problems import Problem

NO_FILE = Path("/nonexistent/kong-mesh-cp.toml")


def loaded(
    file: Path | None = None, environ: Mapping[str, str] | None = None, **flags: str
) -> Loaded:
    """`log_level="debug"` is the flag --log-level. HOME is set, as for every login."""
    return load(
        arguments=_arguments(file, flags),
        environ={"HOME": "/home/operator", **(environ or {})},
        default_file=NO_FILE,
    )


def problems(
    file: Path | None = None, environ: Mapping[str, str] | None = None, **flags: str
) -> tuple[Problem, ...]:
    found = examine(
        arguments=_arguments(file, flags),
        environ={"HOME": "/home/operator", **(environ or {})},
        default_file=NO_FILE,
    )
    return found.problems


def _arguments(file: Path | None, flags: Mapping[str, str]) -> dict[str, str | None]:
    named = {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
    return {"--config-file": str(file) if file else None, **named}


def toml(folder: Path, text: str) -> Path:
    return _written(folder / "kong-mesh-cp.toml", text)


def kuma_yaml(folder: Path, text: str) -> Path:
    return _written(folder / "kuma-cp.conf.yml", text)


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
