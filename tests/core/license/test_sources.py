from __future__ import annotations

import itertools

import pytest

from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from kong_mesh_cp.core.license.sources import SourceKind, SourceReading, choose
from support.licenses.licenses import LICENSE_KEY, license_document

DOCUMENT = license_document()
BROKEN = LicenseRejectedError(Fault.UNREADABLE, "/x cannot be read", hint="Look at it.")


def reading(
    kind: SourceKind, document: bytes | None = DOCUMENT, path: str | None = None
) -> SourceReading:
    error = BROKEN if document is None else None
    return SourceReading(kind=kind, path=path, document=document, error=error)


def test_nothing_set_is_no_choice() -> None:
    assert choose([]) is None


ORDER = [
    SourceKind.INLINE,
    SourceKind.PATH,
    SourceKind.CREDENTIAL,
    SourceKind.CONFIG_INLINE,
    SourceKind.CONFIG_PATH,
]


@pytest.mark.parametrize(("higher", "lower"), list(itertools.combinations(ORDER, 2)))
def test_the_environment_wins_over_the_credential_and_that_over_the_file(
    higher: SourceKind, lower: SourceKind
) -> None:
    choice = choose([reading(lower), reading(higher)])
    assert choice is not None
    assert choice.winner.kind is higher
    assert [loser.kind for loser in choice.losers] == [lower]


def test_a_broken_source_never_falls_through_to_a_lower_one() -> None:
    choice = choose([reading(SourceKind.PATH, None), reading(SourceKind.CONFIG_PATH)])
    assert choice is not None
    assert choice.winner.kind is SourceKind.PATH
    assert choice.winner.error is BROKEN
    assert choice.conflicting


@pytest.mark.parametrize(
    ("other", "conflicting"),
    [
        (DOCUMENT, False),
        (DOCUMENT.strip(), False),
        (DOCUMENT.replace(b"\n", b"\r\n"), False),
        (license_document(dataplanes=5), True),
        (b"", True),
        (None, True),
    ],
)
def test_sources_conflict_when_their_content_differs(
    other: bytes | None, conflicting: bool
) -> None:
    choice = choose([reading(SourceKind.INLINE), reading(SourceKind.PATH, other)])
    assert choice is not None
    assert choice.conflicting is conflicting


def test_one_source_alone_conflicts_with_nothing() -> None:
    choice = choose([reading(SourceKind.CREDENTIAL)])
    assert choice is not None
    assert not choice.conflicting
    assert choice.losers == ()


def test_a_place_is_named_as_an_operator_knows_it() -> None:
    assert reading(SourceKind.INLINE).source == "KMESH_LICENSE_INLINE"
    path = "/etc/kong-mesh/license.json"
    assert reading(SourceKind.PATH, path=path).source == f"{path} (KMESH_LICENSE_PATH)"


def test_no_repr_holds_a_document() -> None:
    choice = choose([reading(SourceKind.INLINE), reading(SourceKind.PATH)])
    assert LICENSE_KEY not in repr(choice)
