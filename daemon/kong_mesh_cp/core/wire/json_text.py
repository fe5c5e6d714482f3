"""JSON as Kuma's API prints it."""

from __future__ import annotations

import json


def json_text(document: object) -> bytes:
    """`document` indented by one space, `<`, `>`, `&` and non-ASCII as they are, and a newline.

    Keys keep their order. Raises: TypeError or ValueError for what is not JSON (NaN included).
    """
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"
