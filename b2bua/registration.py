"""REGISTER as phones send it: the registrar's answer, and bindings that survive a restart."""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from b2bua.config import SipConfig
from b2bua.directory import Extension
from cdr.journal import Journal
from cdr.queries import ReadOnly
from cdr.records import BindingRemoved, BindingStored
from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.events import RequestOffered
from sip.registrar import Binding, BindingChange, Registrar

logger = logging.getLogger("b2bua.registration")


class Registrations:
    """The registrar with its memory."""

    def __init__(
        self, config: SipConfig, journal: Journal, endpoint: Endpoint, kick: Callable[[], None]
    ) -> None:
        self.registrar = Registrar(
            min_expires=config.min_expires_s,
            max_expires=config.max_expires_s,
            max_contacts=config.max_contacts,
        )
        self._journal = journal
        self._endpoint = endpoint
        self._kick = kick
