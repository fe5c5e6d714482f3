"""Requests made of the API's own document, and what must hold of every answer to them.

Used by tests/system/test_schema_fuzzer.py and, for longer runs, by scripts/fuzz-api. What is sent
depends on the seed alone, and on what the document says.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from support.specs.sound_resources import SOUND, damaged
from support.suites.patience import HANG_SECONDS

CHECKS = (status_code_conformance, content_type_conformance, response_schema_conformance)
DOCUMENT = "/api-docs/openapi.json"
NOT_READ = "/revocations/{token}"  # what is put there is shown by no GET
SECONDS_MAX = HANG_SECONDS  # for one answer
FAULTS = frozenset(range(500, 600))
MADE_MESHES = ("default", "m1", "m-2.x")

# Few, so that writes meet; some of them are no names, and some only look like a path.
MESHES = st.sampled_from([*MADE_MESHES * 4, "none", "M_", "a/b"])
NAMES = st.sampled_from(
    [*["a", "b", "c.d", "sound", "1", "x" * 63] * 2, "x" * 254, "A", "a/b", "a%2Fb", "é"]
)
FITTING = st.sampled_from([True] * 7 + [False])  # whether the body names what the path names


@dataclass
class Report:
    """What came of a run."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)  # each with its request as a curl command

    def __str__(self) -> str:
        counted = ", ".join(f"{status}: {n}" for status, n in sorted(self.statuses.items()))
        return f"{self.requests} requests, {len(self.failures)} failures ({counted})"


