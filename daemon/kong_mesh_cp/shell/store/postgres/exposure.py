"""Who else can reach the store: rights on the database and its schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.shell.store.postgres.address import SCHEMA, PostgresAddress
from kong_mesh_cp.shell.store.postgres.connections import Connection

NAMED_ROLES_MAX: Final = 5  # in one line

# Without a list of rights of its own a database has the default one, which lets everybody in.
_CONNECT_IS_PUBLIC = (
    "SELECT quote_ident(d.datname), EXISTS ("
    "SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a"
    " WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT')"
    " FROM pg_database AS d WHERE d.datname = current_database()"
)
# Superusers may do anything anyway. Who cannot log in shows in those who are members.
_USERS = (
    "SELECT quote_ident(rolname) FROM pg_roles WHERE rolcanlogin AND NOT rolsuper"
    " AND rolname <> current_user AND has_schema_privilege(oid, %s, 'USAGE, CREATE')"
    " ORDER BY rolname"
)


def warnings(connection: Connection, address: PostgresAddress) -> Sequence[str]:
    """What an operator should know of it: a line each, with a code and a remedy."""
    lines = []
    row = connection.execute(_CONNECT_IS_PUBLIC).fetchone()
    if row is not None and row[1]:
        lines.append(
            f"store-connect-public: everybody with an account on the server may connect to"
            f" {address}, and so hear that something changes, and cry wolf. As the administrator of"
            f" the server: REVOKE CONNECT, TEMPORARY ON DATABASE {printable(row[0])} FROM PUBLIC."
        )
    if users := [printable(name) for (name,) in connection.execute(_USERS, (SCHEMA,))]:
        more = len(users) - NAMED_ROLES_MAX
        named = ", ".join(users[:NAMED_ROLES_MAX]) + (f" and {more} more" if more > 0 else "")
        lines.append(
            f"store-schema-shared: others than this control plane's role may use the schema"
            f" {SCHEMA} in {address}: {named}. If that is not meant, REVOKE ALL ON SCHEMA"
            f" {SCHEMA} FROM them, or take them out of the roles that may."
        )
    return lines
