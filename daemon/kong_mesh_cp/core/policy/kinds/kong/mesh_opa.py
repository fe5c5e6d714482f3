"""MeshOPA: what an Open Policy Agent beside each proxy decides.

Source: docs/wire/policies.md#policies-of-kong-mesh
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.policy.spec_parts.shapes import PROXIES, SPEC, top, top_warnings
from kong_mesh_cp.core.policy.target_ref import TargetRef
from kong_mesh_cp.core.resources.plugin_kind import plugin_kind
from kong_mesh_cp.core.schema.record_terms import Duration, Format, Int32, OneOf
from kong_mesh_cp.core.schema.value_checks import MUST_BE_DEFINED
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

NO_EFFECT: Final = (
    "MeshOPA is stored and has no effect: this version of the control plane starts no policy agent"
)
ONE_SOURCE: Final = "must have exactly one of inline, inlineString, secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A text from the resource itself or from a Secret."""

    inline: Annotated[str, Format("byte")] | None = None
    inline_string: str | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """How much of a request the agent sees."""

    max_size: Int32 | None = None  # bytes
    send_raw_body: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """How the proxy asks, and what it does without an answer."""

    status_on_error: Int32 | None = None
    on_agent_failure: Annotated[str, OneOf(("Allow", "Deny"))] | None = None
    request_body: RequestBody | None = None
    timeout: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegoPolicy:
    """A policy in Rego."""

    ignore_decision: bool | None = None
    rego: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    """The agent of a proxy and its policies."""

    agent_config: Source | None = None
    auth_config: AuthConfig | None = None
    append_policies: tuple[RegoPolicy, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshOPA:
    """The spec of a MeshOPA."""

    target_ref: TargetRef | None = None
    default: Conf | None = None


def _violations(spec: MeshOPA) -> Iterator[Violation]:
    yield from top(spec, (*PROXIES, "Dataplane"))
    at = SPEC.field("default")
    if spec.default is None:
        yield at.violation(MUST_BE_DEFINED)
        return
    if spec.default.agent_config is not None:
        yield from _source(spec.default.agent_config, at.field("agentConfig"))
    for index, policy in enumerate(spec.default.append_policies or ()):
        yield from _source(policy.rego, at.field("appendPolicies").index(index).field("rego"))


def _source(source: Source, at: FieldPath) -> Iterator[Violation]:
    # Two of them would be a guess which one is meant, and none an agent without a policy.
    given = (source.inline, source.inline_string, source.secret)
    if sum(each is not None for each in given) != 1:
        yield at.violation(ONE_SOURCE)


def _warnings(spec: MeshOPA) -> Iterator[str]:
    yield NO_EFFECT
    yield from top_warnings(spec)


KIND: Final = plugin_kind("MeshOPA", MeshOPA, _violations, _warnings)
