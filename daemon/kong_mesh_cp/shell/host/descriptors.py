"""The limit on open files and sockets of this process."""

from __future__ import annotations

import logging
import resource

log = logging.getLogger(__name__)


def raise_descriptor_limit(wanted: int) -> int:
    """Let this process open `wanted` descriptors, or as many as it is allowed to ask for.

    A shell usually allows 1,024 and lets a program ask for many more (getrlimit(2)); with the
    unit file it is LimitNOFILE=. One listener that uses them all up would starve the others.
    Gives how many of `wanted` it may open now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        log.warning(
            "descriptors-few: this process may open %d files, and its listeners together could"
            " use %d: they take as much less. Allow more (ulimit -Hn %d, LimitNOFILE=%d).",
            most,
            wanted,
            wanted,
            wanted,
        )
    return most
