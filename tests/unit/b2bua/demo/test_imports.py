"""The server's processes never load the GPL phones, however they are imported."""

import json
import subprocess
import sys
from pathlib import Path

import b2bua

PACKAGE = Path(b2bua.__file__).parent
CHILD = "b2bua.demo.pyvoip_phone"

IMPORT_ALL = "import sys, json, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)"
PRINT = "\nprint(json.dumps(sorted(sys.modules)))"


def modules() -> list[str]:
    """Return every module of the application but the phone itself and what migrates tables."""
    files = (path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py"))
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files}
    return sorted(name for name in names - {CHILD} if ".migrations" not in name)


def loaded_by(*names: str) -> set[str]:
    words = [sys.executable, "-W", "ignore", "-c", IMPORT_ALL + PRINT, *names]
    done = subprocess.run(words, check=True, capture_output=True, timeout=60, cwd=PACKAGE.parent)
    return set(json.loads(done.stdout))


def test_no_module_of_the_application_loads_pyvoip() -> None:
    names = modules()
    assert {"b2bua.cli", "b2bua.service", "b2bua.media.worker.__main__"} <= set(names)
    loaded = loaded_by(*names)
    assert set(names) <= loaded
    assert not {name for name in loaded if name.split(".")[0] in {"pyVoIP", "audioop"}}
    assert CHILD not in loaded


NOT_FOR_SIGNALLING = {
    "numpy",
    "soundfile",
    "pyVoIP",
    "b2bua.demo.judge",
    "aiosqlite",
    "alembic",
    "argon2",
    "fastapi",
    "jinja2",
    "rich",
    "sqlalchemy",
    "urllib.request",
}
"Each of them is megabytes, which the process of the calls would keep for as long as it runs."


def test_the_command_line_and_signalling_load_nothing_that_is_for_others() -> None:
    loaded = loaded_by("b2bua.cli", "b2bua.server")
    assert not NOT_FOR_SIGNALLING & loaded
