"""Secrets inside of other resources, where everyone who reads those would see them.

They are looked for by their form, wherever they stand in a spec:

- a source of bytes (an object with `inline` or `inlineString`) in a type that has some, unless its
  name says that it is a certificate and there is no private key in it;
- a text in Envoy's own words, or a step of a JSON patch, that holds credentials of Envoy;
- any text with a private key in PEM, in any type.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.violations import ROOT, VIOLATIONS_MAX, FieldPath, Violation

# What is shown in place of a secret; no secret is the same text.
MASK: Final = "(masked: only who may read secrets sees it)"
# Where clients decode what they get.
MASK_IN_BASE64: Final = base64.b64encode(MASK.encode()).decode()

SOURCE_TYPES: Final = frozenset(
    {"ExternalService", "Mesh", "MeshExternalService", "MeshGateway", "MeshOPA"}
)
NATIVE_TYPES: Final = frozenset({"MeshProxyPatch", "ProxyTemplate"})
# A secret in a Secret is where it belongs.
_OPEN_TYPES: Final = frozenset({"GlobalSecret", "Secret"})  # read by those alone who may
# Of certificates, and of policies in Rego; normalised.
PUBLIC_SOURCES: Final = frozenset({"cacert", "cert", "clientcert", "rego"})

_PRIVATE_KEY: Final = "PRIVATE KEY-----"  # the end of the first line of every kind in PEM
_INLINE: Final = "inline"
_TEXT_MEMBERS: Final = frozenset({"inline", "inlinestring"})
# Names of Envoy's fields, normalised: whose value stands inline, and that are texts themselves.
_OF_ENVOY: Final = ("credential", "password", "pkcs12", "privatekey", "secret", "sessionticketkey")
_TEXTS_OF_ENVOY: Final = ("secretaccesskey", "sessiontoken")

_BY_NAME: Final = "keep it as a Secret, and name that here in the member secret"
_IN_A_FILE: Final = "let Envoy read it from a file (filename) of the proxy's machine"


@dataclass(frozen=True, slots=True)
class InlineSecret:
    """One of them: its path, what to do instead, and how it is replaced in its document."""

    at: FieldPath
    value: object
    remedy: str
    put: Callable[[object], None]
    mask: str = MASK

    @property
    def is_masked(self) -> bool:
        return self.value in {MASK, MASK_IN_BASE64} if isinstance(self.value, str) else False


def warnings(secrets: Iterable[InlineSecret]) -> list[str]:
    """Warnings for the writer of a resource with these; as many as of violations."""
    return [
        f"{each.at}: a secret stands in the resource itself, where more people come by it than"
        f" by Secrets; {each.remedy}"
        for each in islice(secrets, VIOLATIONS_MAX)
    ]


def mask_violations(secrets: Iterable[InlineSecret]) -> list[Violation]:
    """Where a spec to be stored has what was shown in place of a secret."""
    return [
        each.at.violation(
            "is only the mask of a secret, which you may not read: send the secret itself,"
            " or name a Secret"
        )
        for each in secrets
        if each.is_masked
    ]


def masked(type_name: str, text: str) -> str:
    """The spec `text`, as it is stored, for who may not read secrets."""
    document = json.loads(text)
    for each in [*_found(type_name, document)]:
        each.put(each.mask)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def found(type_name: str, text: str) -> list[InlineSecret]:
    """All of them in the spec `text`, masks included."""
    return [*_found(type_name, json.loads(text))] if may_hold(type_name, text) else []


def may_hold(type_name: str, text: str) -> bool:
    """Whether it is worth to look closely: lists show thousands of resources without any."""
    # Before the search: this is asked for every resource that is read.
    if type_name in _OPEN_TYPES:
        return False
    if _PRIVATE_KEY in text or MASK in text:
        return True
    if type_name in SOURCE_TYPES:
        return _INLINE in text.lower()
    return type_name in NATIVE_TYPES and _has_credentials(text)


def _found(type_name: str, document: object) -> Iterator[InlineSecret]:
    return _Search(type_name).of(document, "", ROOT)


class _Search:
    """Goes through one document; as deep as the reader of bodies lets them be."""

    def __init__(self, type_name: str) -> None:
        self._has_sources = type_name in SOURCE_TYPES
        self._is_native = type_name in NATIVE_TYPES

    def of(self, value: object, name: str, at: FieldPath) -> Iterator[InlineSecret]:
        """Those below `value`, which is, or is in a list that is, the member `name`."""
        match value:
            case dict():
                for member, each in value.items():
                    member_at = at.field(member)
                    secret = self._finding(value, name, member, each)
                    if secret is None:
                        yield from self.of(each, member, member_at)
                    else:
                        remedy, mask = secret
                        put = _into(value, member)
                        yield InlineSecret(member_at, each, remedy, put, mask)
            case list():
                for index, each in enumerate(value):
                    # A list has no member names to go by, so the form of the text alone decides.
                    if isinstance(each, str) and _is_private(each):
                        put = _into(value, index)
                        yield InlineSecret(at.index(index), each, _BY_NAME, put)
                    else:
                        yield from self.of(each, name, at.index(index))
            case _:
                pass

    def _finding(
        self, holder: dict[str, object], name: str, member: str, value: object
    ) -> tuple[str, str] | None:
        """Remedy and mask if `value`, the `member` of `holder`, is a secret."""
        # Envoy's texts are YAML or JSON inside of a text: not parsed here, only searched.
        if self._is_native:
            return (_IN_A_FILE, MASK) if _is_native_secret(holder, member, value) else None
        if not isinstance(value, str) or not value:
            return None
        form = _normalised(member)
        if self._has_sources and form in _TEXT_MEMBERS:
            # `inline` is bytes, which JSON carries in Base64.
            private = _is_private(_decoded(value) if form == _INLINE else value)
            if _normalised(name) in PUBLIC_SOURCES and not private:
                return None
            return _BY_NAME, MASK_IN_BASE64 if form == _INLINE else MASK
        return (_BY_NAME, MASK) if _is_private(value) else None


def _into(holder: dict[str, object] | list[object], key: str | int) -> Callable[[object], None]:
    def put(value: object) -> None:
        holder[key] = value  # type: ignore[index]

    return put


def _is_native_secret(holder: dict[str, object], member: str, value: object) -> bool:
    if isinstance(value, str) and _is_private(value):
        return True
    if member == "value" and "path" in holder:  # a step of a JSON patch
        step = json.dumps([holder["path"], value], ensure_ascii=False)
        return value == MASK or _has_credentials(step)
    # The two members that hold Envoy's words, in the newer and the older policy.
    return member in {"value", "resource"} and isinstance(value, str) and _has_credentials(value)


def _has_credentials(text: str) -> bool:
    """Whether Envoy text seems to hold secrets: by what is in it, for YAML has many forms.

    Rather once too often: what is masked so is read by users who may read secrets.
    """
    if _is_private(text):
        return True
    words = _normalised(text)
    if any(each in words for each in _TEXTS_OF_ENVOY):
        return True
    # Envoy may also take a credential from a file or by SDS; only inline ones are in the text.
    return _INLINE in words and any(each in words for each in _OF_ENVOY)


def _is_private(text: str) -> bool:
    return _PRIVATE_KEY in text or text in {MASK, MASK_IN_BASE64}


def _normalised(name: str) -> str:
    return name.replace("_", "").lower()


def _decoded(text: str) -> str:
    """What Base64 stands for; `text` itself where it is none. Masks stay what they are."""
    if text == MASK_IN_BASE64:
        return text
    try:
        return base64.b64decode(text).decode("latin-1")
    except (binascii.Error, ValueError):
        return text
