"""A telephone's answer to a challenge (:rfc:`2617`), without qop, as simple phones give it."""

import hashlib
import re


def authorization(challenge: str, *, user: str, password: str, method: str, uri: str) -> str:
    """Return the header line that answers the challenge of a 401."""
    found = re.search(r'realm="([^"]*)".*?nonce="([^"]*)"', challenge)
    assert found is not None, challenge
    realm, nonce = found.groups()
    ha1, ha2 = (
        hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        for text in (f"{user}:{realm}:{password}", f"{method}:{uri}")
    )
    answer = hashlib.md5(f"{ha1}:{nonce}:{ha2}".encode(), usedforsecurity=False).hexdigest()
    return (
        f'Authorization: Digest username="{user}", realm="{realm}", nonce="{nonce}", '
        f'uri="{uri}", response="{answer}", algorithm=MD5\r\n'
    )
