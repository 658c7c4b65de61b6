"""Random secrets, and what the database knows of them."""

import hashlib
import secrets


def new_secret() -> str:
    """Return 256 random bits, safe in a cookie, a header and a form."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return the SHA-256 of a cookie's value or a token: random ones need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
