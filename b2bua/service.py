"""The composition root: opens the parts in order, closes them in the opposite one."""

import asyncio
import contextlib
import logging
import os
import random
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from importlib.metadata import version as package_version

from b2bua.addresses import Addresses
from b2bua.authentication import ALLOW_IN_CALLS, SUPPORTED, Gate
from b2bua.calls.inbox import Attachable
from b2bua.calls.services import CallServices
from b2bua.calls.sessions.media_way import MediaWays
from b2bua.calls.switchboard import Switchboard
from b2bua.collector import Collector
from b2bua.config import Config
from b2bua.control.administration import Administration
from b2bua.control.messages import AnyRequest, Done, GetStatus, InstallPrompt, Reply
from b2bua.control.prompt_changes import PromptChanges
from b2bua.control.socket import Handler, control_server
from b2bua.datadir import DataFolder
from b2bua.directory import Directory
from b2bua.errors import StartError
from b2bua.listening import binds, read_certificates
from b2bua.media.plane import MediaPlane, media_plane
from b2bua.notify import notify
from b2bua.recovery import adopt_orphan, recover_after_crash
from b2bua.registration import Registrations
from b2bua.routing import DialPlan
from b2bua.settings.values import TRANSPORTS
from b2bua.status import Status
from b2bua.trunks.asking import Office
from b2bua.trunks.desk import TrunkDesk
from b2bua.trunks.trunk import Trunks
from b2bua.voice_book import VoiceBook
from b2bua.wall_clock import wall_us
from b2bua.web.child import WebPages, open_web
from cdr.errors import CdrError
from cdr.journal import Journal
from cdr.own_reading import every_extension, living_bindings, read
from cdr.store import prepare
from recording.folder import Folder
from recording.storage import check as check_storage
from sip.address import Flow
from sip.digest import Challenger
from sip.endpoint import Endpoint
from sip.events import Event, RequestCompleted
from sip.io.dns import Dns
from sip.io.listen import ListenError
from sip.io.resolver import Resolver
from sip.io.shell import Shell
from sip.io.tls import Tls, TlsError
from sip.locating import Answer, Destination, RecordType
from sip.session_timer import SessionPolicy

logger = logging.getLogger("b2bua.service")

HOUSEKEEPING_S = 1.0

NAMES_PATIENCE_S = 3.0
"For the trunks' names at the start; what takes longer is looked up while calls go on."


