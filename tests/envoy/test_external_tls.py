"""TLS to what is outside of the mesh begins at the egress, as a MeshExternalService says."""

from __future__ import annotations

import base64
import contextlib
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemons.daemon import eventually
from support.daemons.tls_peers import Pair, pair
from support.data_plane.applications import Load, Place, application, ask
from support.data_plane.envoy_stage import APPLICATION, Stage, answers, staged
from support.data_plane.zone_proxies import ZoneProxy, start_zone_proxy, through_egress

pytestmark = pytest.mark.system

HOST = "mail.example"


class Outside:
    """A server that speaks TLS alone, an egress before it, and a client of the mesh."""

    def __init__(self, stage: Stage, folder: Path, things: contextlib.ExitStack) -> None:
        self.stage, self._folder = stage, folder
        folder.mkdir(exist_ok=True)
        self.context = pair(HOST).context(folder)
        server = Place(stage.proxy("mail").address, APPLICATION)
        things.enter_context(application("mail", server, self.context))
        self._endpoints = [{"address": server.address, "port": server.port}]
        through_egress(stage)
        self.speaks(mode="SkipAll")
        self.egress: ZoneProxy = start_zone_proxy(stage, things, "egress-1", "egress")
        web = stage.start(stage.proxy("web-1", "web", to_outside=("mail",)))
        self.place = web.outbound("mail")
        eventually("it answers", lambda: answers(self.place))

    def speaks(self, **verification: object) -> None:
        """Say how it is to be spoken to."""
        spec = {
            "match": {"type": "HostnameGenerator", "port": 80, "protocol": "http"},
            "endpoints": self._endpoints,
            "tls": {"enabled": True, "verification": verification},
        }
        document = {"type": "MeshExternalService", "mesh": "default", "name": "mail", "spec": spec}
        self.stage.put("/meshes/default/meshexternalservices/mail", document)

    def keeps(self, name: str, content: bytes) -> None:
        data = base64.b64encode(content).decode()
        document = {"type": "Secret", "mesh": "default", "name": name, "data": data}
        self.stage.put(f"/meshes/default/secrets/{name}", document)

    def shows(self, of: Pair) -> None:
        """From now on, to new connections."""
        self.context.load_cert_chain(*of.write(self._folder))

    def is_refused(self) -> bool:
        """By the egress, which does not get a connection that it takes."""
        return answers(self.place, 503)


@contextlib.contextmanager
def outside(folder: Path) -> Iterator[Outside]:
    with staged(folder) as stage, contextlib.ExitStack() as things:
        found = Outside(stage, folder / "files", things)
        yield found
        assert set(found.egress.envoy.updates("rejected").values()) == {0}


def inline(content: bytes) -> dict[str, str]:
    return {"inlineString": content.decode()}


def test_an_application_speaks_plain_and_the_egress_verifies_whom_it_calls(tmp_path: Path) -> None:
    authority = pair(HOST).certificate
    with outside(tmp_path) as mail:
        assert ask(mail.place).json["application"] == "mail"

        mail.speaks(serverName="other.example", caCert=inline(authority))
        eventually("another name is refused", mail.is_refused)
        names = [{"type": "Exact", "value": HOST}]
        mail.speaks(serverName="other.example", subjectAltNames=names, caCert=inline(authority))
        eventually("a name that is told is taken", lambda: answers(mail.place))
        mail.speaks(serverName=HOST, caCert=inline(pair("other").certificate))
        eventually("another authority is refused", mail.is_refused)
        mail.speaks(serverName=HOST, caCert=inline(authority))
        eventually("it is verified", lambda: answers(mail.place))


def test_the_egress_shows_its_certificate_to_who_asks_for_one(tmp_path: Path) -> None:
    client = pair("client")
    with outside(tmp_path) as mail:
        mail.context.load_verify_locations(cadata=client.certificate.decode())
        mail.context.verify_mode = ssl.CERT_REQUIRED
        mail.speaks(serverName=HOST, caCert=inline(pair(HOST).certificate))
        eventually("it has none to show", lambda: not answers(mail.place))

        mail.keeps("client-certificate", client.certificate)
        mail.keeps("client-key", client.key)
        mail.speaks(
            serverName=HOST,
            caCert=inline(pair(HOST).certificate),
            clientCert={"secret": "client-certificate"},
            clientKey={"secret": "client-key"},
        )

        eventually("it is known", lambda: answers(mail.place))


def test_an_authority_is_replaced_in_its_secret_and_no_request_fails(tmp_path: Path) -> None:
    old, new = pair(HOST), pair(HOST, days=20)
    assert old.certificate != new.certificate
    with outside(tmp_path) as mail:
        mail.keeps("mail-ca", old.certificate)
        mail.speaks(serverName=HOST, caCert={"secret": "mail-ca"})
        load = Load(mail.place)
        with load.running():
            load.wait_for_more()
            mail.keeps("mail-ca", old.certificate + new.certificate)
            eventually("the egress has both", lambda: told(mail, new))
            mail.shows(new)
            load.wait_for_more()
            mail.keeps("mail-ca", new.certificate)
            eventually("it has the new one alone", lambda: not told(mail, old))
            load.wait_for_more()
        assert load.failures == []


def told(mail: Outside, authority: Pair) -> bool:
    """Whether the egress has it among what it trusts."""
    dump = str(list(mail.egress.envoy.dump()))
    held = (base64.b64decode(each) for each in re.findall(r"'inline_bytes': '([^']+)'", dump))
    return any(authority.certificate in each for each in held)
