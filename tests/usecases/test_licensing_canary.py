"""License key, signature and document text appear in nothing that leaves the use case."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kong_mesh_cp.core.admission.ledger import Occupancy
from kong_mesh_cp.core.license.fault import LicenseRejectedError
from kong_mesh_cp.core.license.sources import SourceKind
from kong_mesh_cp.usecases.license.holder import LicenseHolder
from support.fakes.licensing import World, reading
from support.licenses.licenses import (
    LICENSE_KEY,
    STRANGER,
    TEST_VENDOR,
    VENDOR,
    license_document,
    payload_of,
    signature_of,
    signed,
)

GOOD = license_document()
OTHERS = [
    license_document(dataplanes=1),
    license_document(customer="other_co"),
    license_document(expires="2026-12-01"),
    license_document(expires="2026-11-20"),
    license_document(created="2030-01-01"),
    license_document(TEST_VENDOR),
    license_document(STRANGER),
    signed(payload_of(product="Other")),
]
SECRETS = [LICENSE_KEY, *(signature_of(document) for document in [GOOD, *OTHERS])]
OCCUPANCY = Occupancy(
    active=30, reserved=0, by_mesh={}, by_zone={}, high_water={date(2026, 11, 21): 30}
)

FAULTS: list[Callable[[bytes], bytes]] = [
    lambda document: document,
    lambda document: document[: len(document) // 2],
    lambda document: document[1:],
    lambda document: document.replace(b'"', b"'"),
    lambda document: document.replace(b'"20"', b"20"),
    lambda document: document.replace(b"license_key", b"signature"),
    lambda document: document.replace(b"license_key", b"dataplanes"),
    lambda document: document.replace(b'"signature"', b'"version"'),
    lambda document: document.replace(b"company_inc", LICENSE_KEY.encode()),
    lambda document: document.upper(),
    lambda document: document.replace(b"a", "ａ".encode()),
    lambda document: b"\xff\xfe" + document.decode().encode("utf-16-le"),
    lambda document: document + document,
    lambda document: b"'" + document + b"'",
    lambda document: json.dumps(document.decode()).encode(),
    lambda document: json.loads(document)["license"]["signature"].encode(),
    lambda _: LICENSE_KEY.encode(),
    lambda document: document[:90] + b"\xff" + document[90:],
]

MUTILATED = st.builds(
    lambda document, fault, at, byte: (
        fault(document)[:at] + byte + fault(document)[at + len(byte) :]
    ),
    st.sampled_from([GOOD, *OTHERS]),
    st.sampled_from(FAULTS),
    st.integers(0, 450),
    st.sampled_from([b"", b"", b"}", b'"', b"\\", b"\0", b"[", b"9"]),
)


class Everything(logging.Handler):
    """Collects all that can be seen from outside."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(logging.Formatter().format(record))

    def see_error(self, error: BaseException | None) -> None:
        while error is not None:
            self.told += [repr(error), str(error), repr(vars(error))]
            error = error.__cause__ or error.__context__

    def see(self, licensing: LicenseHolder) -> None:
        view = licensing.full_view(OCCUPANCY)
        self.told += [
            repr(view),
            json.dumps(view.document(), ensure_ascii=False),
            json.dumps(licensing.public_view(30).document()),
            json.dumps(licensing.admission_license(30)),
            repr(licensing.metrics(30)),
            licensing.status_line(30),
            repr(licensing),
            repr(licensing.entitlement),
            repr(licensing.seat_policy()),
            repr(licensing.warnings(30)),
        ]

    def must_hold_no_secret(self) -> None:
        told = "\n".join(self.told)
        for secret in SECRETS:
            assert secret not in told
            assert secret.upper() not in told.upper()


@given(
    start=MUTILATED,
    kind=st.sampled_from(list(SourceKind)),
    reloads=st.lists(st.tuples(MUTILATED, st.sampled_from(list(SourceKind))), max_size=3),
)
def test_no_fault_and_no_success_shows_a_secret(
    start: bytes, kind: SourceKind, reloads: list[tuple[bytes, SourceKind]]
) -> None:
    seen, logger = Everything(), logging.getLogger("kong_mesh_cp")
    level = logger.level
    logger.addHandler(seen)
    logger.setLevel(logging.DEBUG)
    try:
        live(seen, start, kind, reloads)
    finally:
        logger.removeHandler(seen)
        logger.setLevel(level)
    seen.must_hold_no_secret()


def live(
    seen: Everything, start: bytes, kind: SourceKind, reloads: list[tuple[bytes, SourceKind]]
) -> None:
    world = World()
    world.sources.readings = [reading(start, kind)]
    try:
        world.start()
    except LicenseRejectedError as error:
        seen.see_error(error)
        world.put(GOOD)
    licensing = world.start()
    licensing.log_start(30)
    for document, source in reloads:
        world.sources.readings = [reading(document, source), reading(GOOD, SourceKind.CONFIG_PATH)]
        outcome = licensing.reload("SIGHUP")
        seen.see_error(outcome.error)
        seen.told.append(repr(outcome))
        world.live_through(licensing, timedelta(hours=30), step=timedelta(hours=10), active=30)
        seen.see(licensing)
    seen.see(licensing)
    seen.told.append(repr(world.events))


def test_the_canary_would_be_found() -> None:
    seen = Everything()
    seen.see_error(ValueError(f"half of it: {GOOD.decode()}"))

    assert LICENSE_KEY in "\n".join(seen.told)
    assert signature_of(GOOD) in "\n".join(seen.told)
    assert signature_of(GOOD) == signature_of(license_document(VENDOR))
