"""`kumactl inspect`: what runs in the meshes, and which policies meet which proxies."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from kong_mesh_cp.core.resources.registry import TYPES, ResourceType
from kumactl import attachments
from kumactl.commands import flags
from kumactl.documents import resource_names
from kumactl.documents.resource_names import segment
from kumactl.errors import UsageError
from kumactl.json_value import JsonObject, count_at, objects_at, text_at
from kumactl.output import Format, render
from kumactl.session import Session
from kumactl.tables import insight_tables

_CONFIG_DUMP: Final = "config-dump"
_ADMIN_QUERIES: Final = {_CONFIG_DUMP: "xds", "stats": "stats", "clusters": "clusters"}
_ZONE_PROXIES: Final = (
    (
        *(("zoneingress", "zone-ingress"), "zone-ingresses"),
        *("/zone-ingresses", "/zoneingresses", "zoneIngressInsight"),
    ),
    (
        *(("zoneegress",), "zoneegresses"),
        *("/zoneegresses", "/zoneegresses", "zoneEgressInsight"),
    ),
)
_ABOUT_NO_PROXY: Final = ("VirtualOutbound",)  # it gives names to services
Table = Callable[[Session, Iterable[JsonObject]], str]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    inspect = flags.group(
        commands, "inspect", "show what runs, and what applies to it", output=True
    )
    _add_list(inspect, "meshes", "/mesh-insights", _meshes, "meshes and their resources")
    _add_list(inspect, "zones", "/zones/_overview", _zones, "zones")
    _add_services(inspect)
    _add_dataplanes(inspect)
    for (single, *aliases), plural, path, admin_path, insight in _ZONE_PROXIES:
        table = partial(_zone_proxies, insight)
        _add_list(inspect, plural, f"{path}/_overview", table, f"{plural} and their state")
        run = partial(_admin, admin_path)
        summary = f"what Envoy of one {single} has"
        proxy = flags.command(inspect, single, run, summary, aliases=aliases)
        proxy.add_argument("name", metavar="NAME")
        _add_admin(proxy, tuple(_ADMIN_QUERIES), unsaid=_CONFIG_DUMP)
    gateway = flags.command(inspect, "meshgateway", _gateway, "the proxies of a gateway")
    gateway.add_argument("name", metavar="NAME")
    flags.add_mesh(gateway)
    flags.add_output(gateway, unsaid=argparse.SUPPRESS)
    for resource_type in TYPES.values():
        if (
            resource_type.is_policy
            and not resource_type.kong_only
            and resource_type.name not in _ABOUT_NO_PROXY
        ):
            _add_policy(inspect, resource_type)


def _add_list(
    inspect: argparse._SubParsersAction[argparse.ArgumentParser],
    word: str,
    path: str,
    table: Table,
    summary: str,
) -> None:
    parser = flags.command(inspect, word, lambda session: _show(session, path, table), summary)
    flags.add_output(parser, unsaid=argparse.SUPPRESS)


def _add_services(inspect: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = flags.command(inspect, "services", _services, "services of a mesh")
    flags.add_mesh(parser)
    flags.add_output(parser, unsaid=argparse.SUPPRESS)


def _add_dataplanes(inspect: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    many = flags.command(inspect, "dataplanes", _dataplanes, "data plane proxies and their state")
    many.add_argument(
        "--tag",
        action="extend",
        type=flags.tags,
        default=[],
        metavar="KEY=VALUE[,KEY=VALUE…]",
        help="those that have all of these tags; may be repeated",
    )
    many.add_argument("--gateway", action="store_true", help="gateways only")
    many.add_argument("--ingress", action="store_true", help="ingresses only")
    flags.add_mesh(many)
    flags.add_output(many, unsaid=argparse.SUPPRESS)
    one = flags.command(inspect, "dataplane", _dataplane, "what one data plane proxy gets")
    one.add_argument("name", metavar="NAME")
    _add_admin(one, ("policies", *_ADMIN_QUERIES, "config"), unsaid="policies")
    one.add_argument("--shadow", action="store_true", help="with the policies in shadow mode")
    one.add_argument("--include", type=flags.words, default=[], metavar="diff")
    flags.add_mesh(one)


def _add_admin(parser: argparse.ArgumentParser, types: Sequence[str], *, unsaid: str) -> None:
    """The flags of what asks a proxy itself."""
    parser.add_argument("--type", choices=tuple(types), default=unsaid)
    parser.add_argument(  # the original's older form of it
        "--config-dump",
        action="store_const",
        dest="type",
        const=_CONFIG_DUMP,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--include-eds", action="store_true", help="endpoints, too; with --type config-dump"
    )
    flags.add_output(parser, unsaid=argparse.SUPPRESS)


def _add_policy(
    inspect: argparse._SubParsersAction[argparse.ArgumentParser], resource_type: ResourceType
) -> None:
    parser = flags.command(
        inspect,
        resource_names.singular(resource_type),
        partial(_policy, resource_type),
        f"the proxies that a {resource_type.singular} affects",
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--new-api", action="store_true", help="ask which proxies it selects")
    flags.add_page(parser)
    flags.add_mesh(parser)
    flags.add_output(parser, unsaid=argparse.SUPPRESS)


def _show(session: Session, path: str, table: Table, query: Sequence[tuple[str, str]] = ()) -> None:
    items = list(session.control_plane.items(path, query))
    page = {"total": len(items), "items": items, "next": None}
    if not _rendered(session, page):
        session.console.document(table(session, items))


def _rendered(session: Session, answer: JsonObject) -> bool:
    """Whether `-o` asked for JSON or YAML; then `answer` has been printed as such."""
    form: Format | None = session.arguments.output
    if form is None or form is Format.TABLE:
        return False
    session.console.document(render(answer, form))
    return True


def _meshes(session: Session, items: Iterable[JsonObject]) -> str:
    del session
    return insight_tables.meshes_table(items)


def _zones(session: Session, items: Iterable[JsonObject]) -> str:
    return insight_tables.zones_table(items, session.console.now())


def _zone_proxies(insight: str, session: Session, items: Iterable[JsonObject]) -> str:
    return insight_tables.zone_proxies_table(items, insight, session.console.now())


def _services(session: Session) -> None:
    path = f"/meshes/{segment(session.mesh)}/service-insights"
    _show(session, path, lambda _session, items: insight_tables.services_table(items))


def _dataplanes(session: Session) -> None:
    query = [("tag", f"{key}:{value}") for key, value in session.arguments.tag]
    if session.arguments.gateway:
        query.append(("gateway", "true"))
    if session.arguments.ingress:
        query.append(("ingress", "true"))
    _show(
        session,
        f"/meshes/{segment(session.mesh)}/dataplanes/_overview",
        lambda run, items: insight_tables.dataplanes_table(items, run.console.now()),
        query,
    )


def _dataplane(session: Session) -> None:
    arguments = session.arguments
    if (arguments.shadow or arguments.include) and arguments.type != "config":
        raise UsageError("--shadow and --include can be used only when --type=config")
    _require_config_dump(session)
    path = f"/meshes/{segment(session.mesh)}/dataplanes"
    if arguments.type in _ADMIN_QUERIES:
        _admin(path, session)
    elif arguments.type == "config":
        query = [("shadow", "true" if arguments.shadow else "false")]
        query += [("include", what) for what in arguments.include]
        target = f"{path}/{segment(arguments.name)}/_config"
        session.console.foreign(session.control_plane.text(target, query))
    else:
        target = f"{path}/{segment(arguments.name)}/policies"
        answer = session.control_plane.document(target)
        if not _rendered(session, answer):
            _print_lines(session, attachments.policies_of_dataplane(answer))


def _require_config_dump(session: Session) -> None:
    if session.arguments.include_eds and session.arguments.type != _CONFIG_DUMP:
        raise UsageError(f"flag '--include-eds' can be used only when '--type={_CONFIG_DUMP}'")


def _admin(path: str, session: Session) -> None:
    """What Envoy says is shown as it says it, whatever `-o` is."""
    _require_config_dump(session)
    arguments = session.arguments
    asked = _ADMIN_QUERIES[arguments.type]
    query = [("include_eds", str(arguments.include_eds).lower())] if asked == "xds" else []
    target = f"{path}/{segment(session.arguments.name)}/{asked}"
    session.console.foreign(session.control_plane.text(target, query))


def _gateway(session: Session) -> None:
    path = f"/meshes/{segment(session.mesh)}/meshgateways/{segment(session.arguments.name)}"
    answer = session.control_plane.document(f"{path}/dataplanes")
    if _rendered(session, answer):
        return
    names = (text_at(item, "dataplane", "name") for item in objects_at(answer, "items"))
    _print_lines(session, names)


def _policy(resource_type: ResourceType, session: Session) -> None:
    path = resource_names.item_path(resource_type, session.mesh, session.arguments.name)
    if session.arguments.new_api:
        query = flags.page_query(session.arguments)
        answer, _ = session.control_plane.page(f"{path}/_resources/dataplanes", query)
        if _rendered(session, answer):
            return
        table = attachments.selected_table(objects_at(answer, "items"), count_at(answer, "total"))
        session.console.document(table)
        return
    answer = session.control_plane.document(f"{path}/dataplanes")
    if not _rendered(session, answer):
        _print_lines(session, attachments.dataplanes_of_policy(answer))


def _print_lines(session: Session, lines: Iterable[str]) -> None:
    for line in lines:
        session.console.line(line)
