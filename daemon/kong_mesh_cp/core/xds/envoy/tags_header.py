"""The header in which a proxy tells another whose request it carries, by tags.

Source: docs/wire/envoy-names.md#tags-in-requests
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kong_mesh_cp.core.resources.tags import Tags, values_by_tag

TAGS_HEADER: Final = "x-kuma-tags"
ANY: Final = "*"


def told_tags(tag_sets: Iterable[Tags]) -> str:
    """The value of the header for a proxy whose in- and outbounds carry `tag_sets`."""
    found = values_by_tag(tag_sets)
    return "".join(f"&{tag}={','.join(values)}&" for tag, values in found.items())


def tags_expression(tags: Tags) -> str:
    """A regular expression for the values of the header that tell all of `tags`."""
    return ".*" + "".join(_tag(tag, tags[tag]) for tag in sorted(tags))


def _tag(tag: str, value: str) -> str:
    # Tags are letters, digits and a few marks, of which only the dot means something else here. As
    # in the original the dots of names are left to match any character.
    told = "" if value == ANY else f"[^&]*{value}[,&]".replace(".", r"\.")
    return f"&{tag}={told}.*"
