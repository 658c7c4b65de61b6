"""The garbage collector of the signalling process: it works while nobody waits.

Calls and connections leave no cycles behind (tests hold them to that), so all but a little is
freed as it is let go of. The collector's own rule is to walk through what is new whenever there is
much of it: through the calls that stand, for nothing, and set-ups waited 10 to 130 ms for that. So
it is off, and once a second somebody looks whether it is worth while.
"""

import gc
from collections.abc import Callable
from typing import Final

from b2bua.heap import return_freed

WORTHWHILE: Final = 5_000
"Objects more than there were behind the last walk, while there are no calls."

INTOLERABLE: Final = 1_000_000
"""The same while there are some: between 100 and 200 MB. Three hundred calls a second have as many
alive by themselves, for the half minute that their transactions last; a walk is due then, and no
other one until they are a million more."""


class Collector:
    """Decides when to walk."""

    def __init__(
        self,
        grown: Callable[[], int] = lambda: gc.get_count()[0],
        collect: Callable[[], object] = gc.collect,
        settle: Callable[[], None] = return_freed,
    ) -> None:
        """`grown`: tells how many objects there are more than behind the last walk."""
        self._grown = grown
        self._collect = collect
        self.settle = settle
        "Gives freed memory back to the system: after the start, and after the calls."

    def begin(self) -> None:
        """Switch it off; what was imported until now is looked at no more."""
        gc.collect()
        gc.freeze()
        gc.disable()

    def look(self, *, idle: bool) -> None:
        """Walk where that is worth while; `idle`: there are no calls."""
        if self._grown() > (WORTHWHILE if idle else INTOLERABLE):
            self._collect()
            if idle:
                self.settle()
