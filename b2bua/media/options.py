"""The command line of a child process, which only `b2bua/media/programs.py` writes."""

from collections.abc import Sequence


def read_options(words: Sequence[str]) -> dict[str, str]:
    """Return the values by their names: `--ports 20000-29999` is `{"--ports": "20000-29999"}`.

    Without `argparse`, which takes half a megabyte of each process.
    """
    return dict(zip(words[::2], words[1::2], strict=True))
