"""What the admission socket says: first lines, events, lists, problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from json import JSONEncoder
from json.encoder import encode_basestring as _quote
from typing import NamedTuple

from kong_mesh_cp.core.admission.attestation import (
    AttestedPeer,
    InUnit,
    NoUnit,
    UnitSight,
    UnitUnseen,
)
from kong_mesh_cp.core.admission.decision import RefusalCode, Refused, RuleReport
from kong_mesh_cp.core.admission.doors import Door, ProxyPeer, SeatPeer
from kong_mesh_cp.core.admission.ledger import Holder
from kong_mesh_cp.core.admission.request import Tags
from kong_mesh_cp.core.admission.seats import ProxyKind, SeatId
from kong_mesh_cp.core.license.term import instant
from kong_mesh_cp.core.meshes.membership import Breach
from kong_mesh_cp.core.schema.violations import Violation

PROBLEM_CONTENT_TYPE = "application/problem+json"

REASON_CHARACTERS_MAX = 1024  # of what a proxy has said: Envoy quotes whole resources

# One encoder for all: json.dumps with options builds a new one on each call.
_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_PLACES: Mapping[Door, str] = {Door.SOCKET: "peer", Door.STREAM: "stream"}

_STATUS_AND_TITLE: Mapping[RefusalCode, tuple[int, str]] = {
    RefusalCode.MALFORMED_REQUEST: (400, "The request is malformed"),
    RefusalCode.INVALID_DATAPLANE: (400, "The Dataplane is not valid"),
    RefusalCode.LICENSE_LIMIT: (403, "The license allows no further data plane proxy"),
    RefusalCode.MESH_CONSTRAINT: (403, "The mesh does not accept this proxy"),
    RefusalCode.MESH_QUOTA: (403, "The mesh may have no further data plane proxy"),
    RefusalCode.IDENTITY: (403, "This process may not join under this name"),
    RefusalCode.GLOBAL_CONTROL_PLANE: (403, "No proxy joins a global control plane"),
    RefusalCode.MESH_NOT_FOUND: (404, "The mesh does not exist"),
    RefusalCode.ALREADY_JOINED: (409, "A proxy of this name has already joined"),
    RefusalCode.DATAPLANE_MISMATCH: (409, "The stored Dataplane says otherwise"),
    RefusalCode.DATAPLANE_STORED: (409, "The Dataplane of this name is somebody else's"),
    RefusalCode.TOO_LARGE: (413, "The request is too large"),
    RefusalCode.TOO_SLOW: (408, "The request took too long to arrive"),
    RefusalCode.RATE_LIMITED: (429, "Too many requests"),
    RefusalCode.BUSY: (503, "Not possible right now"),
}


class StreamRefusal(NamedTuple):
    """A part of its configuration that a proxy has not taken, and has not been given better."""

    type: str  # of Envoy's resources: Cluster, Listener …
    reason: str  # in the proxy's words


def status_of(code: RefusalCode) -> int:
    """The HTTP status that a refusal is sent with."""
    return _STATUS_AND_TITLE[code][0]


def license_text(facts: Mapping[str, object], warnings: Iterable[tuple[str, str]]) -> str:
    """The part of a first line that is the same for every proxy at one moment."""
    listed = [_warning(*each) for each in warnings]
    return f'"license":{_encode(facts)},"warnings":{_encode(listed)}'


def _warning(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


def admitted_line(
    seat: SeatId,
    kind: ProxyKind,
    *,
    license_text: str,
    tags: Tags,
    token: str = "",
    warnings: Sequence[tuple[str, str]] = (),
) -> bytes:
    """The first line of an admission. `tags` are those the control plane put on the proxy.

    `warnings` (code, message) come after those of the license.
    """
    added = f',"tags":{_encode(tags)}' if tags else ""
    if token:
        added += f',"token":"{token}"'
    if warnings:
        more = _encode([_warning(*each) for each in warnings])[1:]
        none_before = license_text.endswith("[]")
        license_text = f"{license_text[:-1]}{'' if none_before else ','}{more}"
    # Put together by hand: every decision needs it, and the encoder takes four times as long.
    line = f'{{"decision":"admitted","seat":{_seat_text(seat, kind)},{license_text}{added}}}\n'
    return line.encode()


def seat_ended(
    code: str, reason: str, hint: str = "Ask for a seat again: it is decided anew."
) -> Mapping[str, object]:
    """The last event of a held connection."""
    return {"event": "seat-ended", "code": code, "reason": reason, "hint": hint}


def event_line(event: Mapping[str, object]) -> bytes:
    """One later line on a held connection: `{"event":"license-warning","code":…}`."""
    return _encode(event).encode() + b"\n"


def nothing_refused(_seat: SeatId) -> StreamRefusal | None:
    """Where nobody is configured over a stream."""
    return None


def seat_list(
    holders: Iterable[Holder],
    refused: Callable[[SeatId], StreamRefusal | None] = nothing_refused,
) -> bytes:
    """Who holds seats, by zone, mesh and name; a seat that is held through both doors once.

    `refused`: what the proxy of a seat does not take of its configuration.
    """
    held: dict[SeatId, dict[Door, Holder]] = {}
    for holder in holders:
        held.setdefault(holder.record.seat, {})[holder.door] = holder
    items = ",".join(_holders_text(held[seat], refused(seat)) for seat in sorted(held))
    return f'{{"total":{len(held)},"items":[{items}]}}\n'.encode()


def problem(refused: Refused) -> bytes:
    """A refusal as a problem document."""
    status, title = _STATUS_AND_TITLE[refused.code]
    extras: dict[str, object] = {}
    if refused.violations:
        extras["invalid_parameters"] = [
            {"field": violation.field, "reason": violation.message}
            for violation in refused.violations
        ]
    if refused.rules:
        extras["rules"] = [_rule(report) for report in refused.rules]
    if refused.code is RefusalCode.MESH_NOT_FOUND:
        extras["meshes"] = list(refused.meshes)
    if refused.breach is not None:
        extras["constraint"] = _constraint(refused.breach)
    if refused.retry_after_seconds is not None:
        extras["retryAfterSeconds"] = refused.retry_after_seconds
    return problem_document(
        status, title, code=refused.code, reason=refused.reason, hint=refused.hint, extras=extras
    )


def problem_document(
    status: int,
    title: str,
    *,
    code: str,
    reason: str,
    hint: str,
    extras: Mapping[str, object] | None = None,
) -> bytes:
    """`type`, `title`, `status`, `detail`, `code`, `reason`, `hint` and what else is evidence."""
    document: dict[str, object] = {
        "type": f"urn:kong-mesh-cp:admission:{code}",
        "title": title,
        "status": status,
        "detail": f"{reason}. {hint}",
        "code": code,
        "reason": reason,
        "hint": hint,
    }
    document.update(extras or {})
    return _encode(document).encode() + b"\n"


def violations_text(violations: Iterable[Violation]) -> str:
    """All violations in one phrase, for people: `name: cannot be empty; tags: …`."""
    return "; ".join(
        f"{violation.field}: {violation.message}" if violation.field else violation.message
        for violation in violations
    )


def _seat_text(seat: SeatId, kind: ProxyKind) -> str:
    return (
        f'{{"zone":{_quote(seat.zone)},"mesh":{_quote(seat.mesh)},"name":{_quote(seat.name)},'
        f'"kind":"{kind.value}","counted":{"true" if kind.counted else "false"}}}'
    )


def _holders_text(held: Mapping[Door, Holder], refused: StreamRefusal | None) -> str:
    """Of one seat: `peer` is the process on the socket, `stream` the proxy that is configured."""
    first = next(held[door] for door in Door if door in held)
    shown = "".join(f'"{_PLACES[door]}":{_peer_text(held[door].peer, refused)},' for door in held)
    seat = _seat_text(first.record.seat, first.record.kind)
    return f'{{"seat":{seat},{shown}"since":"{instant(first.record.since)}"}}'


def _peer_text(peer: SeatPeer, refused: StreamRefusal | None) -> str:
    match peer:
        case ProxyPeer(address):
            shown: dict[str, object] = {"address": address}
            if refused is not None:
                reason = refused.reason[:REASON_CHARACTERS_MAX]
                shown["lastRefusal"] = {"type": refused.type, "reason": reason}
            return _encode(shown)
        case AttestedPeer():
            return _encode({"uid": peer.uid, "pid": peer.pid, "unit": _unit(peer.unit)})


def _unit(sight: UnitSight) -> str | None:
    """The unit, `none` where there is none, null where it cannot be seen."""
    match sight:
        case InUnit(name):
            return name
        case NoUnit():
            return "none"
        case UnitUnseen():
            return None


def _constraint(breach: Breach) -> dict[str, object]:
    return {
        "field": breach.field,
        "tags": [dict(rule) for rule in breach.rules],
        "found": dict(breach.found),
    }


def _rule(report: RuleReport) -> dict[str, object]:
    return {
        "rule": report.rule,
        "selectors": [
            {
                "selector": selector.selector,
                "wanted": selector.wanted,
                "found": selector.found,
                "matched": selector.matched,
            }
            for selector in report.selectors
        ],
    }
