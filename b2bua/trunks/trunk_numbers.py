"""The numbers of one trunk: which of them are ours, and how each is written there.

How a number is read and written at all is `numbers.py`'s.
"""

from b2bua.settings.trunks import TrunkConfig


class TrunkNumbers:
    """What one trunk calls us, and is told of callers and called."""

    def __init__(self, settings: TrunkConfig) -> None:
        self._settings = settings
        self._forms = settings.numbers
        self._plan = settings.numbers.plan
        self._dids = {
            self._plan.same(number, bare=True): extension
            for number, extension in settings.dids.items()
        }
        self._first_dids = {
            extension: number for number, extension in reversed(settings.dids.items())
        }

    def called(self, number: str) -> str:
        """Return a number as it is to be asked for."""
        return self._plan.rewrite(number, self._forms.called)

    def own_number(self, dialled: str) -> str:
        """Return whose a number is that it calls: an extension's, or the number itself."""
        return self._dids.get(self._plan.same(dialled, bare=True), dialled)

    def is_fax(self, dialled: str) -> bool:
        """Tell whether a number that it calls is a fax's."""
        wanted = self._plan.same(dialled, bare=True)
        return any(wanted == self._plan.same(each, bare=True) for each in self._settings.fax)

    @property
    def fax_extensions(self) -> frozenset[str]:
        """Extensions behind the numbers of faxes."""
        return frozenset(self.own_number(each) for each in self._settings.fax)

    def has_did(self, dialled: str) -> bool:
        """Tell whether a number is one of those that it calls."""
        return self._plan.same(dialled, bare=True) in self._dids

    def incoming(self, number: str) -> str:
        """Return a caller's number as extensions and records see it."""
        return self._plan.rewrite(number, self._forms.incoming, bare=True)

    def shown_number(self, number: str, *, extension: bool) -> str:
        """Return the number that it is told of a caller: one of ours, or somebody outside."""
        settings = self._settings
        own = self._first_dids.get(number) if extension and settings.identity.show_dids else None
        shown = own or settings.caller_id
        return self.written(number, bare=False) if shown is None else self.written(shown)

    def written(self, number: str, *, bare: bool = True) -> str:
        """Return a number of ours as it wants it; `bare`: a whole one, even without a prefix."""
        return self._plan.rewrite(number, self._forms.caller, bare=bare)
