"""The resource that a proxy brings along: JSON, or YAML as people write it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from kong_mesh_cp.core.formats import strict_json
from kong_mesh_cp.core.lazy_import import lazy_import

if TYPE_CHECKING:
    import yaml
else:  # kuma-dp sends JSON
    yaml = lazy_import("yaml")

YAML_CHARACTERS_MAX: Final = 64 * 1024  # a large Dataplane has some KiB

_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


def read_resource_text(text: str) -> object:
    """The JSON document in `text`. Raises: ValueError."""
    try:
        return strict_json.parse(text.encode())
    except strict_json.StrictJsonError as error:
        if len(text) > YAML_CHARACTERS_MAX:
            raise ValueError(f"it is no JSON ({error.message}), and too long for YAML") from None
    except UnicodeError:
        raise ValueError("it is no text") from None
    try:
        return yaml.load(text, _loader())
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"it is no YAML: {error}") from None


@cache
def _loader() -> type[Any]:
    base: Any = yaml.SafeLoader

    class JsonLike(base):  # type: ignore[misc]
        """Dates stay texts, and nothing stands for something else."""

        yaml_implicit_resolvers = {  # noqa: RUF012 (the library's own)
            first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("an alias is not taken")
            return super().compose_node(parent, index)

    return JsonLike
