"""Whether a proxy is the one that its token was made for (docs/wire/tokens.md#proxies).

The texts reach operators through the logs of kuma-dp, which get them as the end of a stream.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.errors import ControlPlaneError
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.identity.refusals import TokenFault, TokenRejectedError
from kong_mesh_cp.core.identity.tokens import DataplaneClaims, ZoneClaims

_NO_CREDENTIAL: Final = "could not extract credential from DiscoveryRequest"
_FORGETFUL: Final = (
    "could not parse token. kuma-cp runs with an in-memory database and its state isn't preserved "
    "between restarts. Keep in mind that an in-memory database cannot be used with multiple "
    "instances of the control plane"
)
# Told as they are: nothing is wrong with how such a token is made.
_TOLD_BARE: Final = frozenset({TokenFault.UNKNOWN_KEY, TokenFault.REVOKED})


class ProxyRefusedError(ControlPlaneError):
    """A stream of a proxy that has not shown to be the one it says. Its message ends the stream."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            code="proxy-refused",
            hint="Make a token for this proxy: kumactl generate dataplane-token (or zone-token).",
        )


def credential(values: Sequence[str] | None) -> str:
    """The token among the values of the metadata `authorization`; None: no metadata at all.

    It comes bare, without `Bearer`; "" where there is none. Raises: ProxyRefusedError.
    """
    if values is None:
        raise ProxyRefusedError(f"{_NO_CREDENTIAL}: request has no metadata")
    if len(values) > 1:
        raise ProxyRefusedError(
            f'{_NO_CREDENTIAL}: request must have exactly 1 "authorization" header, '
            f"got {len(values)}"
        )
    return values[0] if values else ""


def unreadable(error: TokenRejectedError, *, in_memory: bool = False) -> ProxyRefusedError:
    """A token that is not believed, as the stream of a proxy tells it.

    `in_memory`: the keys end with the process, so an old token has lost its key.
    """
    if error.fault in _TOLD_BARE:
        return _failed(error.message)
    return _failed(f"{_FORGETFUL if in_memory else 'could not parse token'}: {error.message}")


def require_dataplane(
    claims: DataplaneClaims,
    *,
    mesh: str,
    name: str,
    tags: Mapping[str, Collection[str]],
) -> None:
    """`tags` are all values of all inbounds and the gateway. Raises: ProxyRefusedError."""
    _require_same("proxy name", name, claims.name)
    _require_same("proxy mesh", mesh, claims.mesh)
    for tag, allowed in claims.tags.items():
        if tag not in tags:
            raise _failed(f"dataplane has no tag {go_quote(tag)} required by the token")
        for value in sorted(set(tags[tag]) - set(allowed)):
            shown = " ".join(go_quote(each) for each in allowed)
            raise _failed(
                f"dataplane contains tag {go_quote(tag)} with value {go_quote(value)} which is "
                f"not allowed with this token. Allowed values in token are [{shown}]"
            )


def require_zone_proxy(claims: ZoneClaims, *, scope: str, zone: str) -> None:
    """`scope` is `ingress` or `egress`. Raises: ProxyRefusedError."""
    if scope not in claims.scope:
        raise _failed(
            f"token cannot be used to authenticate zone entity ({scope} is out of token's scope: "
            f"[{_shown(' '.join(claims.scope))}])"
        )
    _require_same("zone", zone, claims.zone)


def require_same_node(authenticated: str, requested: str) -> None:
    """A stream belongs to one proxy for as long as it lasts. Raises: ProxyRefusedError."""
    if authenticated != requested:
        raise ProxyRefusedError(
            f"stream was authenticated for ID {_shown(authenticated)}. Received request is for "
            f"node with ID {_shown(requested)}. Node ID cannot be changed after stream is "
            "initialized"
        )


def _require_same(what: str, requested: str, in_token: str) -> None:
    if in_token and requested != in_token:
        raise _failed(
            f"{what} from requestor: {_shown(requested)} is different than in token: "
            f"{_shown(in_token)}"
        )


def _failed(reason: str) -> ProxyRefusedError:
    return ProxyRefusedError(f"authentication failed: {reason}")


def _shown(text: str) -> str:
    """As it is, unless it would break the line."""
    return text if text.isprintable() else go_quote(text)[1:-1]
