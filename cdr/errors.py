"""Errors of the records.

CdrError
├── AlreadyExistsError   a change would make a second one of its kind
├── NotFoundError        a change names something that isn't there
├── InvalidChangeError   a change that the tables' own rules refuse
├── JournalClosedError   the journal takes no more, or its queue is full
└── StoreError           the database can't be opened or made
    └── SchemaTooNewError    a newer version of this program has written it
"""


class CdrError(Exception):
    """A change or an opening that was refused; the text is for the operator."""


class AlreadyExistsError(CdrError):
    """There is one already."""


class NotFoundError(CdrError):
    """There is none."""


class InvalidChangeError(CdrError):
    """The tables' own rules refuse the change."""


class JournalClosedError(CdrError):
    """The journal takes no more: it is closed, or its queue is full."""


class StoreError(CdrError):
    """The database can't be opened or made."""


class SchemaTooNewError(StoreError):
    """A newer version of this program has written the database."""
