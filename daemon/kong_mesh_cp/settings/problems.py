"""Problems of a configuration: all of them at once, each with its location and remedy."""

from __future__ import annotations

from collections.abc import Sequence

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.formats.value_shapes import SHAPED_CHARACTERS_MAX, secret_in

PROBLEMS_MAX = 100  # a file of another kind should not fill the journal
QUOTED_CHARACTERS_MAX = 60


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