class Service:
    """A running server."""

    def __init__(
        self, config: Config, folder: DataFolder, lock_fd: int, collector: Collector
    ) -> None:
        self._config = config
        self._collector = collector
        self._folder = folder
        self._recordings = folder.recordings(config.storage.folder)
        self._lock_fd = lock_fd
        self._directory = Directory()
        self._addresses = Addresses(config.sip)
        self._names = Resolver(
            self._ask_name_servers,
            transports=[TRANSPORTS[name] for name in config.sip.transports],
            families=self._addresses.families,
        )
        self._name_servers: Dns | None = None
        self._trunks = Trunks(config.trunk, self._names)
        self._desk: TrunkDesk | None = None
        self._voices = VoiceBook(config.consent.language, folder.prompts, config.music.file)
        self._version = package_version("mitschnitt")
        self._tls: Tls | None = None
        self._switchboard: Switchboard | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        async with contextlib.AsyncExitStack() as stack:
            enter = stack.enter_async_context
            await self._prepare()
            journal = await enter(Journal.open(self._folder.database))
            administration = Administration(journal, self._config.sip.realm, self._directory)
            await recover_after_crash(self._folder.database, self._recordings, journal)
            plane = await enter(self._open_plane())
            endpoint = self._make_endpoint()
            transport = await enter(self._open_transport(endpoint))
            registrations = Registrations(self._config.sip, journal, endpoint, transport.kick)
            await self._load(registrations)
            endpoint.send_large_requests(lambda to: self._addresses.flow_to("TCP", to))
            endpoint.answer_life_signs(registrations.registrar.has_flow)
            await enter(self._open_names())
            desk = self._desk = TrunkDesk(self._trunks, self._office(endpoint, transport))
            transport.registered_flows = lambda: registrations.registrar.flows() | desk.flows()
            transport.on_connection_lost = lambda flow: _lost(flow, registrations, desk)
            services = self._services(endpoint, transport, plane, journal, registrations)
            pages = await enter(self._open_web())
            self._switchboard = Switchboard(services, registrations)
            status = Status(
                version=self._version,
                endpoint=endpoint,
                transport=transport,
                plane=plane,
                journal=journal,
                registrations=registrations,
                pages=pages,
                switchboard=self._switchboard,
                trunks=self._trunks,
                tls=self._tls,
            )
            prompts = PromptChanges(self._folder, journal, lambda: self._read_prompts(plane))
            handler = _handler(administration, prompts, status)
            socket = self._folder.control_socket
            await enter(control_server(socket, handler, web_pid=lambda: pages.pid))
            await plane.ready()
            await enter(self._switchboard.open())
            await enter(desk.open())
            self._warn(services.plan)
            self._collector.settle()
            logger.info("ready", extra={"sip": str(endpoint.contact)})
            notify("READY=1", f"STATUS=sip {endpoint.contact}")
            await self._keep_house(stop, registrations)
            notify("STOPPING=1")
            logger.info("stopping", extra={"calls": len(self._switchboard)})
        logger.info("stopped")

    def _warn(self, plan: DialPlan) -> None:
        """Say what in the configuration may not be meant so."""
        for warning in self._config.warnings():
            logger.warning(warning)
        for group, number in plan.strangers():
            named = {"group": group, "number": number}
            logger.warning("a group has a number that there is none of", extra=named)

    async def _prepare(self) -> None:
        """Make sure of database and folder before anything else depends on them."""
        try:
            await asyncio.to_thread(prepare, self._folder.database)
        except CdrError as error:
            raise StartError(str(error)) from error
        state = await asyncio.to_thread(check_storage, Folder(self._recordings))
        if state.trouble is not None:
            raise StartError(f"recordings' folder {self._recordings}: {state.trouble}")

    async def _load(self, registrations: Registrations) -> None:
        """Read what calls must not wait for: extensions and registrations."""
        database = self._folder.database
        self._directory.load(await asyncio.to_thread(read, database, every_extension()))
        bindings = await asyncio.to_thread(read, database, living_bindings(wall_us()))
        registrations.restore(bindings, self._addresses.restored)

    # --- parts

    def _open_plane(self) -> contextlib.AbstractAsyncContextManager[MediaPlane]:
        return media_plane(
            self._config.media,
            folder=self._recordings,
            quality=self._config.recording.quality,
            lock_fd=self._lock_fd,
            adopt=lambda recording: adopt_orphan(self._recordings, recording),
            sounds=self._voices.messages,
        )

    def _open_web(self) -> contextlib.AbstractAsyncContextManager[WebPages]:
        return open_web(
            self._config,
            database=self._folder.database,
            recordings=self._recordings,
            control_socket=self._folder.control_socket,
            version=self._version,
        )

    def _make_endpoint(self) -> Endpoint:
        gate = Gate(
            challenger=Challenger(self._config.sip.realm, secrets.token_bytes(32)),
            directory=self._directory,
            trunks=self._trunks,
            algorithms=self._config.sip.digest_algorithms,
            allow_no_qop=self._config.sip.allow_digest_without_qop,
            accepting=lambda: self._switchboard is not None and self._switchboard.accepting,
        )
        return Endpoint(
            contact=self._addresses.contact,
            authorize=gate.authorize,
            user_agent=f"Mitschnitt/{self._version}",
            allow=ALLOW_IN_CALLS,
            supported=SUPPORTED,
            session=SessionPolicy(
                expires_s=self._config.sip.session_expires_s,
                min_se_s=self._config.sip.min_session_expires_s,
            ),
        )

    @contextlib.asynccontextmanager
    async def _open_transport(self, endpoint: Endpoint) -> AsyncIterator[Shell]:
        try:
            self._tls = await asyncio.to_thread(read_certificates, self._config)
        except TlsError as error:
            raise StartError(f"TLS: {error}") from error
        shell = Shell(endpoint, binds(self._config), self._on_event, tls=self._tls)
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(shell)
            except ListenError as error:
                raise StartError(
                    f"SIP can't listen on {error.bind} ({error.transport}): {error.strerror}"
                ) from error
            self._addresses.listening = shell.listening
            endpoint.contact = self._addresses.contact
            endpoint.advertise(self._addresses.advertised)
            self._trunks.certified = shell.certificate_names
            yield shell

    def _services(
        self,
        endpoint: Endpoint,
        transport: Shell,
        plane: MediaPlane,
        journal: Journal,
        registrations: Registrations,
    ) -> CallServices:
        return CallServices(
            config=self._config,
            endpoint=endpoint,
            kick=transport.kick,
            plane=plane,
            journal=journal,
            directory=self._directory,
            registrar=registrations.registrar,
            plan=DialPlan(self._config, self._directory, self._trunks),
            voices=self._voices,
            ways=MediaWays(self._config.media, self._addresses),
            flow_to=self._way_to,
            recordings=self._recordings,
            clock=time.monotonic,
            attach=self._attach,
            flow_failed=registrations.flow_failed,
            changed=self._changed,
        )

    def _attach(self, usage: int, call: Attachable) -> None:
        self._board.attach(usage, call)

    def _changed(self, numbers: Iterable[str]) -> None:
        self._board.lamps.changed(numbers)

    @property
    def _board(self) -> Switchboard:
        assert self._switchboard is not None
        return self._switchboard

    @contextlib.asynccontextmanager
    async def _open_names(self) -> AsyncIterator[None]:
        """Know where the trunks' names are, before the first call if that goes quickly."""
        for trunk in self._trunks:
            for target in trunk.names:
                self._names.watch(target)
        async with self._names.open():
            await self._names.settle(NAMES_PATIENCE_S)
            yield

    def _way_to(self, place: Destination) -> Flow | None:
        return self._addresses.flow_to(place.transport, place.address, place.server_name)

    def _office(self, endpoint: Endpoint, transport: Shell) -> Office:
        return Office(
            endpoint=endpoint,
            kick=transport.kick,
            clock=time.monotonic,
            way=self._way_to,
            dice=random.random,
        )

    async def _ask_name_servers(self, name: str, kind: RecordType) -> Answer:
        if self._name_servers is None:
            self._name_servers = Dns(self._config.sip.nameservers)
        return await self._name_servers.ask(name, kind)

    # --- running

    def _read_prompts(self, plane: MediaPlane) -> None:
        """Read the prompts again after one was installed; raises `StartError`."""
        self._voices.reload()
        plane.load_sounds()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, RequestCompleted) and event.usage is None:
            if self._desk is not None:
                self._desk.completed(event)
        elif self._switchboard is not None:
            self._switchboard.on_event(event)

    async def reload(self) -> None:
        """Read the certificates again; what is wrong with them is logged, and the old ones stay."""
        if self._tls is None:
            return
        try:
            await asyncio.to_thread(self._tls.reload)
        except TlsError as error:
            logger.error("certificate not renewed", extra={"reason": str(error)})

    async def _keep_house(self, stop: asyncio.Event, registrations: Registrations) -> None:
        """Wait for the stop; meanwhile, once a second, do what has no event of its own."""
        while not stop.is_set():
            registrations.expire()
            self._board.lamps.keep_house()
            self._addresses.forget_routes()
            self._collector.look(idle=len(self._board) == 0)
            if "WATCHDOG_USEC" in os.environ:
                notify("WATCHDOG=1")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HOUSEKEEPING_S):
                    await stop.wait()


def _lost(flow: Flow, registrations: Registrations, desk: TrunkDesk) -> None:
    """Tell whoever lived on a connection that it has ended."""
    registrations.connection_lost(flow)
    desk.connection_lost(flow)


def _handler(administration: Administration, prompts: PromptChanges, status: Status) -> Handler:
    async def handle(request: AnyRequest, actor: str) -> Reply:
        if isinstance(request, GetStatus):
            return status.now()
        if isinstance(request, InstallPrompt):
            return await prompts.install(request, actor)
        await administration.change(request, actor)
        return Done()

    return handle
