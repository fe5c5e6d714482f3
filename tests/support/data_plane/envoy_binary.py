"""Where the real Envoy is, for the tests that have it judge what it is sent.

It is where `scripts/setup-envoy` puts it, or wherever `KMESH_TEST_ENVOY` says.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

_CHECKOUT: Final = Path(__file__).parents[3]
_IN_ENVIRONMENT: Final = ".venv-envoy/lib/python3*/site-packages/envoy/_bin/envoy"


def envoy_binary() -> Path:
    """The binary. Skips the test where there is none."""
    named = os.environ.get("KMESH_TEST_ENVOY")
    found = [Path(named)] if named else sorted(_CHECKOUT.glob(_IN_ENVIRONMENT))
    if not found:
        pytest.skip("there is no Envoy: scripts/setup-envoy installs it")
    return found[-1]
