"""How text from outside stands in a message: bounded, on one line, without surprises."""

from __future__ import annotations

QUOTED_CHARACTERS_MAX = 40
NAME_CHARACTERS_MAX = 64


def quoted(text: str) -> str:
    """`text` between quotes, in ASCII with escapes; for values that were found wrong.

    Never call it on a license key, a signature or a whole document.
    """
    if len(text) > QUOTED_CHARACTERS_MAX:
        return f"{text[:QUOTED_CHARACTERS_MAX]!a}…"
    return ascii(text)


def plain(text: str) -> str:
    """`text` as it is when every character of it can be seen; for names that were found right."""
    shown = text if len(text) <= NAME_CHARACTERS_MAX else f"{text[:NAME_CHARACTERS_MAX]}…"
    return shown if shown.isprintable() else ascii(shown)
