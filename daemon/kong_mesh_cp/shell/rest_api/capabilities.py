"""What clients may ask of writes beyond what Kuma knows.

A client that does not see the word in the index must not send it: Kuma would write.

Source: docs/wire/resource-api.md#dry-run
"""

from __future__ import annotations

from typing import Final

DRY_RUN: Final = "dryRun"
STRICT: Final = "strict"
PREVIEW: Final = "preview"  # not of a write, but a request of its own
CAPABILITIES: Final = (DRY_RUN, PREVIEW, STRICT)
