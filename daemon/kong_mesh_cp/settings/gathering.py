"""Collects values, problems and warnings layer by layer; nothing stops at the first problem."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.settings.contradictions import contradictions, remarks
from kong_mesh_cp.settings.documents import Document
from kong_mesh_cp.settings.forms import MalformedError, Secret, UnsupportedError
from kong_mesh_cp.settings.model import Settings, rows
from kong_mesh_cp.settings.names import (
    GATEWAY_VARIABLES,
    LICENSE_VARIABLES,
    VARIABLE_PREFIXES,
    is_of_kuma_dp,
    kuma_names,
    nearest_path,
    nearest_variable,
    rows_by_path,
    rows_by_variable,
    sections,
)
from kong_mesh_cp.settings.options import Row
from kong_mesh_cp.settings.problems import (
    PROBLEMS_MAX,
    Problem,
    doubtful_secret,
    quoted,
    what_it_is,
    what_to_do,
)

WORK_DIR = "general.workDir"
UNUSED_NAMES_SHOWN_MAX = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """A value and where it came from."""

    value: object
    origin: str


class Gathering:
    """One run over all layers. A value that a higher layer replaces must be right all the same."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.unused: list[str] = []  # paths of a file that Kuma knows and this version does not
        self.unknown: list[str] = []  # unknown paths of a Kuma file
        self.file: dict[str, Reading] = {}
        self.environment: dict[str, Reading] = {}
        self.flags: dict[str, Reading] = {}
        self._doubts: list[tuple[str, Reading, str]] = []  # path, what is doubtful, its line

    def winners(self) -> Mapping[str, Reading]:
        """By path; what no layer set is absent."""
        return {**self.file, **self.environment, **self.flags}

    def add_environment(self, environ: Mapping[str, str]) -> None:
        """Every variable in our and Kuma's name space. An empty one counts as not set."""
        known = rows_by_variable()
        unused: list[str] = []
        self._tell_of_the_gateway(environ)
        for name in sorted(name for name in environ if name.startswith(VARIABLE_PREFIXES)):
            if name in known:
                self._take(self.environment, known[name], environ[name], f"environment {name}")
            elif name in kuma_names().variables or is_of_kuma_dp(name):
                unused.append(name)
            else:
                hint = _did_you_mean(nearest_variable(name))
                self._warn(f"config-unknown-variable: {quoted(name)} is not a setting.{hint}")
        if unused:
            self.notes.append(
                f"config-unused: the environment sets {_names(unused)}, known, but not used"
                " by this version"
            )

    def _tell_of_the_gateway(self, environ: Mapping[str, str]) -> None:
        """Kong Gateway has a license, too: whoever sets its variables here has none in force."""
        others = [name for name in GATEWAY_VARIABLES if environ.get(name)]
        if not others:
            return
        verb = "is a variable" if len(others) == 1 else "are variables"
        ours = any(environ.get(name) for name in LICENSE_VARIABLES)
        then = "" if ours else " With no other source, the pre-bundled license is in force."
        self._warn(
            f"config-foreign-variable: {' and '.join(others)} {verb} of Kong Gateway, another"
            f" product, and not read here.{then} Set {' or '.join(LICENSE_VARIABLES)}."
        )

    def add_flags(self, arguments: Mapping[str, str | None]) -> None:
        known = {row.option.flag: row for row in rows() if row.option.flag}
        for flag, value in arguments.items():
            if value is not None:
                self._take(self.flags, known[flag], value, f"flag {flag}")

    def add_document(self, document: Document) -> None:
        self._add_table(document, document.tree, ())
        if self.unused:
            location = printable(document.path)
            self.notes.append(
                f"config-unused: {location} has {_names(self.unused)}, known, but not used"
                " by this version"
            )
        secrets = [row.path for row in rows() if row.option.secret and row.path in self.file]
        if document.is_exposed and secrets:
            location = printable(document.path)
            self._warn(
                f"config-exposed: {location} holds {_names(secrets)} and can be read by everybody."
                f" Run: chmod o-r {location}"
            )

    def settle_work_dir(self, environ: Mapping[str, str]) -> None:
        """Without a setting: systemd's StateDirectory=, else a folder in the user's home."""
        if WORK_DIR in self.winners():
            return
        row = rows_by_path()[WORK_DIR]
        # systemd joins several state directories with colons; the first one is ours.
        state, _, _ = environ.get("STATE_DIRECTORY", "").partition(":")
        home = environ.get("HOME", "")
        if state:
            self._take(self.environment, row, state, "environment STATE_DIRECTORY")
        elif home:
            self._take(self.environment, row, str(Path(home, ".kuma")), "environment HOME")
        else:
            self._problem(
                "config-no-work-dir",
                f"there is no place for state: neither {WORK_DIR}, STATE_DIRECTORY nor HOME is set",
                "Set KUMA_GENERAL_WORK_DIR to a folder that the daemon may write.",
            )

    def tell_doubts(self) -> None:
        """Of what is in force: a placeholder in a file is as it should be where a variable wins."""
        winners = self.winners()
        for path, reading, line in self._doubts:
            if winners[path] is reading:
                self._warn(line)

    def check_together(self, settings: Settings) -> None:
        """What only shows when all values are there."""
        for problem in contradictions(settings):
            self._problem(problem.code, problem.message, problem.remedy)
        for remark in remarks(settings):
            self._warn(remark.line)

    def _add_table(
        self, document: Document, table: Mapping[str, object], above: tuple[str, ...]
    ) -> None:
        for key, value in table.items():
            keys = (*above, key)
            path = ".".join(keys)
            if "." in key:  # a quoted key: `"a.b" = 1` is not the setting a.b
                self._unknown_key(document, keys)
            elif path in rows_by_path():
                self._add_value(document, keys, value)
            elif isinstance(value, Mapping) and path in sections():
                self._add_table(document, value, keys)
            elif kuma_names().knows(path):
                self.unused.append(path)
            elif path not in sections():
                self._unknown_key(document, keys)
            elif value is not None:
                message = (
                    f"{path} ({document.location_of(keys)}) is a section and cannot have a value"
                )
                self._problem("config-value", message, "Write a setting that stands below it.")

    def _add_value(self, document: Document, keys: tuple[str, ...], value: object) -> None:
        row, path = rows_by_path()[".".join(keys)], ".".join(keys)
        if row.path in self.file:
            message = f"{path} ({document.location_of(keys)}) sets {row.path} again"
            self._problem("config-duplicate", message, "Leave out one of the two.")
            return
        origin = f"file:{printable(document.path)}:{path}"
        self._take(self.file, row, value, origin, location=f"{path} ({document.location_of(keys)})")

    def _unknown_key(self, document: Document, keys: tuple[str, ...]) -> None:
        path = ".".join(keys)
        hint = _did_you_mean(nearest_path(path))
        # A line is looked for in the whole file; beyond the limit it is not reported.
        if len(self.problems) >= PROBLEMS_MAX or len(self.warnings) >= PROBLEMS_MAX:
            return
        message = f"{quoted(path)} ({document.location_of(keys)}) is not a setting"
        if document.lenient:  # as Kuma, which reads its file in the same spirit
            self.unknown.append(path)
            self._warn(f"config-unknown-key: {message}.{hint}")
        else:
            self._problem("config-unknown-key", message, hint.strip() or "Remove it.")

    def _take(
        self,
        layer: dict[str, Reading],
        row: Row,
        raw: object,
        origin: str,
        *,
        location: str | None = None,
    ) -> None:
        if raw is None or raw == "":
            return
        name = location or origin.partition(" ")[2]
        form = row.option.form
        try:
            value = form.read(raw)
        except MalformedError as error:
            message = f"{name} {what_it_is(raw, row)}{error}"
            remedy = error.remedy or what_to_do(raw, row)
            self._problem("config-value", message, remedy)
        except UnsupportedError as error:
            is_ = what_it_is(raw, row)
            self._problem("config-unsupported", f"{name} {is_}{error.reason}", error.remedy)
        else:
            layer[row.path] = Reading(value, origin)
            self._remark_on(name, row, raw, layer[row.path])

    def _remark_on(self, name: str, row: Row, raw: object, reading: Reading) -> None:
        deprecated = row.option.form.deprecated
        if isinstance(raw, str) and raw in deprecated:
            instead = deprecated[raw]
            self._warn(f"config-deprecated: {name} is {quoted(raw)}; write {quoted(instead)}")
        # Of the license, its own reader says more.
        if isinstance(reading.value, Secret) and not row.path.startswith("license."):
            doubt = doubtful_secret(reading.value)
            if doubt is not None:
                line = f"config-doubtful: {name} {doubt}. If that is not meant, correct it."
                self._doubts.append((row.path, reading, line))

    def _problem(self, code: str, message: str, remedy: str) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(code, message, remedy))

    def _warn(self, line: str) -> None:
        if len(self.warnings) < PROBLEMS_MAX:
            self.warnings.append(line)


def _did_you_mean(name: str | None) -> str:
    return f" Did you mean {name}?" if name else ""


def _names(paths: list[str]) -> str:
    some = ", ".join(quoted(path) for path in paths[:UNUSED_NAMES_SHOWN_MAX])
    others = len(paths) - UNUSED_NAMES_SHOWN_MAX
    return f"{some} and {others} more" if others > 0 else some
