"""Problems of a configuration: all of them at once, each with its location and remedy.

No value that is refused is repeated: any of them may be a secret that stands in the wrong place.
Only numbers, times and words that are nearly one of those that go are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.formats.value_shapes import (
    SHAPED_CHARACTERS_MAX,
    has_blank_ends,
    is_kubernetes_manifest,
    is_pem,
    is_quoted,
    is_url,
    secret_in,
    unexpanded,
)
from kong_mesh_cp.core.lazy_import import lazy_import

if TYPE_CHECKING:
    import difflib

    from kong_mesh_cp.settings.forms import Secret
    from kong_mesh_cp.settings.options import Row
else:  # only a refused value needs it
    difflib = lazy_import("difflib")

PROBLEMS_MAX = 100  # a file of another kind should not fill the journal
QUOTED_CHARACTERS_MAX = 60
INTEGER_SHOWN_MAX: Final = 10**7  # what has more digits may be a pass code
WORD_CHARACTERS_MAX: Final = 40
NEAR_WORD_MIN: Final = 0.7  # difflib's ratio

_MEASURE: Final = re.compile(
    r"[+-]?[0-9]{1,7}(?:\.[0-9]{1,7})?\s?(?:[kKMG]i?B?|B|[nuµm]?s|min|[mhdwy]|%|)", re.ASCII
)
_SWITCHES: Final = frozenset(
    {"yes", "no", "on", "off", "y", "n", "enabled", "disabled", "none", "null", "nil", "auto"}
)
_WITH_PORT: Final = re.compile(r"[^\s/@:]+:[0-9]{1,5}|\[[^\s\]]+\](?::[0-9]{1,5})?", re.ASCII)
_POSTGRES: Final = ("store.postgres.", "store.type")
_POSTGRES_PARTS: Final = (
    "Each part has a setting of its own: KUMA_STORE_POSTGRES_HOST, _PORT, _USER, _DB_NAME and"
    " _TLS_MODE; the password belongs into KMESH_STORE_POSTGRES_PASSWORD_FILE or"
    " KUMA_STORE_POSTGRES_PASSWORD"
)
CORRECT: Final = "Correct it or remove it."


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong. `message` names the place, has no final full stop and holds no secret."""

    code: str
    message: str
    remedy: str

    @property
    def line(self) -> str:
        return f"{self.code}: {self.message}. {self.remedy}"


class SettingsRejectedError(ConfigurationError):
    """The configuration cannot be used. One line names the first problem and counts the rest.

    `remarks` are the warnings of the same reading: one of them may explain the problem.
    """

    def __init__(self, problems: Sequence[Problem], remarks: Sequence[str] = ()) -> None:
        first, others = problems[0], len(problems) - 1
        more = f" (and {others} more: kong-mesh-cp config check lists them)" if others else ""
        super().__init__(f"{first.message}{more}", code=first.code, hint=first.remedy)
        self.problems = tuple(problems)
        self.remarks = tuple(remarks)


def quoted(text: str) -> str:
    """A name quoted for one line of a log: control characters escaped, length bounded.

    What looks like a secret in the place of a name is only counted.
    """
    if len(text) <= SHAPED_CHARACTERS_MAX and secret_in(text) is not None:
        return f"a name of {len(text)} characters"
    if len(text) <= QUOTED_CHARACTERS_MAX:
        return repr(text)
    return f"{text[:QUOTED_CHARACTERS_MAX]!r}…"


def what_it_is(raw: object, row: Row) -> str:
    """`is 'abc': ` where `raw` can be shown on a line, `is a text of 3 characters, not shown: `."""
    if row.option.secret:
        return ""
    match raw:
        case bool():
            return f"is {str(raw).lower()}: "
        case int() if abs(raw) < INTEGER_SHOWN_MAX:
            return f"is {raw}: "
        case str() if _is_harmless(raw, row.option.form.words):
            return f"is {raw!r}: "
        case str():
            what = "a URL" if is_url(raw) else f"a text of {len(raw)} characters"
            return f"is {what}, not shown: "
        case _:
            return ""


def what_to_do(raw: object, row: Row) -> str:
    """A sentence, or more, that ends in a full stop."""
    if not isinstance(raw, str):
        return CORRECT
    if row.option.secret:
        return CORRECT
    text, postgres = raw, row.path.startswith(_POSTGRES)
    if has_blank_ends(text):
        return "There is a blank or a line break at an end of it: remove it."
    if is_quoted(text):
        return "Remove the quotes: they have become a part of it."
    if (what := unexpanded(text)) is not None:
        return f"It holds {what}, which nothing expands here: write it out."
    if is_kubernetes_manifest(text):
        return "This is a manifest of Kubernetes: write what it holds, in its place."
    if is_pem(text):
        return (
            "This is a key or a certificate itself: write it to a file, and the file's path here."
        )
    if is_url(text) or (postgres and ("=" in text or "@" in text or ":" in text)):
        if postgres:
            return f"{_POSTGRES_PARTS}."
        return "This is a URL: write the part of it that is asked for."
    if _WITH_PORT.fullmatch(text):
        return "Write it without a port, which has a setting of its own, and without brackets."
    if " #" in text:
        return "What is behind the # has become a part of it: put the remark on a line of its own."
    if row.option.form.is_path and "/" not in text:
        return "Write a path with a slash; if it is a secret, write it to a file."
    near = nearest_word(text, row.option.form.words)
    return f"Did you mean {near}?" if near else CORRECT


def doubtful_secret(secret: Secret) -> str | None:
    """What a secret looks like that was hardly meant so; it may be right all the same."""
    text = secret.reveal()
    if (what := unexpanded(text)) is not None and _is_only_an_expression(text):
        return f"holds {what}, which nothing expands here: write it out"
    if is_kubernetes_manifest(text):
        return "is a whole manifest of Kubernetes: write what it holds"
    if is_quoted(text):
        return "is between quotes, which count as a part of it"
    if has_blank_ends(text):
        return "has a blank or a line break at an end, which counts as a part of it"
    if is_url(text):
        return "is a URL: write the password alone"
    return None


def nearest_word(text: str, words: Sequence[str]) -> str | None:
    """The one of `words` that `text` was probably meant to be."""
    if len(text) > WORD_CHARACTERS_MAX or not words:
        return None
    by_folded = {word.casefold(): word for word in words}
    found = difflib.get_close_matches(text.casefold(), by_folded, n=1, cutoff=NEAR_WORD_MIN)
    return by_folded[found[0]] if found else None


def _is_harmless(text: str, words: Sequence[str]) -> bool:
    if len(text) > WORD_CHARACTERS_MAX or not text.isprintable():
        return False
    if text.casefold() in _SWITCHES or _MEASURE.fullmatch(text):
        return True
    return nearest_word(text, words) is not None


def _is_only_an_expression(text: str) -> bool:
    # A password may well hold a $ somewhere.
    return text.startswith(("$", "{{", "`", "<", "@", "__", "%"))
