"""The signalling process from start to stop: lock, logs, loop, signals, exit code."""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine

from b2bua.collector import Collector
from b2bua.config import Config
from b2bua.datadir import DataFolder
from b2bua.errors import MitschnittError, StartError
from b2bua.logs import logging_to_stderr
from b2bua.service import Service
from b2bua.settings.media import LEGS_PER_CALL
from rtp.io.socket import DescriptorLimitError, descriptors_needed, raise_descriptor_limit
from sip.io.tcp import TcpLimits

logger = logging.getLogger("b2bua.server")


def run_server(config: Config, folder: DataFolder) -> None:
    """Serve until SIGTERM or SIGINT; raises `MitschnittError` where that can't begin."""
    with folder.locked() as lock_fd, logging_to_stderr():
        allow_descriptors(config)
        _run(_serve(config, folder, lock_fd))


def allow_descriptors(config: Config) -> None:
    """Raise the soft limit to what the configured calls and connections need.

    Children inherit it.
    """
    streams = [name for name in config.sip.transports if name != "udp"]
    connections = TcpLimits().max_connections * len(streams) * len(config.sip.listen)
    legs = -(-config.media.max_calls // config.media.workers) * LEGS_PER_CALL
    try:
        raise_descriptor_limit(descriptors_needed(legs) + connections)
    except DescriptorLimitError as error:
        raise StartError(f"max_calls = {config.media.max_calls}: {error}") from error


async def _serve(config: Config, folder: DataFolder, lock_fd: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    collector = Collector()
    collector.begin()
    service = Service(config, folder, lock_fd, collector)
    try:
        async with asyncio.TaskGroup() as group:
            reloading = group.create_task(_reload_on_hangup(service))
            try:
                await service.run(stop)
            finally:
                reloading.cancel()
    except* MitschnittError as group:
        raise _first(group) from None


async def _reload_on_hangup(service: Service) -> None:
    """Read the certificates again whenever SIGHUP asks for it."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    while True:
        await asked.wait()
        asked.clear()
        await service.reload()


def _first(group: BaseExceptionGroup[MitschnittError]) -> MitschnittError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, MitschnittError)
    return error


def _run(main: Coroutine[None, None, None]) -> None:
    """Run on uvloop where it is installed: signalling is two to three times cheaper."""
    try:
        import uvloop  # noqa: PLC0415 - works without it
    except ImportError:
        logger.info("uvloop is not installed, running on asyncio's own loop")
        asyncio.run(main)
        return
    if sys.version_info >= (3, 12):
        asyncio.run(main, loop_factory=uvloop.new_event_loop)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)
