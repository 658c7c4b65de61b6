#!/usr/bin/env python3
"""Write docs/state-machines.md from the tables that the server runs on.

Run it after a change of a table; a test compares. With `--check` it only tells, by its exit
status, whether the file is what the tables say.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "state-machines.md"

sys.path.insert(0, str(ROOT))

from sip import registering  # noqa: E402 - found by the line above
from sip.subscription_state import PACE, PaceAction, PaceState  # noqa: E402
from sip.transaction import MACHINES, Input, Machine, State  # noqa: E402
from sip.usage_state import CLIENT_USAGE, SERVER_USAGE, Table, UsageState  # noqa: E402

INTRODUCTION = """\
# State machines

Written by `scripts/draw_state_machines.py` from the tables that the server runs on: change a
table, run the script. An arrow says what happens, and behind the stroke what is done, in this
order. What is not drawn does nothing.

## Transactions

RFC 3261 section 17 with RFC 6026 (`sip/transaction.py`, whose words these are). Timers A, E and G
don't run over TCP and TLS, and D, I, J and K are over at once there.
"""

USAGES = """\
## Dialogs

The life of an INVITE dialog (`sip/usage_state.py`): what the next call of the application, or
message of the peer, may be. RFC 3261 sections 12 to 15, RFC 5057.
"""

REGISTRATION = """\
## Our registration with a provider

`sip/registering.py`; RFC 3261 section 10.2, RFC 5626. `SHAKY` still holds, but the last try to
prolong it failed.
"""

LAMPS = """\
## What a lamp is told

The pace of the NOTIFYs of one subscription (`sip/subscription_state.py`): one at a time, and a
rest between two. RFC 6665 section 4.2.
"""

Edge = tuple[str, str, str]
"From, to, and what is written on the arrow."


def machine_edges(machine: Machine) -> Iterator[Edge]:
    """Return the arrows of a transaction."""
    yield "[*]", machine.start.state.name, _label("", (a.name for a in machine.start.actions))
    for state, row in machine.table.items():
        for given in (each for each in Input if each in row):
            rule = row[given]
            if rule.state is state and not rule.actions:
                continue
            yield state.name, rule.state.name, _label(given.name, (a.name for a in rule.actions))
    yield State.TERMINATED.name, "[*]", ""


def usage_edges(table: Table, start: UsageState) -> Iterator[Edge]:
    """Return the arrows of a usage."""
    yield "[*]", start.name, ""
    for state, row in table.items():
        for given, following in row.items():
            if state is not UsageState.ENDED:
                yield state.name, following.name, given.name
    yield UsageState.ENDED.name, "[*]", ""


def registration_edges() -> Iterator[Edge]:
    """Return the arrows of a registration of ours."""
    yield "[*]", registering.State.OUT.name, ""
    for state, row in registering.TABLE.items():
        for given, following in row.items():
            if following is not state:
                yield state.name, following.name, given.name
    yield registering.State.GONE.name, "[*]", ""


def pace_edges() -> Iterator[Edge]:
    """Return the arrows of a subscription to a lamp."""
    yield "[*]", PaceState.QUIET.name, "SUBSCRIBE"
    for state, row in PACE.items():
        for given, step in row.items():
            done = (step.action,) if step.action is not PaceAction.NOTHING else ()
            if step.state is not state or done:
                label = _label(given.name, (action.name for action in done))
                yield state.name, step.state.name, label
    yield PaceState.OVER.name, "[*]", ""


def _label(given: str, actions: Iterable[str]) -> str:
    done = ", ".join(actions)
    return f"{given} / {done}" if given and done else given or done


def diagram(title: str, edges: Iterable[Edge]) -> str:
    """Return one diagram; arrows between the same states are one."""
    labels: dict[tuple[str, str], list[str]] = {}
    for source, target, label in edges:
        labels.setdefault((source, target), []).append(label)
    lines = [f"### {title}", "", "```mermaid", "stateDiagram-v2"]
    for (source, target), written in labels.items():
        text = "<br>".join(label for label in written if label)
        lines.append(f"    {source} --> {target}{f': {text}' if text else ''}")
    return "\n".join([*lines, "```", ""])


def page() -> str:
    """Return the whole page."""
    transactions = [
        diagram(machine.name[0].upper() + machine.name[1:], machine_edges(machine))
        for machine in MACHINES
    ]
    usages = [
        diagram("A call that comes in", usage_edges(SERVER_USAGE, UsageState.OFFERED)),
        diagram("A call of ours", usage_edges(CLIENT_USAGE, UsageState.CALLING)),
    ]
    registration = diagram("From the first REGISTER to the last", registration_edges())
    lamps = diagram("From SUBSCRIBE to the last NOTIFY", pace_edges())
    return "\n".join(
        [INTRODUCTION, *transactions, USAGES, *usages, REGISTRATION, registration, LAMPS, lamps]
    )


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text("utf-8") == page() else 1
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
