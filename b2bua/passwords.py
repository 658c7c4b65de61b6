"""Passwords that are made, not chosen."""

import secrets
import string

PASSWORD_LENGTH = 24
"Characters; above 140 bits, typed once into a telephone's page."

ALPHABET = string.ascii_letters + string.digits


def new_password() -> str:
    """Return a password that nobody guesses."""
    return "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH))
