"""Users of tokens that are signed here, for a daemon that knows only the public half of the key."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from kong_mesh_cp.core.identity.tokens import UserClaims
from support.daemons.daemon import Answer
from support.fakes.identity import signing_key, token_for

ADMIN = {"name": "mesh-system:admin", "groups": ["mesh-system:admin", "mesh-system:authenticated"]}
ANONYMOUS = {"name": "mesh-system:anonymous", "groups": ["mesh-system:unauthenticated"]}
ANONYMOUS_SHOWN = "mesh-system:anonymous/mesh-system:unauthenticated"
OPERATOR = UserClaims(name="operator", groups=("mesh-system:admin",))
MESH = b'{"type":"Mesh","name":"m"}'
OFFLINE = "offline"  # the kid of a key whose private half is here and not there
NOW = datetime.now(UTC)


def offline_keys(folder: Path) -> str:
    """A configuration file that trusts the key OFFLINE for users; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    public = folder / "offline.pub"
    public.write_bytes(signing_key(5).verifier.pem())
    entry = f'{{kid = "{OFFLINE}", keyFile = "{public}"}}'
    file = folder / "kong-mesh-cp.toml"
    file.write_text(f"[apiServer.authn.tokens.validator]\npublicKeys = [{entry}]\n")
    return os.fspath(file)


def offline_token(claims: UserClaims = OPERATOR, **changes: object) -> str:
    given: dict[str, object] = {"key": 5, "kid": OFFLINE, "now": NOW, **changes}
    return token_for(claims, **given)  # type: ignore[arg-type]


def denied(answer: Answer, what: str, who: str = ANONYMOUS_SHOWN) -> None:
    assert (answer.status, answer.json["title"]) == (403, "Access Denied")
    assert answer.json["detail"] == f'user "{who}" cannot access {what}'
