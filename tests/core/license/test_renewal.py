"""What an operator is told to do is the least that helps."""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.license.renewal import renewal
from kong_mesh_cp.core.license.sources import Choice, SourceKind, SourceReading

FILE = "/srv/license.json"


def choice(kind: SourceKind, path: str | None) -> Choice:
    winner = SourceReading(kind=kind, path=path, document=b"", error=None)
    return Choice(winner=winner, losers=(), conflicting=False)


@pytest.mark.parametrize(
    ("kind", "path", "verb"),
    [
        (SourceKind.INLINE, None, "restart"),
        (SourceKind.PATH, FILE, "reload"),
        (SourceKind.CREDENTIAL, "/run/credentials/license", "reload"),
        (SourceKind.CONFIG_INLINE, None, "restart"),
        (SourceKind.CONFIG_PATH, FILE, "reload"),
    ],
)
def test_only_a_source_that_is_read_once_takes_a_restart(
    kind: SourceKind, path: str | None, verb: str
) -> None:
    sentence = renewal(choice(kind, path), running=True)
    assert sentence.endswith(f" and run: systemctl {verb} kong-mesh-cp")
    assert (FILE in sentence) == (path == FILE)


@pytest.mark.parametrize("kind", SourceKind)
def test_a_daemon_that_was_refused_is_started(kind: SourceKind) -> None:
    sentence = renewal(choice(kind, FILE), running=False)
    assert sentence.endswith(" and run: systemctl start kong-mesh-cp")


@pytest.mark.parametrize("running", [True, False])
def test_the_pre_bundled_license_is_replaced_where_package_or_checkout_look(
    running: bool,
) -> None:
    sentence = renewal(None, running=running)
    assert "/etc/kong-mesh/license.json" in sentence
    assert "KMESH_LICENSE_PATH" in sentence
