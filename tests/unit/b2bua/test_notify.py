import contextlib
import os
import socket
from pathlib import Path

import pytest

from b2bua.notify import notify


def test_words_reach_the_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        notify("READY=1", "STATUS=sip 127.0.0.1:5060")
        assert manager.recv(100) == b"READY=1\nSTATUS=sip 127.0.0.1:5060"


def test_a_manager_that_does_not_read_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        for _ in range(2000):
            notify("WATCHDOG=1")
        manager.setblocking(False)
        heard = 0
        with contextlib.suppress(BlockingIOError):
            while manager.recv(100):
                heard += 1
    assert 0 < heard < 2000


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/notify")
    notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
    assert "NOTIFY_SOCKET" not in os.environ
