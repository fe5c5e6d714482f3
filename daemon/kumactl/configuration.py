"""Which control planes there are and which one is meant: the file that the original keeps too.

The file is edited, not rewritten: whatever else stands in it (an older or newer kumactl, a
person) stays, in its order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kumactl import trust
from kumactl.documents import yaml_text
from kumactl.errors import UsageError
from kumactl.json_value import JsonObject, object_at, objects_at, text_at, true_at

FILE_BYTES_MAX: Final = 1024 * 1024
LOCAL: Final = "local"
LOCAL_URL: Final = "http://localhost:5681"
TOKENS: Final = "tokens"
_MASK: Final = "*****"
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneEntry:
    """How one control plane is reached."""

    name: str
    url: str
    ca_cert_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""
    skip_verify: bool = False
    auth_type: str = ""
    auth_conf: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raises: UsageError when the parts do not fit each other."""
        if bool(self.client_cert_file) != bool(self.client_key_file):
            raise UsageError("Both --client-cert-file and --client-key-file needs to be specified")
        if self.auth_type and self.auth_type != TOKENS:
            raise UsageError(f'authentication plugin of type "{self.auth_type}" is not found')
        if self.auth_type == TOKENS and not self.auth_conf.get("token"):
            raise UsageError('--auth-conf is not valid: provide "token" key')
        for name, value in self.request_headers().items():
            # The value may be a token: it is never shown.
            if not _HEADER_NAME.fullmatch(name):
                raise UsageError(f"{name!r} is no name of a header")
            if not value.isascii() or not value.isprintable():
                raise UsageError(f"the value of the header {name} is not printable ASCII")

    @property
    def token(self) -> str:
        """The user token that is sent to it, or ""."""
        return self.auth_conf.get("token", "") if self.auth_type == TOKENS else ""

    def request_headers(self) -> dict[str, str]:
        """The headers of every request to it; the token among them."""
        headers = dict(self.headers)
        if self.auth_type == TOKENS:
            headers["authorization"] = f"Bearer {self.token}"
        return headers


class Configuration:
    """What the file says. `document` is the file's own; changes keep what they do not know."""

    def __init__(self, document: dict[str, object], *, is_exposed: bool = False) -> None:
        """`is_exposed`: others than its owner can read the file."""
        self.document = document
        self.is_exposed = is_exposed

    @classmethod
    def initial(cls) -> Configuration:
        """The one of a user who has no file: the control plane on this machine."""
        configuration = cls({})
        configuration.put(ControlPlaneEntry(name=LOCAL, url=LOCAL_URL), overwrite=False)
        return configuration

    @property
    def control_planes(self) -> list[ControlPlaneEntry]:
        """All of them, in the order of the file."""
        return [_entry(item) for item in objects_at(self.document, "controlPlanes")]

    @property
    def active(self) -> str | None:
        """The name of the active control plane, if there is one."""
        name = text_at(self._context(), "controlPlane")
        return name or None

    @property
    def default_mesh(self) -> str:
        """The mesh that the active context names, or ""."""
        return text_at(self._context(), "defaults", "mesh")

    def current(self) -> ControlPlaneEntry:
        """The active control plane. Raises: UsageError when there is none."""
        found = [entry for entry in self.control_planes if entry.name == self.active]
        if not found:
            raise UsageError(
                "active Control Plane is not set. Use `kumactl config control-planes add`"
                " to add a Control Plane and make it active"
            )
        return found[0]

    def put(self, entry: ControlPlaneEntry, *, overwrite: bool) -> None:
        """Add `entry` with a context of its name, and make it active. Raises: UsageError."""
        known = [
            item for item in self._list("controlPlanes") if text_at(item, "name") == entry.name
        ]
        if known and not overwrite:
            raise UsageError(
                f'Control Plane with name "{entry.name}" already exists.'
                " Use --overwrite to replace an existing one."
            )
        for item in known or [_appended(self._list("controlPlanes"))]:
            _write(item, entry)
        contexts = self._list("contexts")
        same = [item for item in contexts if text_at(item, "name") == entry.name]
        for item in same or [_appended(contexts)]:
            item["controlPlane"] = entry.name
            item["name"] = entry.name
        self.document["currentContext"] = entry.name

    def switch(self, name: str) -> None:
        """Make `name` active. Raises: UsageError."""
        for item in self._list("contexts"):
            if text_at(item, "name") == name:
                self.document["currentContext"] = name
                return
        raise UsageError(f'there is no Control Plane with name "{name}"')

    def remove(self, name: str) -> None:
        """Forget `name` and its contexts; the first that is left becomes active if it was."""
        planes = self._list("controlPlanes")
        kept = [item for item in planes if text_at(item, "name") != name]
        if len(kept) == len(planes):
            raise UsageError(f'there is no Control Plane with name "{name}"')
        planes[:] = kept
        contexts = self._list("contexts")
        contexts[:] = [item for item in contexts if text_at(item, "controlPlane") != name]
        names = [text_at(item, "name") for item in contexts]
        if self.document.get("currentContext") not in names:
            self.document["currentContext"] = names[0] if names else ""

    def shown(self) -> JsonObject:
        """The document with its tokens, passwords and values of headers masked."""
        planes = [_masked(item) for item in objects_at(self.document, "controlPlanes")]
        return {**self.document, "controlPlanes": planes}

    @property
    def holds_secrets(self) -> bool:
        """Whether there are tokens, passwords or headers in it."""
        return any(each.auth_conf or each.headers for each in self.control_planes)

    def _context(self) -> JsonObject:
        current = text_at(self.document, "currentContext")
        contexts = objects_at(self.document, "contexts")
        return next((item for item in contexts if text_at(item, "name") == current), {})

    def _list(self, name: str) -> list[MutableMapping[str, object]]:
        found = self.document.setdefault(name, [])
        if found is None:
            found = self.document[name] = []
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise UsageError(f"the configuration is damaged: {name} is no list of objects")
        return found


