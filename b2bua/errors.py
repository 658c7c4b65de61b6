"""Errors that end a command or a start with a clear message, not with a traceback.

MitschnittError
├── UsageError        the call's words are off: exit code 2
├── ConfigError       the configuration can't be used: where and why
├── DataFolderError   the data folder is in use or can't be used
├── StartError        a port is taken, a limit is too low
├── ControlError      the running server refused or did not answer
└── DemoError         the demo's call did not come about: which step, and why
"""


class MitschnittError(Exception):
    """Something that the operator can mend; the text says how."""

    exit_code = 1


class UsageError(MitschnittError):
    """The call's words are off."""

    exit_code = 2


class ConfigError(MitschnittError):
    """The configuration can't be used."""


class DataFolderError(MitschnittError):
    """The data folder can't be used."""


class StartError(MitschnittError):
    """The server can't start."""


class ControlError(MitschnittError):
    """The running server refused a request or gave no answer."""


class DemoError(MitschnittError):
    """The demo could not be played to its end."""
