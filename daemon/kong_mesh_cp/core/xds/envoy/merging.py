"""One message of Envoy merged into another.

Source: docs/wire/envoy-patches.md#values
"""

from __future__ import annotations

from typing import Final

from kong_mesh_cp.core.formats.json_patch import JsonPatchError, Step, patched
from kong_mesh_cp.core.xds.envoy.as_json import json_of
from kong_mesh_cp.core.xds.envoy.envoy_messages import Message, packed
from kong_mesh_cp.core.xds.envoy.native_resources import from_json, unpacked_any
from kong_mesh_cp.core.xds.unmakeable import UnmakeableError

# A duration is one figure in two members, and bytes of one type are no part of those of another.
_WHOLE: Final = frozenset({"google.protobuf.Duration", "google.protobuf.Any"})


def merge(message: Message, patch: Message) -> None:
    """What `patch` says counts; its lists are appended, its entries of maps take the place."""
    for field, value in patch.ListFields():
        if field.message_type is None or field.is_repeated:
            _merge_plain(message, field, value)
        elif field.message_type.full_name in _WHOLE:
            getattr(message, field.name).CopyFrom(value)
        else:
            inner = getattr(message, field.name)
            inner.SetInParent()
            merge(inner, value)


def _merge_plain(message: Message, field: Message, value: Message) -> None:
    if not field.is_repeated:
        setattr(message, field.name, value)
        return
    into = getattr(message, field.name)
    if field.message_type is None or not field.message_type.GetOptions().map_entry:
        into.extend(value)
    elif field.message_type.fields_by_name["value"].message_type is None:
        into.update(value)
    else:
        for key, each in value.items():
            into[key].CopyFrom(each)


def merge_any(message: Message, patch: Message) -> None:
    """The messages packed in two Any of one type. Raises: UnmakeableError."""
    if not patch.type_url:
        return
    if not message.type_url:
        message.CopyFrom(patch)
        return
    if message.type_url != patch.type_url:
        raise UnmakeableError(
            f"it is of type {message.type_url}, and the patch of {patch.type_url}"
        )
    inner = unpacked_any(message)
    merge(inner, unpacked_any(patch))
    message.CopyFrom(packed(inner))


def apply_steps(message: Message, steps: tuple[Step, ...]) -> None:
    """Changes `message` as its JSON. Raises: UnmakeableError."""
    try:
        document = patched(json_of(message), steps)
    except JsonPatchError as error:
        raise UnmakeableError(str(error)) from None
    message.CopyFrom(from_json(type(message), document))


def apply_steps_any(message: Message, steps: tuple[Step, ...]) -> None:
    """Changes what is packed in an Any. Raises: UnmakeableError."""
    if not message.type_url:
        raise UnmakeableError("it has no configuration of its own that could be changed")
    inner = unpacked_any(message)
    apply_steps(inner, steps)
    message.CopyFrom(packed(inner))