def _appended(items: list[MutableMapping[str, object]]) -> MutableMapping[str, object]:
    item: MutableMapping[str, object] = {}
    items.append(item)
    return item


def _entry(item: JsonObject) -> ControlPlaneEntry:
    server = object_at(item, "coordinates", "apiServer")
    auth_conf = object_at(server, "authConf")
    return ControlPlaneEntry(
        name=text_at(item, "name"),
        url=text_at(server, "url"),
        ca_cert_file=text_at(server, "caCertFile"),
        client_cert_file=text_at(server, "clientCertFile"),
        client_key_file=text_at(server, "clientKeyFile"),
        skip_verify=true_at(server, "skipVerify"),
        auth_type=text_at(server, "authType"),
        auth_conf={key: text_at(auth_conf, key) for key in auth_conf},
        headers={
            text_at(header, "key"): text_at(header, "value")
            for header in objects_at(server, "headers")
        },
    )


def _write(item: MutableMapping[str, object], entry: ControlPlaneEntry) -> None:
    coordinates = dict(object_at(item, "coordinates"))
    server = dict(object_at(coordinates, "apiServer"))
    written: dict[str, object] = {
        "authConf": dict(entry.auth_conf),
        "authType": entry.auth_type,
        "caCertFile": entry.ca_cert_file,
        "clientCertFile": entry.client_cert_file,
        "clientKeyFile": entry.client_key_file,
        "headers": [{"key": key, "value": entry.headers[key]} for key in sorted(entry.headers)],
        "skipVerify": entry.skip_verify,
        "url": entry.url,
    }
    for key, value in written.items():
        if value:
            server[key] = value
        else:
            server.pop(key, None)  # as the original: what is at its default is not written
    item["coordinates"] = {**coordinates, "apiServer": server}
    item["name"] = entry.name


def _masked(item: JsonObject) -> JsonObject:
    server = dict(object_at(item, "coordinates", "apiServer"))
    if "url" in server:
        server["url"] = shown_url(text_at(server, "url"))
    if auth_conf := object_at(server, "authConf"):
        server["authConf"] = dict.fromkeys(auth_conf, _MASK)
    if headers := objects_at(server, "headers"):
        # Any header may be one that says who asks.
        server["headers"] = [{**header, "value": _MASK} for header in headers]
    return {**item, "coordinates": {**object_at(item, "coordinates"), "apiServer": server}}


def shown_url(url: str) -> str:
    """`url` with what stands before an @ in its authority masked: a name and a password."""
    scheme, slashes, rest = url.partition("//")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}{slashes}{_MASK if user else ''}{at}{host}{slash}{path}"


def load(path: Path) -> Configuration:
    """The configuration in `path`; a file that is not there means the initial one.

    Raises: UsageError when it cannot be read, is no YAML object, or is another user's.
    """
    name = f"the configuration {str(path)!r}"
    try:
        with path.open("rb") as file:
            # A link is followed, but not one that another user has put there.
            trust.require_own_folder(path.absolute().parent, f"the folder of {name}")
            status = os.fstat(file.fileno())
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return Configuration.initial()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None
    trust.require_own_file(status, name)
    if len(content) > FILE_BYTES_MAX:
        raise UsageError(f"{name} is larger than {FILE_BYTES_MAX} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text") from None
    documents = yaml_text.parse_documents(text, name)
    if not documents:
        return Configuration.initial()
    if len(documents) > 1 or not isinstance(documents[0], dict):
        raise UsageError(f"{name} is not one YAML object")
    return Configuration(documents[0], is_exposed=trust.is_seen_by_others(status))


def save(configuration: Configuration, path: Path) -> None:
    """Write the file: for its owner alone, whole or not at all. Raises: UsageError."""
    content = yaml_text.render(configuration.document, sort_keys=False)
    target = path.resolve()  # a link to a file elsewhere stays a link
    # An unpredictable name, and never a file or link that is there already.
    draft = target.with_name(f".{target.name}.{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        name = f"the folder of the configuration {str(path)!r}"
        trust.require_own_folder(path.absolute().parent, name)
        trust.require_own_folder(target.parent, name)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(
            f"the configuration {str(path)!r} cannot be written: {error.strerror}"
        ) from None
