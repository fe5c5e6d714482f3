"""What the certificate of a proxy says, and when the next one is due.

Source: docs/wire/mtls.md#identities
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from kong_mesh_cp.core.identity.workload import (
    LIFETIME,
    LIFETIME_MAX,
    LIFETIME_MIN,
    leaf,
    lifetime_of,
    renewal_at,
    uris_of,
)
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, DpCert, Rotation
from support.fakes.identity import NOW

DAY = timedelta(days=1)


def test_services_in_the_mesh_come_first_then_all_tags_by_name_and_value() -> None:
    tag_sets = (
        {"kuma.io/service": "web", "version": "v2", "kuma.io/protocol": "http"},
        {"kuma.io/service": "admin", "version": "v1", "kuma.io/protocol": "http"},
    )
    assert uris_of("shop", tag_sets) == (
        "spiffe://shop/admin",
        "spiffe://shop/web",
        "kuma://kuma.io/protocol/http",
        "kuma://kuma.io/service/admin",
        "kuma://kuma.io/service/web",
        "kuma://version/v1",
        "kuma://version/v2",
    )


def test_a_proxy_without_a_service_is_named_by_its_tags() -> None:
    assert uris_of("shop", ({"team": "a"},)) == ("kuma://team/a",)
    assert uris_of("shop", ()) == ()


@pytest.mark.parametrize(
    ("expiration", "lifetime"),
    [
        ("1d", DAY),
        ("90m", timedelta(minutes=90)),
        ("0", LIFETIME_MIN),
        ("500ms", LIFETIME_MIN),
        ("99999999999999999999y", LIFETIME_MAX),
        ("1 day", LIFETIME),
    ],
)
def test_it_lasts_as_long_as_the_mesh_says_within_reason(
    expiration: str, lifetime: timedelta
) -> None:
    backend = CertificateAuthority(dp_cert=DpCert(rotation=Rotation(expiration=expiration)))
    assert lifetime_of(backend) == lifetime


def test_it_lasts_a_day_where_the_mesh_says_nothing() -> None:
    assert lifetime_of(CertificateAuthority()) == DAY
    assert lifetime_of(CertificateAuthority(dp_cert=DpCert())) == DAY


def test_it_begins_ten_seconds_ago_and_lasts_its_time_from_now_on() -> None:
    made = leaf(("kuma://team/a",), DAY, NOW + timedelta(microseconds=7))
    assert (made.begins, made.ends) == (NOW - timedelta(seconds=10), NOW + DAY)


def test_the_next_one_is_due_after_four_fifths_of_its_time() -> None:
    assert renewal_at(NOW, NOW + 10 * DAY) == NOW + 8 * DAY
