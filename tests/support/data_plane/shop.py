"""A shop of real Envoys: `web` calls `backend`, of one instance, and `pool`, of two.

What its applications answer is scripted, so that what policies do is seen in traffic.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.resources.registry import TYPES
from support.daemons.daemon import Answer, eventually
from support.data_plane.applications import Place, ask
from support.data_plane.envoy_stage import Proxy, Stage, answers, staged
from support.data_plane.real_envoy import Envoy
from support.data_plane.scripted_application import Script, scripted

ATTEMPTS: Final = 20  # in a row, with two endpoints: the other one would have been chosen


@dataclass
class Shop:
    """Proxies and the scripts of their applications by name: web-1, backend-1, pool-1, pool-2."""

    stage: Stage
    proxies: Mapping[str, Proxy]
    scripts: Mapping[str, Script]

    @property
    def web(self) -> Proxy:
        return self.proxies["web-1"]

    @property
    def backend(self) -> Proxy:
        return self.proxies["backend-1"]

    def place(self, service: str) -> Place:
        """Where the application of web calls it."""
        return self.web.outbound(service)

    def ask(self, path: str = "/", service: str = "backend") -> Answer:
        """As the application of web does."""
        return ask(self.place(service), path)

    def headers(self, path: str = "/", service: str = "backend") -> Mapping[str, str]:
        """What the application that was called heard."""
        heard = self.ask(path, service).json.get("headers", {})
        assert isinstance(heard, dict)
        return heard

    def answered_by(self, service: str = "pool") -> set[str]:
        """Who answers several times in a row; failures are left out."""
        found = [self.ask(service=service) for _ in range(ATTEMPTS)]
        return {str(each.json["application"]) for each in found if each.status == 200}

    @contextlib.contextmanager
    def policy(self, kind: str, about: str, **lists: object) -> Iterator[str]:
        """A policy about the proxies of a service, more exact than those of the mesh: its name.

        `from_` stands for the member `from`. It is gone in the end.
        """
        name = f"{kind.lower()}-{about}"
        tags = {"kuma.io/service": about}
        target = {"kind": "MeshSubset", "proxyTypes": ["Sidecar"], "tags": tags}
        spec = {"targetRef": target, **{key.rstrip("_"): value for key, value in lists.items()}}
        path = f"/meshes/default/{TYPES[kind].path}/{name}"
        document = {"type": kind, "mesh": "default", "name": name, "spec": spec}
        self.stage.put(path, document)
        try:
            yield name
        finally:
            self.stage.delete(path)

    def web_has(self, text: str) -> None:
        """Wait until `text` is somewhere in what the Envoy of web was told."""
        eventually(f"web has {text}", lambda: text in str(list(self.web.envoy.dump())))

    def no_envoy_refuses_anything(self) -> bool:
        return all(each.envoy.rejected() == [] for each in self.proxies.values())

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """As it was, in the end: well, without what was told inside; no Envoy has refused it."""
        before = self.told()
        yield
        for script in self.scripts.values():
            script.well, script.broken = True, False
        eventually("its policies are gone", lambda: self.told() == before)
        assert self.no_envoy_refuses_anything()

    def told(self) -> Mapping[str, list[str]]:
        """The clusters and listeners of each proxy."""
        return {name: sorted(_told(each.envoy)) for name, each in self.proxies.items()}


def _told(envoy: Envoy) -> Iterator[str]:
    for kind, item in envoy.dump():
        if kind == "dynamic_active_clusters":
            yield json.dumps(item["cluster"], sort_keys=True)
        elif kind == "dynamic_listeners" and "active_state" in item:
            yield json.dumps(item["active_state"]["listener"], sort_keys=True)


def to(service: str, **conf: object) -> list[dict[str, object]]:
    """The member `to` of a policy, about one service."""
    return [{"targetRef": {"kind": "MeshService", "name": service}, "default": conf}]


def to_rules(service: str, *rules: object) -> list[dict[str, object]]:
    """The member `to` of a MeshHTTPRoute."""
    return [{"targetRef": {"kind": "MeshService", "name": service}, "rules": list(rules)}]


def by_mesh(**conf: object) -> list[dict[str, object]]:
    """The member `from` of a policy, about everybody."""
    return [{"targetRef": {"kind": "Mesh"}, "default": conf}]


def by_service(service: str, **conf: object) -> list[dict[str, object]]:
    """The member `from` of a policy, about callers of one service."""
    client = {"kind": "MeshSubset", "tags": {"kuma.io/service": service}}
    return [{"targetRef": client, "default": conf}]


@contextlib.contextmanager
def shop(folder: Path) -> Iterator[Shop]:
    """All of it answers."""
    with staged(folder) as stage, contextlib.ExitStack() as applications:
        made = [
            stage.proxy("backend-1", "backend"),
            stage.proxy("pool-1", "pool", tags={"version": "v1"}),
            stage.proxy("pool-2", "pool", tags={"version": "v2"}),
            stage.proxy("web-1", "web", to=("backend", "pool")),
        ]
        scripts = {each.name: Script(each.name) for each in made}
        for proxy in made:
            applications.enter_context(scripted(scripts[proxy.name], proxy.behind))
            stage.start(proxy, serves=False)
        found = Shop(stage, {each.name: each for each in made}, scripts)
        eventually("backend answers", lambda: answers(found.place("backend")))
        eventually("the pool answers", lambda: len(found.answered_by()) == 2)
        yield found
