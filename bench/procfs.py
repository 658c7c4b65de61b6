"""What a tree of processes uses, as /proc tells it."""

import os
from collections.abc import Mapping
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name, so index 1 is the parent."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text[text.rfind(")") + 2 :].split()


def tree(root: int) -> list[int]:
    """The process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def cpu_s(root: int) -> float:
    """User and system seconds of the tree, ended and waited-for children included."""
    ticks = 0
    for pid in tree(root):
        if fields := _stat(pid):
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICK


def cpu_by_process(root: int) -> dict[str, float]:
    """CPU seconds by process, named by command and pid."""
    used = {}
    for pid in tree(root):
        if fields := _stat(pid):
            used[f"{command(pid)}:{pid}"] = sum(int(field) for field in fields[11:15]) / _TICK
    return used


def command(pid: int) -> str:
    """What the process is: its Python module, or its program's name."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "?"
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    return Path(words[0]).name


def pss_by_process(root: int) -> dict[str, int]:
    """Proportional set size of each process of the tree, KB."""
    sizes = {}
    for pid in tree(root):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                sizes[f"{command(pid)}:{pid}"] = int(line.split()[1])
    return sizes


def pss_kb(root: int) -> int:
    """Proportional set size of the tree, KB."""
    return sum(pss_by_process(root).values())


def by_module(values: Mapping[str, float]) -> dict[str, float]:
    """Sum what processes of the same name have."""
    sums: dict[str, float] = {}
    for name, value in values.items():
        module = name.partition(":")[0]
        sums[module] = sums.get(module, 0) + value
    return sums


def udp_drops(ports: set[int]) -> int:
    """Datagrams that the kernel dropped at these local ports because of full buffers."""
    drops = 0
    for line in Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) in ports:
            drops += int(fields[12])
    return drops
