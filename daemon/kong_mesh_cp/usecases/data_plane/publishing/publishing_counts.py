"""What publishing has done, as numbers; `publishing_metrics` shows them."""

from __future__ import annotations


class PublishingCounts:
    """Since the start of this process. Seconds are of the event loop."""

    def __init__(self) -> None:
        self.passes = 0
        self.pass_seconds = 0.0
        self.published_total = 0  # snapshots that said something new
        self.publish_seconds = 0.0  # of all of them, from the change until it was published
        self.faults = 0  # of this program, see `Publishing`
        self.full_passes = 0
        self.full_pass_finds = 0

    def worked(self, seconds: float) -> None:
        self.pass_seconds += seconds

    def passed(self, seconds: float) -> None:
        """A pass has ended, `seconds` after its last slice began."""
        self.passes += 1
        self.pass_seconds += seconds

    def published(self, seconds: float) -> None:
        """A snapshot is there, `seconds` after the change that it follows from."""
        self.published_total += 1
        self.publish_seconds += seconds
