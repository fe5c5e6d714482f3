"""The API's own document against the running daemon, by requests that it leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.daemons.fuzzed_daemon import fuzzed

pytestmark = pytest.mark.system

SEED = 20261128  # another one and more requests: scripts/fuzz-api
REQUESTS = 2_800  # of each store, about
REQUESTS_MIN = 2_500  # both together are the 5,000 of the promise


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_no_request_is_answered_with_a_server_error_or_beside_the_document(
    store: str, tmp_path: Path
) -> None:
    report = fuzzed(tmp_path, store=store, count=REQUESTS, seed=SEED)

    assert not report.failures, "\n\n".join(report.failures)
    assert report.requests >= REQUESTS_MIN, report
    assert report.statuses[201] + report.statuses[200] > REQUESTS // 10, report
