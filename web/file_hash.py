"""Whether a recording's file is still the one that was written: its hash, taken anew."""

import asyncio
import functools
import os
from hashlib import sha256

from web.context import Web
from web.errors import UnavailableError

CHUNK = 1 << 20
"Octets between two looks at the clock; at 24 kbit/s six minutes of talk."


async def file_hash(web: Web, relative_path: str) -> str | None:
    """Return the SHA-256 of a file in hexadecimal; None where it is not there any more.

    Raises `UnavailableError` where the disk does not answer in time.
    """
    opened = functools.partial(web.ports.recordings.open, relative_path)
    try:
        descriptor = await web.disk.run(opened, abandoned=os.close)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise UnavailableError("the recording can't be read just now") from error
    try:
        async with asyncio.timeout(web.settings.check_s):
            return await _hash_of(web, descriptor)
    except (OSError, TimeoutError) as error:
        raise UnavailableError("the recording can't be read just now") from error
    finally:
        os.close(descriptor)


async def _hash_of(web: Web, descriptor: int) -> str:
    digest, position = sha256(), 0
    while True:
        chunk = await web.disk.run(functools.partial(os.pread, descriptor, CHUNK, position))
        if not chunk:
            return digest.hexdigest()
        digest.update(chunk)
        position += len(chunk)
