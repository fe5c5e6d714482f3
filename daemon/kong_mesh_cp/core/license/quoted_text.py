"""How text from outside stands in a message: bounded, on one line, without surprises."""

from __future__ import annotations

QUOTED_CHARACTERS_MAX = 24
NAME_CHARACTERS_MAX = 64


def quoted(text: str) -> str:
    """`text` between quotes, in ASCII with escapes; for values that were found wrong.

    What is longer is described instead: it may be a license key that slipped into the wrong field.
    Never call it on what is a license key, a signature or a document.
    """
    if len(text) > QUOTED_CHARACTERS_MAX:
        return f"a text of {len(text)} characters"
    return ascii(text)


def plain(text: str) -> str:
    """`text` as it is when every character of it can be seen; for names that were found right."""
    shown = text if len(text) <= NAME_CHARACTERS_MAX else f"{text[:NAME_CHARACTERS_MAX]}…"
    return shown if shown.isprintable() else ascii(shown)
