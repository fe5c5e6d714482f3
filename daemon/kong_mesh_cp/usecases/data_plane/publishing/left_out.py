"""What could not be made of configurations: in the log once for each content, and counted."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from kong_mesh_cp.core.formats.go.go_quote import go_quote

if TYPE_CHECKING:
    from kong_mesh_cp.core.xds.draft import Complaint
    from kong_mesh_cp.usecases.data_plane.publishing.watches import Watch

CONTENTS_MAX: Final = 1000  # different ones that are told apart; more are counted, not logged
REASON_CHARACTERS_MAX: Final = 500

log = logging.getLogger(__name__)


class LeftOut:
    """Of all connected proxies. What is over and comes again is logged again."""

    def __init__(self) -> None:
        self._of: dict[Watch, tuple[Complaint, ...]] = {}
        self._proxies: Counter[tuple[str, Complaint]] = Counter()

    def __len__(self) -> int:
        """Parts that were left out, of all proxies."""
        return self._proxies.total()

    def note(self, watch: Watch, complaints: tuple[Complaint, ...]) -> None:
        """Of the configuration that was made last for the proxy of `watch`."""
        before = self._of.pop(watch, ())
        if before == complaints:
            if complaints:
                self._of[watch] = complaints
            return
        mesh = watch.proxy.mesh
        for each in complaints:
            key = (mesh, each)
            self._proxies[key] += 1
            if self._proxies[key] == 1 and len(self._proxies) <= CONTENTS_MAX:
                log.warning(
                    "xds-part-left-out: mesh %s, proxy %s: %s was not made: %s. All else is sent;"
                    " mend what is named, and the part is sent at once.",
                    go_quote(mesh),
                    go_quote(watch.proxy.name),
                    go_quote(each.about),
                    go_quote(each.reason[:REASON_CHARACTERS_MAX]),
                )
        for each in before:
            key = (mesh, each)
            self._proxies[key] -= 1
            if not self._proxies[key]:
                del self._proxies[key]
        if complaints:
            self._of[watch] = complaints

    def forget(self, watch: Watch) -> None:
        """Its proxy has gone."""
        self.note(watch, ())
