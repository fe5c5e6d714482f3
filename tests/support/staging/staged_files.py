"""Files of HTTPS that cannot be used, and files of its own that are taken from a running daemon."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from support.daemons.daemon import Daemon, eventually
from support.daemons.tls_peers import Pair, issued, pair
from support.specs.tls_files import MISTAKES
from support.staging.staging import Said, Scenarios, Stage

FILES = Scenarios()


def _with(stage: Stage, made: Pair) -> Path:
    """The files of HTTPS in /etc/kong-mesh; its certificate."""
    certificate, key = made.write(stage.etc)
    stage.set(
        KUMA_GENERAL_TLS_CERT_FILE=os.fspath(certificate), KUMA_GENERAL_TLS_KEY_FILE=os.fspath(key)
    )
    return certificate


def _kept(stage: Stage) -> Daemon:
    """Started, with all that a start makes in the store."""
    daemon = stage.start()
    made = "/global-secrets/admin-user-token"
    eventually("what a start makes", lambda: daemon.api("GET", made).status == 200)
    return daemon


@FILES.called("Certificate and key in each other's file")
def _(stage: Stage) -> Said:
    _with(stage, Pair(pair().key, pair().certificate))
    return stage.is_refused()


@FILES.called("The key of another certificate")
def _(stage: Stage) -> Said:
    _with(stage, Pair(pair().certificate, pair("another").key))
    return stage.is_refused()


@FILES.called("A key that is encrypted")
def _(stage: Stage) -> Said:
    _with(stage, MISTAKES["encrypted key"].files())
    return stage.is_refused()


@FILES.called("A certificate that is no PEM")
def _(stage: Stage) -> Said:
    _with(stage, Pair(ssl.PEM_cert_to_DER_cert(pair().certificate.decode()), pair().key))
    return stage.is_refused()


@FILES.called("A chain of certificates with the root first")
def _(stage: Stage) -> Said:
    _with(stage, Pair(issued().certificate + pair().certificate, pair().key))
    return stage.is_refused()


@FILES.called("A renewal that puts certificate and key into each other's file")
def _(stage: Stage) -> Said:
    _with(stage, pair())
    stage.start()
    _with(stage, Pair(pair().key, pair().certificate))
    return stage.says("tls-files-swapped")


@FILES.called("A renewed certificate that has ended")
def _(stage: Stage) -> Said:
    _with(stage, pair())
    stage.start()
    _with(stage, pair("old", days=-1))
    said = stage.says("tls-certificate-expired")
    return said.at(r"ended at (\S+?)\.", "2026-11-20T22:40:00Z")


@FILES.called("The certificate that the daemon has made is removed")
def _(stage: Stage) -> Said:
    daemon = stage.start()
    (daemon.state / "kuma-cp.crt").unlink()
    return stage.says("tls-certificate-gone")


@FILES.called("The store is moved away")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    (daemon.state / "store.db").rename(daemon.directory / "elsewhere")
    return stage.says("store-gone", ready=False)


@FILES.called("The store is written over")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    (daemon.state / "store.db").write_bytes(b"another store" * 10_000)
    return stage.says("store-corrupt", ready=False)


@FILES.called("The log of the store is cut")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    os.truncate(daemon.state / "store.db-wal", 0)
    return stage.says("store-corrupt", ready=False)


@FILES.called("The index of the store's log is cut")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    os.truncate(daemon.state / "store.db-shm", 0)
    return stage.says("store-index-made-again")


@FILES.called("A file of the store that everybody can write")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    (daemon.state / "store.db").chmod(0o666)
    return stage.says("state-not-own", ready=False)


@FILES.called("The state directory is moved away")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    daemon.state.rename(daemon.directory / "elsewhere")
    return stage.says("state-directory-gone", ready=False)


@FILES.called("The lock of the state directory is removed")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    (daemon.state / "lock").unlink()
    return stage.says("state-lock-gone", ready=False)


@FILES.called("The key of the secrets is removed")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    (daemon.state / "secret-key").unlink()
    return stage.says("secret-key-gone", ready=False)


@FILES.called("Another key in place of that of the secrets")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    key = daemon.state / "secret-key"
    key.write_bytes(b"A" * 43 + b"=\n")
    said = stage.says("secret-key-replaced", ready=False)
    sealing = said.line.partition("sealed with (")[2].partition(")")[0]
    return Said(said.line.replace(sealing, "a77512f565bd45ef"), said.outcome)


@FILES.called("`trial.json` or `clock.json` is removed")
def _(stage: Stage) -> Said:
    daemon = _kept(stage)
    (daemon.state / "trial.json").unlink()
    return stage.says("state-copy-made-again")


@FILES.called("The admission socket is removed")
def _(stage: Stage) -> Said:
    daemon = stage.start()
    daemon.socket.unlink()
    return stage.says("admission-socket-made-again")


@FILES.called("Something else in place of the admission socket")
def _(stage: Stage) -> Said:
    daemon = stage.start()
    daemon.socket.unlink()
    daemon.socket.write_text("")
    return stage.says("admission-socket-gone", ready=False)