class SchemaFuzzer:
    """Asks one control plane, as its administrator: `address` is on loopback."""

    def __init__(self, address: str, *, seed_: int) -> None:
        self.report = Report()
        self._address = address
        self._seed = seed_
        self._session = requests.Session()

    def run(self, count: int) -> None:
        """Send about `count` requests, more writes than others; a write comes with two reads."""
        self._make_sound()
        schema = schemathesis.openapi.from_dict(self._ask("GET", DOCUMENT).json())
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        share = count / sum(_weight(each) * _sent(each) for each in operations)
        for number, operation in enumerate(operations):
            strategies = list(_strategies(operation))
            parts = sum(part for part, _ in strategies)
            for part, cases in strategies:
                examples = max(1, round(share * _weight(operation) * part / parts))
                self._send(cases, examples, self._seed + number)

    def unreadable(self) -> Iterator[str]:
        """What of all that is stored cannot be read, shown for Kubernetes, or put as it is shown."""
        for row in TYPES.values():
            if not row.path or row.virtual or row.name not in SOUND:
                continue
            for item in self._listed(row):
                path = _path(row, item["name"], item.get("mesh", ""))
                read = self._ask("GET", path)
                if read.json() != item:
                    yield f"GET {path}: listed {item}, read {read.text}"
                if self._ask("GET", f"{path}?format=k8s").status_code != 200:
                    yield f"GET {path}?format=k8s"
                if self._is_no_member(row, item):
                    continue
                put = self._ask("PUT", path, item)
                if put.status_code != 200:
                    yield f"PUT {path} {put.status_code} {put.text}: {item}"
                again = self._ask("GET", path).json()
                # What a control plane makes by itself gets its labels with the first write
                # (docs/wire/resource-api.md#labels).
                kept = {**again.get("labels", {}), **item.get("labels", {})}
                expected = {**item, "modificationTime": again["modificationTime"], "labels": kept}
                if expected != {"labels": {}, **again}:
                    yield f"PUT {path} made {again} of {item}"

    def _make_sound(self) -> None:
        for mesh in MADE_MESHES:
            answer = self._ask("PUT", f"/meshes/{mesh}", {"type": "Mesh", "name": mesh})
            assert answer.status_code in {200, 201}, answer.text
        for name, body in SOUND.items():
            row = TYPES[name]
            mesh = "default" if row.is_mesh_scoped else ""
            meta = {"type": name, "name": "sound", **({"mesh": mesh} if mesh else {})}
            answer = self._ask("PUT", _path(row, "sound", mesh), {**meta, **body})
            assert answer.status_code in {200, 201}, f"{name}: {answer.text}"

    def _send(self, cases: st.SearchStrategy[Any], examples: int, seed_: int) -> None:
        @seed(seed_)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, mesh=MESHES, name=NAMES, fits=FITTING)
        def send(case: Any, mesh: str, name: str, fits: bool) -> None:
            _aim(case, mesh, name, fits=fits)
            if case.method == "PUT" and not case.path.endswith(NOT_READ):
                self._write(case)
            else:
                self._call(case)

        with contextlib.suppress(Unsatisfiable):  # what takes nothing can only be asked rightly
            send()

    def _write(self, case: Any) -> None:
        """A write that is refused leaves what is there, and what is there can be shown."""
        url = case.as_transport_kwargs(self._address)["url"]
        before = self._read(case, url)
        answer = self._call(case)
        after = self._read(case, url)
        if answer.status_code not in {200, 201} and after != before:
            told = f"a refused write has changed {before} to {after}"
            self.report.failures.append(f"{told}\n{case.as_curl_command()}")

    def _read(self, case: Any, url: str) -> str:
        response = self._session.get(url, timeout=SECONDS_MAX)
        self._count(response)
        if response.status_code not in {200, 404}:
            told = f"{response.status_code} for GET {url}, around a write: {response.text}"
            self.report.failures.append(f"{told}\n{case.as_curl_command()}")
        return str(response.text)

    def _call(self, case: Any) -> Any:
        response = case.call(self._address, self._session, timeout=SECONDS_MAX)
        self._count(response)
        if response.status_code in FAULTS and not self._is_no_member_case(case):
            told = f"{response.status_code} {response.text}\n{case.as_curl_command()}"
            self.report.failures.append(told)
        elif response.status_code != 400 or response.content:
            # A request for a token that cannot be read is refused without a word
            # (docs/wire/tokens.md#issuing).
            try:
                case.validate_response(response, checks=CHECKS)
            except FailureGroup as failure:
                self.report.failures.append(str(failure))
        return response

    def _count(self, response: Any) -> None:
        self.report.requests += 1
        self.report.statuses[response.status_code] += 1

    def _is_no_member_case(self, case: Any) -> bool:
        body = case.body if isinstance(case.body, dict) else {}
        of_dataplane = case.operation.path == "/meshes/{mesh}/dataplanes/{name}"
        return of_dataplane and self._is_no_member(TYPES["Dataplane"], body)

    def _is_no_member(self, row: ResourceType, item: Any) -> bool:
        """Whether a mesh asks something of its proxies: a refusal of these is 500.

        Source: docs/wire/errors.md#conditions
        """
        if row.name != "Dataplane":
            return False
        mesh = self._ask("GET", f"/meshes/{item.get('mesh')}").json()
        return "constraints" in mesh

    def _listed(self, row: ResourceType) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        while True:
            page = self._ask("GET", f"/{row.path}?offset={len(items)}").json()
            items.extend(page["items"])
            if page["next"] is None:
                return items

    def _ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        url = f"{self._address}{path}"
        return self._session.request(method, url, json=body, timeout=SECONDS_MAX)


def _path(row: ResourceType, name: str, mesh: str) -> str:
    return f"/meshes/{mesh}/{row.path}/{name}" if mesh else f"/{row.path}/{name}"


def _weight(operation: Any) -> int:
    return {"put": 5, "post": 4, "delete": 1}.get(operation.method.lower(), 2)


def _sent(operation: Any) -> int:
    """How many requests there are for one of its examples."""
    return 3 if operation.method.lower() == "put" else 1


def _strategies(operation: Any) -> Iterator[tuple[int, st.SearchStrategy[Any]]]:
    """Requests that fit the document, that do not, and sound resources with a part of them bad.

    Each with its share: the last are the cheapest to make, and the ones that get farthest.
    """
    yield 1, operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    yield 1, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    name = operation.tags[0]
    if operation.method.lower() == "put" and name in SOUND:
        sound = {"type": name, "mesh": "default", "name": "a", "labels": {"a": "b"}, **SOUND[name]}
        yield 3, damaged(sound).map(lambda body: operation.Case(path_parameters={}, body=body))


def _aim(case: Any, mesh: str, name: str, *, fits: bool) -> None:
    """Let the request meet what others have written."""
    for parameter, value in (("mesh", mesh), ("name", name)):
        if f"{{{parameter}}}" in case.operation.path:
            case.path_parameters = {**(case.path_parameters or {}), parameter: value}
            if fits and isinstance(case.body, dict) and parameter in case.body:
                case.body[parameter] = value
