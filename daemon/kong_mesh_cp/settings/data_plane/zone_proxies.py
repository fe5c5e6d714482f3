"""What the proxies between zones tell each other."""

from __future__ import annotations

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.settings.lists import NAMES
from kong_mesh_cp.settings.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentalSettings:
    """What Kuma calls experimental."""

    ingress_tag_filters: tuple[str, ...] = option(
        NAMES,
        default=(),
        default_text="all tags",
        environment="KUMA_EXPERIMENTAL_INGRESS_TAG_FILTERS",
        doc="Beginnings of the names of tags. Of the instances of this zone other zones are told "
        "the tags alone that begin so (availableServices of a ZoneIngress); without any, all.",
    )
