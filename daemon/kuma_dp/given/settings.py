"""What a run of `kuma-dp` was told, gathered from flags and variables.

A variable wins over its flag, as in the original, which surprises: it is said where both are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kong_mesh_cp.core.formats.near_words import nearest
from kong_mesh_cp.core.formats.printable import printable
from kuma_dp.errors import NotMendedByWaitingError
from kuma_dp.given.options import OPTIONS, PREFIXES, WITHOUT_EFFECT, Option

_SECRETS: Final = frozenset({"token", "ca_cert", "resource"})  # never shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one run. See `options.py` for each; times are in seconds."""

    name: str
    mesh: str
    proxy_type: str
    cp_address: str
    ca_cert_file: str
    ca_cert: str
    skip_verify: bool
    admission_socket: str
    resource_path: str
    resource: str
    token_path: str
    token: str
    binary_path: str
    concurrency: int
    drain_seconds: float
    config_dir: str
    socket_dir: str
    envoy_log_level: str
    envoy_component_log_level: str
    readiness_port: int
    probe_port: int
    dns_enabled: bool
    dns_port: int
    dns_log_queries: bool
    dns_envoy_port: int
    metrics_cert_path: str
    metrics_key_path: str
    system_ca_path: str
    ipv6: bool
    memory_bytes_max: int
    refresh_seconds: float
    retry_seconds: float
    retry_seconds_max: float
    resource_vars: Mapping[str, str]

    @property
    def is_zone_proxy(self) -> bool:
        return self.proxy_type != "dataplane"


def gather(
    flags: Mapping[str, object], resource_vars: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[Settings, tuple[str, ...]]:
    """The settings, and lines with a code about what was given for nothing.

    `flags`: values that were given, by the name of their option or the flag without effect.
    Raises: NotMendedByWaitingError `setting-malformed`.
    """
    found: dict[str, Any] = {}
    remarks: list[str] = []
    for option in OPTIONS:
        # An empty variable is no value, as for the original: units often set one.
        of_variable = environ.get(option.variable, "")
        if of_variable:
            found[option.name] = _read(option, of_variable)
            if option.name in flags:
                remarks.append(
                    f"setting-given-twice: {option.flag} and {option.variable} are both given: the"
                    " variable counts. Remove one of them."
                )
        else:
            found[option.name] = flags.get(option.name, option.default)
    remarks += _for_nothing(flags, environ)
    return Settings(**found, resource_vars=dict(resource_vars)), tuple(remarks)


def _read(option: Option, given: str) -> object:
    try:
        return option.read(given)
    except ValueError as error:
        shown = "" if option.name in _SECRETS else f" {printable(given)!r}"
        raise NotMendedByWaitingError(
            f"{option.variable}{shown}: {error}",
            code="setting-malformed",
            hint=f"Correct {option.variable}: {option.help}.",
        ) from None


def _for_nothing(flags: Mapping[str, object], environ: Mapping[str, str]) -> list[str]:
    remarks = [
        f"setting-without-effect: {name} is for a part of the original that this kuma-dp does not"
        " have. Remove it."
        for pair in WITHOUT_EFFECT
        for name in pair
        if name in flags or name in environ
    ]
    known = {option.variable for option in OPTIONS} | {variable for _, variable in WITHOUT_EFFECT}
    for name in sorted(environ):
        if name.startswith(PREFIXES) and name not in known:
            near = nearest(name, known)
            remedy = f"Write {near} instead" if near else "Remove it"
            shown = printable(name)
            remarks.append(f"variable-unknown: {shown} is no variable of kuma-dp. {remedy}.")
    return remarks
