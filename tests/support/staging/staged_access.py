"""Settings and roles that let nobody in, or everybody."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing

from support.daemons.daemon import eventually
from support.daemons.tls_peers import pair
from support.fakes.identity import pem
from support.staging.staging import Said, Scenarios, Stage

ACCESS = Scenarios()

RBAC = {"KUMA_ACCESS_TYPE": "rbac"}
KEYS = "[apiServer.authn.tokens.validator]\npublicKeys = [{{ kid = 'ci-1', keyFile = '{}' }}]\n"


@ACCESS.called("Tokens that would count for nothing")
def _(stage: Stage) -> Said:
    stage.set(KUMA_API_SERVER_AUTHN_TOKENS_VALIDATOR_USE_SECRETS="false")
    return stage.is_refused()


@ACCESS.called("Administrators by certificates that nobody is asked for")
def _(stage: Stage) -> Said:
    stage.set(KUMA_API_SERVER_AUTHN_TYPE="adminClientCerts")
    return stage.is_refused()


@ACCESS.called("A folder of clients' certificates that holds none")
def _(stage: Stage) -> Said:
    folder = stage.etc / "clients"
    folder.mkdir()
    stage.set(KUMA_API_SERVER_AUTH_CLIENT_CERTS_DIR=os.fspath(folder))
    return stage.is_refused()


@ACCESS.called("A list of clients' authorities that everybody can write")
def _(stage: Stage) -> Said:
    certificate, _ = pair().write(stage.etc)
    certificate.chmod(0o666)
    stage.set(KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE=os.fspath(certificate))
    return stage.is_refused()


@ACCESS.called("A key of HTTPS that everybody can read")
def _(stage: Stage) -> Said:
    certificate, key = pair().write(stage.etc)
    key.chmod(0o644)
    stage.set(
        KUMA_API_SERVER_HTTPS_TLS_CERT_FILE=os.fspath(certificate),
        KUMA_API_SERVER_HTTPS_TLS_KEY_FILE=os.fspath(key),
    )
    stage.start()
    return stage.says("tls-key-exposed")


@ACCESS.called("A first role for nobody")
def _(stage: Stage) -> Said:
    stage.set(**RBAC)
    stage.write_config("[access.rbac]\ndefaultAdminRoleGroups = []\n")
    return stage.is_refused()


@ACCESS.called("A public key of tokens that is not there")
def _(stage: Stage) -> Said:
    stage.write_config(KEYS.format(stage.etc / "ci.pub"))
    return stage.is_refused()


@ACCESS.called("A private key in place of the public one")
def _(stage: Stage) -> Said:
    file = stage.etc / "ci.pub"
    file.write_bytes(pem())
    stage.write_config(KEYS.format(file))
    return stage.is_refused()


@ACCESS.called("Roles that give rights to everybody")
def _(stage: Stage) -> Said:
    stage.set(**RBAC)
    stage.start()
    return stage.says("access-open-to-all")


@ACCESS.called("Web pages of everybody that may read answers")
def _(stage: Stage) -> Said:
    stage.set(KUMA_API_SERVER_CORS_ALLOWED_DOMAINS=".*")
    stage.start()
    return stage.says("cors-open-to-all")


@ACCESS.called("Roles that give rights to nobody")
def _(stage: Stage) -> Said:
    stage.set(**RBAC, KMESH_ACCESS_RBAC_SKIP_ADMIN_ROLE_CREATION="true")
    stage.start()
    return stage.says("access-nobody-writes")


@ACCESS.called("A role that leads to all others")
def _(stage: Stage) -> Said:
    stage.set(**RBAC, KMESH_ACCESS_RBAC_DEFAULT_ADMIN_ROLE_GROUPS="mesh-system:admin")
    daemon = stage.start()
    eventually("the role", lambda: daemon.api("GET", "/access-roles/admin").status == 200)
    subjects = [{"type": "Group", "name": "team-a"}]
    for path, body in (
        ("access-roles", {"type": "AccessRole", "rules": [{"access": ["UPDATE"]}]}),
        ("access-role-bindings",
         {"type": "AccessRoleBinding", "subjects": subjects, "roles": ["team-a"]}),
    ):  # fmt: skip
        content = json.dumps({**body, "name": "team-a"}).encode()
        given = {"Content-Type": "application/json"}
        assert daemon.api("PUT", f"/{path}/team-a", given, content).status == 201
    return stage.says("access-role-leads-to-more")


@ACCESS.called("A role that was changed in the store by hand")
def _(stage: Stage) -> Said:
    stage.set(**RBAC)
    daemon = stage.start()
    binding = "/access-role-bindings/default"
    eventually("the binding", lambda: daemon.api("GET", binding).status == 200)
    daemon.stop()
    with closing(sqlite3.connect(daemon.state / "store.db")) as store, store:
        changed = store.execute(
            "UPDATE resource SET spec = '{\"subjects\":7}' WHERE type = 'AccessRoleBinding'"
        )
        assert changed.rowcount == 1
    daemon.start()
    return stage.says("access-role-unreadable")


@ACCESS.called("A signing key that was damaged in the store")
def _(stage: Stage) -> Said:
    daemon = stage.start()
    key = "/global-secrets/admin-user-token"
    eventually("the keys", lambda: daemon.api("GET", key).status == 200)
    daemon.stop()
    with closing(sqlite3.connect(daemon.state / "store.db")) as store, store:
        store.execute(
            "INSERT INTO resource (type, mesh, name, version, spec, labels, created_at,"
            " modified_at) SELECT type, mesh, 'user-token-signing-key-9', 1, '{\"data\":\"eA==\"}',"
            " labels, created_at, modified_at FROM resource WHERE name = 'user-token-signing-key-1'"
        )
    daemon.start()
    body = b'{"name": "john", "groups": [], "validFor": "1h"}'
    answer = daemon.api("POST", "/tokens/user", {"Content-Type": "application/json"}, body)
    assert answer.status == 200, answer.body
    return stage.says("signing-key-unusable")
