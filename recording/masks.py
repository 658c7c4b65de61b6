"""What of a recording is silenced, though its time goes on: ranges of places on its axis."""


class Masks:
    """Ranges in their order, the last of which may be open."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []
        "Those that have ended, and reach into what was not mixed yet."
        self.since: int | None = None
        "Beginning of the one that has not."

    def begin(self, place: int) -> None:
        """Silence from a place on; within a mask there is no other one."""
        if self.since is None:
            self.since = place

    def end(self, place: int) -> None:
        """End the mask that is open."""
        if self.since is not None:
            self.ranges.append((self.since, place))
            self.since = None

    def before(self, end: int) -> list[tuple[int, int]]:
        """Return what is silent as far as `end`."""
        return self.ranges if self.since is None else [*self.ranges, (self.since, end)]

    def forget(self, place: int) -> None:
        """Let go of what lies before a place."""
        self.ranges = [each for each in self.ranges if each[1] > place]
