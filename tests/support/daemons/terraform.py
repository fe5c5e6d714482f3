"""Resources over HTTP as the Terraform provider of Kong Mesh handles them.

Source: docs/wire/clients.md#terraform-provider
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.daemons.daemon import Daemon

Json = dict[str, Any]

# What the provider leaves out of every comparison; any other unexpected label is a difference.
LABELS_IGNORED = {
    "k8s.kuma.io/namespace",
    "kuma.io/env",
    "kuma.io/mesh",
    "kuma.io/origin",
    "kuma.io/policy-role",
    "kuma.io/proxy-type",
    "kuma.io/zone",
}
COMPUTED = {"creationTime", "modificationTime"}
READ = {"Accept": "application/json;q=1, application/problem+json;q=0"}
WRITE = {"Accept": "application/json", "Content-Type": "application/json"}


@dataclass(frozen=True)
class Provider:
    daemon: Daemon
    headers: Mapping[str, str] = field(default_factory=dict)

    def create(self, path: str, body: Json) -> Json:
        """Plan, which wants nothing there, and apply; what is then read."""
        assert self.daemon.api("GET", path, {**READ, **self.headers}).status == 404
        return self._write(path, body, 201)

    def update(self, path: str, body: Json) -> Json:
        return self._write(path, body, 200)

    def _write(self, path: str, body: Json, status: int) -> Json:
        if path.count("/") == 2 and path.startswith("/meshes/"):
            body = {"skipCreatingInitialPolicies": ["*"], **body}
        sent = json.dumps(body).encode()
        answer = self.daemon.api("PUT", path, {**WRITE, **self.headers}, sent)
        assert answer.status == status, answer
        self._is_json(answer.headers)
        assert answer.json.keys() <= {"warnings"}
        return self.planned_empty(path, body)

    def planned_empty(self, path: str, body: Json) -> Json:
        """What is read holds what was written, and no label more."""
        answer = self.daemon.api("GET", path, {**READ, **self.headers})
        assert answer.status == 200, answer
        self._is_json(answer.headers)
        shown: Json = answer.json
        labels = {
            key: value
            for key, value in shown.get("labels", {}).items()
            if key not in LABELS_IGNORED
        }
        assert labels == body.get("labels", {})
        left = {key: value for key, value in shown.items() if key not in {"labels", *COMPUTED}}
        assert _without_nothing(left) == _without_nothing({**body, "labels": {}})
        return shown

    def delete(self, path: str) -> None:
        answer = self.daemon.api("DELETE", path, {**READ, **self.headers})
        assert answer.status == 200, answer
        self._is_json(answer.headers)
        assert answer.json == {}

    @staticmethod
    def _is_json(headers: Mapping[str, str]) -> None:
        assert headers["Content-Type"].startswith("application/json")


def _without_nothing(value: Any) -> Any:
    """Empty lists and objects are the same as none to the provider."""
    if isinstance(value, list):
        return [_without_nothing(each) for each in value]
    if isinstance(value, dict):
        kept = {key: _without_nothing(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in ({}, [], None)}
    return value
