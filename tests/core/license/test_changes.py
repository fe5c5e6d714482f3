from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.license.bundled import BundledLicense
from kong_mesh_cp.core.license.changes import difference, reductions
from kong_mesh_cp.core.license.document import License
from support.fakes.licensing import instant
from support.licenses.licenses import FIPS_VENDOR, issued


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (issued(dataplanes=5), "dataplanes 20 → 5"),
        (issued(expires="2033-01-01"), "expires 2032-11-09 → 2033-01-01"),
        (issued(customer="other_co"), "customer company_inc → other_co"),
        (
            issued(dataplanes=30, expires="2033-01-01"),
            "dataplanes 20 → 30, expires 2032-11-09 → 2033-01-01",
        ),
    ],
)
def test_the_difference_names_what_differs_and_nothing_else(after: License, told: str) -> None:
    assert difference(issued(), after) == told


def test_another_key_is_named_by_its_purpose_and_name() -> None:
    told = difference(issued(), issued(FIPS_VENDOR))

    assert told.endswith(f"→ issued key {FIPS_VENDOR.key().kid}")


def test_when_all_that_counts_is_the_same_the_ids_tell_them_apart() -> None:
    before, after = issued(), issued(created="2021-8-5")

    assert difference(before, after) == f"id {before.id[:12]} → {after.id[:12]}"


def test_the_pre_bundled_license_has_neither_customer_nor_signer() -> None:
    told = difference(BundledLicense(instant("2026-11-21")), issued())

    assert told.startswith("customer none (pre-bundled) → company_inc, dataplanes 5 → 20, expires ")
    assert "signed by nobody → issued key" in told


LICENSES = st.builds(
    issued,
    customer=st.sampled_from(["company_inc", "other_co"]),
    dataplanes=st.integers(1, 3),
    expires=st.sampled_from(["2030-01-01", "2031-01-01"]),
)


@given(before=LICENSES, after=LICENSES)
def test_a_reduction_one_way_is_none_the_other_way_unless_the_customer_changed(
    before: License, after: License
) -> None:
    there, back = reductions(before, after), reductions(after, before)
    both = [one for one in there if one.startswith("another customer")]

    assert len(both) == (before.customer != after.customer)
    assert len(there) + len(back) - 2 * len(both) == (
        (before.dataplanes != after.dataplanes) + (before.expires_at != after.expires_at)
    )


def test_an_issued_license_instead_of_the_pre_bundled_one_is_no_other_customer() -> None:
    assert reductions(BundledLicense(instant("2026-11-21")), issued()) == ()
