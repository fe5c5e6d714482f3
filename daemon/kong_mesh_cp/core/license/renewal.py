"""How a license is renewed, by where it comes from: what a reload sees needs no restart."""

from __future__ import annotations

from kong_mesh_cp.core.license.sources import Choice, SourceKind

_INSTALLED = "/etc/kong-mesh/license.json"  # what the package's unit hands over as a credential


def renewal(choice: Choice | None, *, running: bool) -> str:
    """What to do when the license of `choice` ends, as a sentence that ends in a command.

    None is the pre-bundled license. `running`: the daemon serves; otherwise its start was refused.
    """
    if choice is None:
        what = f"Put an issued license at {_INSTALLED}, or name its file in KMESH_LICENSE_PATH,"
        return _sentence(what, "restart", running=running)
    winner = choice.winner
    match winner.kind:
        case SourceKind.INLINE | SourceKind.CONFIG_INLINE:
            # Environment and configuration are those of the start.
            return _sentence(
                f"Set {winner.kind.value} to a renewed license", "restart", running=running
            )
        case SourceKind.CREDENTIAL:
            return _sentence(f"Put a renewed license at {_INSTALLED}", "reload", running=running)
        case SourceKind.PATH | SourceKind.CONFIG_PATH:
            where = f"license at {winner.path}" if running else "file there"
            return _sentence(f"Put a renewed {where}", "reload", running=running)


def _sentence(what: str, verb: str, *, running: bool) -> str:
    return f"{what} and run: systemctl {verb if running else 'start'} kong-mesh-cp"
