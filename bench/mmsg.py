"""`sendmmsg` and `recvmmsg` over numpy arrays, through ctypes (Linux, 64 bit).

Python's socket module moves one datagram per call; a load generator on the same two cores as
the server can't afford that. The message vectors are structured arrays laid out as the
kernel's `struct mmsghdr`, so changing all of a step's addresses is one numpy operation.
"""

import ctypes
import errno
import os
import platform
import signal
import socket
import struct

import numpy as np
from numpy.typing import NDArray

MSG_DONTWAIT = 0x40
MSG_TRUNC = 0x20
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
CONTROL = 32
"Room for one `struct timespec`: 16 octets of header, 16 of data."
PR_SET_PDEATHSIG = 1
PR_SET_TIMERSLACK = 29
SYS_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}.get(platform.machine(), -1)
SLICE_NS = 100_000

MMSGHDR = np.dtype(
    {
        "names": [
            "name",
            "namelen",
            "iov",
            "iovlen",
            "control",
            "controllen",
            "flags",
            "length",
        ],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
IOVEC = np.dtype([("base", "u8"), ("length", "u8")])

_libc = ctypes.CDLL(None, use_errno=True)
_sendmmsg = _libc.sendmmsg
_sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = (
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_uint,
    ctypes.c_int,
    ctypes.c_void_p,
)


def precise_timers() -> None:
    """Let this process's sleeps end on time (the default slack is 50 µs)."""
    _libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Have this process end (SIGTERM) when the one that started it is gone, even killed."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def short_slices(nice: int) -> None:
    """Ask the scheduler for slices of 0.1 ms, so that waking up comes soon (Linux 6.12).

    An older kernel ignores or refuses it; the generator's lag then tells.
    """
    # struct sched_attr: size, policy, flags, nice, priority, runtime (the slice, ns), ...
    attributes = struct.pack("=IIQiIQQQ", 48, os.SCHED_OTHER, 0, nice, 0, SLICE_NS, 0, 0)
    _libc.syscall(SYS_SCHED_SETATTR, 0, attributes, 0)


def sockaddr(host: str, port: int) -> bytes:
    """Return a `struct sockaddr_in`."""
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))


def udp_socket(host: str, receive_buffer: int = 16 << 20) -> socket.socket:
    """Return a bound socket with kernel timestamps and a large receive buffer."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setblocking(False)
    try:
        bound.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_buffer)
    except PermissionError:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    bound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    bound.bind((host, 0))
    return bound


def dropped(bound: socket.socket) -> int:
    """Datagrams that the kernel threw away because this socket's buffer was full."""
    inode = str(os.fstat(bound.fileno()).st_ino)
    with open("/proc/net/udp", encoding="ascii") as table:  # noqa: PTH123 - plain and hot enough
        for line in table:
            fields = line.split()
            if len(fields) > 12 and fields[9] == inode:
                return int(fields[12])
    return 0


class SendVector:
    """One step's packets: each call sends them and moves on to the next frame."""

    def __init__(
        self, sources: NDArray[np.uint64], length: int, stride: int, names: list[bytes]
    ) -> None:
        self.count = len(sources)
        self._stride = np.uint64(stride)
        self._names = np.frombuffer(b"".join(names), np.uint8)
        self._iov = np.zeros(self.count, IOVEC)
        self._base = self._iov["base"]
        self._base[:] = sources
        self._iov["length"] = length
        self._vector = np.zeros(self.count, MMSGHDR)
        spread = np.arange(self.count, dtype=np.uint64)
        self._vector["name"] = self._names.ctypes.data + 16 * spread
        self._vector["namelen"] = 16
        self._vector["iov"] = self._iov.ctypes.data + IOVEC.itemsize * spread
        self._vector["iovlen"] = 1
        self._address = self._vector.ctypes.data

    def send(self, fd: int, count: int) -> int:
        """Send the first `count`; return how many packets the kernel took."""
        done = 0
        while done < count:
            taken = _sendmmsg(
                fd, self._address + MMSGHDR.itemsize * done, count - done, MSG_DONTWAIT
            )
            if taken <= 0:
                break
            done += taken
        self._base += self._stride
        return done


class ReceiveVector:
    """Room for a batch of datagrams, of each the first `head` octets."""

    def __init__(self, size: int, head: int) -> None:
        self.size = size
        self.heads = np.zeros((size, head), np.uint8)
        names = self._names = np.zeros((size, 16), np.uint8)
        control = self._control = np.zeros((size, CONTROL), np.uint8)
        self.ports = names.view(">u2")[:, 1]
        self.times = control.view(np.int64)[:, 2:4]
        spread = np.arange(size, dtype=np.uint64)
        self._iov = np.zeros(size, IOVEC)
        self._iov["base"] = self.heads.ctypes.data + head * spread
        self._iov["length"] = head
        self._vector = np.zeros(size, MMSGHDR)
        self._vector["name"] = names.ctypes.data + 16 * spread
        self._vector["namelen"] = 16
        self._vector["iov"] = self._iov.ctypes.data + IOVEC.itemsize * spread
        self._vector["iovlen"] = 1
        self._vector["control"] = control.ctypes.data + CONTROL * spread
        self._vector["controllen"] = CONTROL
        self.lengths = self._vector["length"]
        self._address = self._vector.ctypes.data

    def receive(self, fd: int) -> int:
        """Return how many datagrams were there; never waits."""
        got = int(_recvmmsg(fd, self._address, self.size, MSG_DONTWAIT | MSG_TRUNC, None))
        if got >= 0:
            return got
        code = ctypes.get_errno()
        if code in {errno.EAGAIN, errno.EINTR}:
            return 0
        raise OSError(code, os.strerror(code))
