"""Where browsers find the console, beside the API and on its listeners."""

from __future__ import annotations

from urllib.parse import urlsplit

from kong_mesh_cp.core.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The paths of the console and of the API, as the daemon sees them and as browsers do."""

    base_path: str  # of the console, without a slash at its end
    root_url: str  # where browsers find it, if that is elsewhere; "" if not
    api_path: str  # of the API; "/" at the root

    @property
    def shown_path(self) -> str:
        """The path of the console in the address bar, without a slash at its end."""
        return urlsplit(self.root_url).path if self.root_url else self.base_path

    @property
    def shown_api_path(self) -> str:
        """The path that a page puts before those of the API; "" for none.

        A proxy that puts something before the console's path puts it before the API's, too.
        """
        before = ""
        if self.shown_path.endswith(self.base_path):
            before = self.shown_path.removesuffix(self.base_path)
        return (before + self.api_path).rstrip("/")
