"""How the processes of the media plane are started."""

from collections.abc import Sequence
from pathlib import Path

from b2bua.children import ChildSpec
from b2bua.media.from_recorder import FromRecorder
from b2bua.media.from_worker import FromMediaWorker
from b2bua.settings.media import MediaConfig


def worker_spec(
    index: int, config: MediaConfig, rings: Sequence[int]
) -> ChildSpec[FromMediaWorker]:
    """Return the spec of a media worker, which has a slice of the ports for itself.

    `rings`: descriptors of its rings, one for each recorder.
    """
    ports = config.ports
    width = (ports.high - ports.low + 1) // config.workers & ~1
    low = ports.low + index * width
    return ChildSpec(
        name=f"media-{index}",
        module="b2bua.media.worker",
        arguments=lambda channel: [
            *("--channel", str(channel)),
            *("--ring", ",".join(map(str, rings))),
            *("--ports", f"{low}-{low + width - 1}"),
            *("--media-timeout", str(config.timeout_s)),
        ],
        inherited=tuple(rings),
        kind=FromMediaWorker,
    )


def recorder_spec(
    index: int,
    rings: Sequence[int],
    *,
    state_fd: int,
    folder: Path,
    quality: int,
    lock_fd: int,
) -> ChildSpec[FromRecorder]:
    """Return the spec of a recorder; `rings`: descriptors, one for each media worker."""
    return ChildSpec(
        name=f"recorder-{index}",
        module="b2bua.media.recorder",
        arguments=lambda channel: [
            *("--channel", str(channel)),
            *("--rings", ",".join(map(str, rings))),
            *("--state", str(state_fd)),
            *("--folder", str(folder)),
            *("--quality", str(quality)),
            *("--lock", str(lock_fd)),
        ],
        inherited=(*rings, state_fd, lock_fd),
        kind=FromRecorder,
    )
