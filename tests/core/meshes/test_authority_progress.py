"""A new authority signs when all trust it, and the old one goes when nobody shows it any more.

Source: docs/wire/mtls.md#a-new-authority
"""

from __future__ import annotations

import pytest

from kong_mesh_cp.core.meshes.authority_progress import (
    NAMES_SHOWN_MAX,
    ProxyTrust,
    trust_of,
    violations,
    waits,
)
from kong_mesh_cp.core.resources.kinds.insights import DataplaneInsight, ProxyMtls
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh, Mtls
from kong_mesh_cp.core.resources.kinds.subscriptions import DiscoverySubscription


def mesh(*backends: str, enabled: str = "", skip: bool = False) -> Mesh:
    authorities = tuple(CertificateAuthority(name=each, type="builtin") for each in backends)
    return Mesh(mtls=Mtls(enabled_backend=enabled, backends=authorities, skip_validation=skip))


OLD = mesh("old", enabled="old")
FIRST = mesh("old", "new", enabled="old")
SECOND = mesh("old", "new", enabled="new")
NEW = mesh("new", enabled="new")

TRUSTS_OLD = ProxyTrust("web-1", "old", ("old",))
TRUSTS_BOTH = ProxyTrust("web-2", "old", ("old", "new"))
SHOWS_NEW = ProxyTrust("web-3", "new", ("old", "new"))


def told(before: Mesh, after: Mesh, *proxies: ProxyTrust) -> list[tuple[str, str]]:
    return [(each.field, each.message) for each in violations(before, after, proxies)]


def test_trust_is_asked_for_at_any_time() -> None:
    assert not waits(OLD, FIRST)
    assert told(OLD, FIRST, TRUSTS_OLD) == []


def test_it_signs_when_everybody_trusts_it() -> None:
    assert waits(FIRST, SECOND)
    assert told(FIRST, SECOND, TRUSTS_BOTH, SHOWS_NEW) == []
    assert told(FIRST, SECOND) == []
    assert told(FIRST, SECOND, TRUSTS_BOTH, TRUSTS_OLD) == [
        (
            "mtls.enabledBackend",
            (
                '1 of 2 connected proxies (web-1) do not trust "new" yet. They are told: write this'
                " again when they do (kumactl rotate ca waits for it)"
            ),
        )
    ]


def test_the_old_one_goes_when_nobody_shows_it() -> None:
    assert waits(SECOND, NEW)
    assert told(SECOND, NEW, SHOWS_NEW) == []
    assert told(SECOND, NEW, SHOWS_NEW, TRUSTS_BOTH) == [
        (
            "mtls.backends",
            (
                '1 of 2 connected proxies (web-2) still show certificates of "old". They get others:'
                " write this again when they have (kumactl rotate ca waits for it)"
            ),
        )
    ]


def test_every_step_can_be_taken_back_by_the_same_rule() -> None:
    assert told(SECOND, FIRST, SHOWS_NEW) == []
    assert [field for field, _ in told(FIRST, OLD, SHOWS_NEW)] == ["mtls.backends"]
    assert told(FIRST, OLD, TRUSTS_BOTH) == []


@pytest.mark.parametrize(
    "after", [mesh(), Mesh(), mesh("old", "new"), mesh("new", enabled="new", skip=True)]
)
def test_nobody_is_waited_for_when_mtls_ends_or_the_mesh_says_not_to_look(after: Mesh) -> None:
    assert told(SECOND, after, TRUSTS_OLD) == []


def test_of_many_proxies_some_are_named() -> None:
    many = [ProxyTrust(f"p{number}", "old", ("old",)) for number in range(NAMES_SHOWN_MAX + 1)]
    ((_, reason),) = told(FIRST, SECOND, *reversed(many))
    assert reason.startswith("6 of 6 connected proxies (p0, p1, p2, p3, p4, …) do not trust")


def test_who_counts_is_connected_and_has_a_certificate() -> None:
    mtls = ProxyMtls(issued_backend="old", supported_backends=("old", "new"))
    open_one = DiscoverySubscription(id="1", connect_time=1)
    closed = DiscoverySubscription(id="1", connect_time=1, disconnect_time=2)
    assert trust_of("web-2", DataplaneInsight(subscriptions=(open_one,), mtls=mtls)) == TRUSTS_BOTH
    assert trust_of("web-2", DataplaneInsight(subscriptions=(closed,), mtls=mtls)) is None
    assert trust_of("web-2", DataplaneInsight(subscriptions=(open_one,))) is None
