"""Build the wheel, install it into an empty environment and use it outside the clone.

Catches what an editable installation hides: a package or a data file that is missing in
the wheel, tests that are inside it, a dependency that nobody declared.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_IN_WHEEL = ("tests/", "bench/", "scripts/")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command to its end and return what it printed; its failure is ours."""
    done = subprocess.run(  # noqa: S603 - our own commands, no shell
        [str(word) for word in command],
        cwd=cwd,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def build(folder: Path) -> Path:
    """Build the wheel with the pinned back end and return its path."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("mitschnitt-*.whl")
    strangers = [
        name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(NOT_IN_WHEEL)
    ]
    if strangers:
        sys.exit(f"does not belong into the wheel: {strangers}")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel and its pinned dependencies; return the environment's programs."""
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "-q", "--python", sys.executable, folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    requirements = ROOT / "requirements" / "run.txt"
    into = ("install", "-q", "--python", python)
    run(uv, "pip", *into, "--require-hashes", "-r", requirements, cwd=folder)
    run(uv, "pip", *into, "--no-deps", wheel, cwd=folder)
    return python.parent


def use(programs: Path, folder: Path) -> None:
    """Make a data folder and check its configuration as a new operator would."""
    mitschnitt = programs / "mitschnitt"
    sys.stdout.write(run(mitschnitt, "--version", cwd=folder))
    run(mitschnitt, "init", "--data", folder / "data", cwd=folder)
    run(mitschnitt, "check-config", "--data", folder / "data", cwd=folder)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mitschnitt-wheel-") as name:
        folder = Path(name)
        wheel = build(folder)
        programs = install(wheel, folder)
        use(programs, folder)
        sys.stdout.write(f"{wheel.name}: installed and used outside the clone\n")


if __name__ == "__main__":
    main()
