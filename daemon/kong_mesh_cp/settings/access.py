"""The settings of who may do what: lists (`static`), roles (`rbac`), and what of it is logged."""

from __future__ import annotations

from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings import forms, lists
from kong_mesh_cp.settings.options import MEMBERS, Option, option

ADMINS: Final = "mesh-system:admin"
EVERYBODY: Final = ("mesh-system:unauthenticated", "mesh-system:authenticated")


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantSettings:
    """Those who may do one thing: by name, or by a group."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


_TO_ADMINS: Final = GrantSettings(users=(ADMINS,), groups=(ADMINS,))
_TO_ALL: Final = GrantSettings(groups=EVERYBODY)


def grant(variable: str, default: GrantSettings, what: str) -> GrantSettings:
    """The two rows of one list; `what` completes the sentence "Who may …"."""
    rows = {
        name: Option(
            form=lists.NAMES,
            doc=f"{name.capitalize()} that may {what}.",
            environment=f"{variable}_{name.upper()}",
            flag=None,
            secret=False,
            default_text=None if getattr(default, name) else "nobody by name",
        )
        for name in ("users", "groups")
    }
    return field(default=default, metadata={MEMBERS: rows})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessStaticSettings:
    """Who may do what where `access.type` is static: users and groups by action."""

    admin_resources: GrantSettings = grant(
        "KUMA_ACCESS_STATIC_ADMIN_RESOURCES",
        _TO_ADMINS,
        "read and write secrets, write roles, and use what else is for administrators",
    )
    generate_dp_token: GrantSettings = grant(
        "KUMA_ACCESS_STATIC_GENERATE_DP_TOKEN", _TO_ADMINS, "get tokens for data plane proxies"
    )
    generate_user_token: GrantSettings = grant(
        "KUMA_ACCESS_STATIC_GENERATE_USER_TOKEN",
        _TO_ADMINS,
        "get tokens for any user, and so for any administrator",
    )
    generate_zone_token: GrantSettings = grant(
        "KUMA_ACCESS_STATIC_GENERATE_ZONE_TOKEN", _TO_ADMINS, "get tokens for proxies of zones"
    )
    generate_cp_token: GrantSettings = grant(
        "KMESH_RBAC_STATIC_GENERATE_CP_TOKEN",
        _TO_ADMINS,
        "get tokens for control planes of zones (scope cp)",
    )
    view_config_dump: GrantSettings = grant(
        "KUMA_ACCESS_STATIC_GET_CONFIG_DUMP", _TO_ALL, "see the configuration of a proxy's Envoy"
    )
    view_stats: GrantSettings = grant(
        "KUMA_ACCESS_STATIC_VIEW_STATS", _TO_ALL, "see the statistics of a proxy's Envoy"
    )
    view_clusters: GrantSettings = grant(
        "KUMA_ACCESS_STATIC_VIEW_CLUSTERS", _TO_ALL, "see the clusters of a proxy's Envoy"
    )
    control_plane_metadata: GrantSettings = grant(
        "KUMA_ACCESS_STATIC_CONTROL_PLANE_METADATA",
        _TO_ALL,
        "see the configuration of this control plane at /config, without its secrets",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRbacSettings:
    """How access works where `access.type` is rbac."""

    log_actions: tuple[str, ...] = option(
        lists.VERDICTS,
        default=("allowed", "denied"),
        environment="KMESH_ACCESS_RBAC_LOG_ACTIONS",
        doc="Which decisions by roles are logged, one line each: allowed, denied, or both. Of what "
        "is denied to one user, the first five a minute. An empty list in a file logs none.",
    )
    default_admin_role_groups: tuple[str, ...] = option(
        lists.NAMES,
        default=EVERYBODY[::-1],
        environment="KMESH_ACCESS_RBAC_DEFAULT_ADMIN_ROLE_GROUPS",
        doc="Groups that the AccessRoleBinding of the first start gives the role admin. The "
        "default is everybody, also without a token: name your administrators here.",
    )
    default_admin_role_users: tuple[str, ...] = option(
        lists.NAMES,
        default=(),
        environment="KMESH_ACCESS_RBAC_DEFAULT_ADMIN_ROLE_USERS",
        default_text="nobody by name",
        doc="Users that the AccessRoleBinding of the first start gives the role admin.",
    )
    skip_admin_role_creation: bool = option(
        forms.BOOLEAN,
        default=False,
        environment="KMESH_ACCESS_RBAC_SKIP_ADMIN_ROLE_CREATION",
        doc="Whether a start that finds neither AccessRoles nor AccessRoleBindings makes none. "
        "Then nobody may write until somebody has made some with access.type static.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """Who may do what."""

    type: str = option(
        forms.one_of("static", "rbac"),
        default="static",
        environment="KUMA_ACCESS_TYPE",
        doc="What decides who may do what: static, the lists of access.static; or rbac, the "
        "AccessRoles and AccessRoleBindings in the store.",
    )
    static: AccessStaticSettings = field(default_factory=AccessStaticSettings)
    rbac: AccessRbacSettings = field(default_factory=AccessRbacSettings)
