"""Licenses that a start is refused for."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta

from kong_mesh_cp.core.license.keyring import Keyring
from support.licenses.licenses import VENDOR, keyring_json, license_document, payload_of, signed
from support.staging.staging import NOW_SHOWN, Said, Scenarios, Stage, user_name

LICENSES = Scenarios()

_COMPACT = json.dumps(json.loads(license_document()))


@LICENSES.called("A path in `KMESH_LICENSE_INLINE`")
def _(stage: Stage) -> Said:
    stage.put_license(set_path=False)
    stage.set(KMESH_LICENSE_INLINE=os.fspath(stage.license))
    return stage.is_refused()


@LICENSES.called("The JSON in `KMESH_LICENSE_PATH`")
def _(stage: Stage) -> Said:
    stage.set(KMESH_LICENSE_PATH=_COMPACT)
    return stage.is_refused()


@LICENSES.called("Curly quotes from a word processor or a mail")
def _(stage: Stage) -> Said:
    stage.set(KMESH_LICENSE_INLINE=_COMPACT.replace('"license"', "“license”"))
    return stage.is_refused()


@LICENSES.called("Quotes meant for a shell")
def _(stage: Stage) -> Said:
    escaped = _COMPACT.replace('"', r"\"")
    stage.set(KMESH_LICENSE_INLINE=f'"{escaped}"')
    return stage.is_refused()


@LICENSES.called("Base64 of the license")
def _(stage: Stage) -> Said:
    stage.set(KMESH_LICENSE_INLINE=base64.b64encode(_COMPACT.encode()).decode())
    return stage.is_refused()


@LICENSES.called("A file saved as UTF-16, or with a byte order mark")
def _(stage: Stage) -> Said:
    stage.put_license(_COMPACT.encode("utf-16"))
    return stage.is_refused()


@LICENSES.called("A file cut short")
def _(stage: Stage) -> Said:
    document = license_document()
    stage.put_license(document[: len(document) // 2])
    return stage.is_refused()


@LICENSES.called("Another file in place of the license")
def _(stage: Stage) -> Said:
    stage.put_license(b'{"kind": "Secret"}\n')
    return stage.is_refused()


@LICENSES.called("A large file in place of the license")
def _(stage: Stage) -> Said:
    stage.put_license(b" " * 70_000)
    return stage.is_refused()


@LICENSES.called("No file at the path")
def _(stage: Stage) -> Said:
    stage.set(KMESH_LICENSE_PATH=os.fspath(stage.license))
    return stage.is_refused()


@LICENSES.called("A folder in place of the file")
def _(stage: Stage) -> Said:
    stage.set(KMESH_LICENSE_PATH=os.fspath(stage.etc))
    return stage.is_refused()


@LICENSES.called("A named pipe in place of the file")
def _(stage: Stage) -> Said:
    os.mkfifo(stage.license)
    stage.set(KMESH_LICENSE_PATH=os.fspath(stage.license))
    return stage.is_refused()


@LICENSES.called("A file that the daemon's user may not read")
def _(stage: Stage) -> Said:
    stage.without_privileges()
    stage.put_license()
    stage.license.chmod(0o600)
    os.chown(stage.license, 65534, 65534)
    stage.show(f"user {user_name()}", "user kong-mesh-cp")
    stage.show("0600 nobody:nogroup", "0600 root:root")
    stage.show("chgrp root", "chgrp kong-mesh-cp")
    return stage.is_refused()


@LICENSES.called("A file that everybody may write")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.license.chmod(0o666)
    return stage.is_refused()


@LICENSES.called("An expired license")
def _(stage: Stage) -> Said:
    stage.put_license(license_document(expires="2023-11-09"))
    return stage.is_refused()


@LICENSES.called("A license whose term has not begun, or a clock that is behind")
def _(stage: Stage) -> Said:
    stage.put_license(license_document(created="2031-01-01"))
    return stage.is_refused().at(r"after now \((.*?)\)", NOW_SHOWN)


@LICENSES.called("A license of another product")
def _(stage: Stage) -> Said:
    stage.put_license(signed(payload_of(product="Kong Gateway")))
    return stage.is_refused()


@LICENSES.called("A package that was built without a keyring")
def _(stage: Stage) -> Said:
    stage.keyring.write_bytes(b"[]")
    stage.put_license()
    return stage.is_refused()


@LICENSES.called("A license that was changed after it was signed")
def _(stage: Stage) -> Said:
    stage.keyring.write_bytes(keyring_json(Keyring.of([VENDOR.key()])))
    stage.put_license(license_document().replace(b'"20"', b'"200"'))
    return stage.is_refused()


@LICENSES.called("A license for a newer release")
def _(stage: Stage) -> Said:
    stage.put_license(signed(payload_of(), version=2))
    return stage.is_refused()


@LICENSES.called("A path that nothing expanded")
def _(stage: Stage) -> Said:
    stage.set(KMESH_LICENSE_PATH="$PWD/license.json")
    stage.show(os.fspath(stage.daemon.directory), "/var/lib/kong-mesh-cp")
    return stage.is_refused()


@LICENSES.called("A blank behind the path")
def _(stage: Stage) -> Said:
    stage.put_license()
    stage.set(KMESH_LICENSE_PATH=f"{stage.license} ")
    return stage.is_refused()


@LICENSES.called("A command of a shell in place of the license")
def _(stage: Stage) -> Said:
    stage.set(KMESH_LICENSE_INLINE="$(cat license.json)")
    return stage.is_refused()


@LICENSES.called("A manifest of Kubernetes in place of the license")
def _(stage: Stage) -> Said:
    stage.put_license(
        b"apiVersion: v1\nkind: Secret\nmetadata: {name: kong-mesh-license}\n"
        b"stringData:\n  license.json: |\n    {}\n"
    )
    return stage.is_refused()


@LICENSES.called("Two licenses, and the one that counts has ended")
def _(stage: Stage) -> Said:
    stage.put_license(license_document(expires="2023-11-09"))
    renewed = stage.etc / "renewed.json"
    renewed.write_bytes(license_document())
    renewed.chmod(0o640)
    stage.write_config(f"[license]\npath = '{renewed}'\n")
    return stage.is_refused()


@LICENSES.called("The pre-bundled trial is over")
def _(stage: Stage) -> Said:
    stage.write_state("trial.json", started_at="2026-09-01T08:00:00Z")
    return stage.is_refused()


@LICENSES.called("A license that ended only by the time seen before the clock was set back")
def _(stage: Stage) -> Said:
    stage.set_clock_back(days=400)
    end = datetime.now(UTC) + timedelta(days=100)
    stage.put_license(license_document(expires=f"{end:%Y-%m-%d}"))
    stage.show(f"{end:%Y-%m-%d}T00:00:00Z", "2027-03-01T00:00:00Z")
    return stage.is_refused()
