"""No damaged document is ever taken for a license, and none does worse than being refused.

KMESH_TEST_LICENSE_MUTATIONS sets how many are tried (100000), KMESH_TEST_SEED where they start;
a failure prints the seed of its one document.
"""

from __future__ import annotations

import collections
import os
from random import Random

from kong_mesh_cp.core.license.document import read, verify
from kong_mesh_cp.core.license.fault import Fault, LicenseRejectedError
from support.licenses.license_mutations import ORIGINALS, mutated
from support.licenses.licenses import KEYRING, LICENSE_KEY, signature_of

COUNT = int(os.environ.get("KMESH_TEST_LICENSE_MUTATIONS", "100000"))
FIRST_SEED = int(os.environ.get("KMESH_TEST_SEED", "20261121"))

SIGNED_BODIES = {read(document).body for document in ORIGINALS}
SECRETS = (LICENSE_KEY[:12], *(signature_of(document)[:12] for document in ORIGINALS))


def judged(document: bytes) -> Fault | None:
    """The refusal of `document`; None if it is a license, and then one that was really signed."""
    try:
        verify(document, KEYRING)
    except LicenseRejectedError as error:
        refusal = error
    else:
        assert read(document).body in SIGNED_BODIES
        return None
    assert isinstance(refusal.fault, Fault)
    assert refusal.code == f"license-{refusal.fault.value}"
    assert refusal.hint
    assert refusal.line.isprintable()
    assert not any(secret in refusal.line for secret in SECRETS)
    return refusal.fault


def test_the_originals_are_accepted() -> None:
    assert [judged(document) for document in ORIGINALS] == [None] * len(ORIGINALS)


def test_no_mutation_of_a_license_is_accepted_unless_it_says_the_same() -> None:
    outcomes: collections.Counter[Fault | None] = collections.Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + COUNT):
        try:
            outcomes[judged(mutated(Random(seed)))] += 1
        except BaseException as error:
            error.add_note(f"reproduce with KMESH_TEST_SEED={seed} KMESH_TEST_LICENSE_MUTATIONS=1")
            raise

    assert outcomes.total() == COUNT
    if COUNT >= 10_000:
        # The generator reaches every check of a document, and also what is no damage at all.
        assert set(outcomes) >= {
            None,
            Fault.NOT_UTF8,
            Fault.NOT_JSON,
            Fault.MALFORMED,
            Fault.NEWER_FORMAT,
            Fault.BAD_SIGNATURE,
            Fault.WRONG_PRODUCT,
        }
