"""A Google service account with a key of its own, as Google's key files have it."""

from __future__ import annotations


def service_account(token_uri: str, **changes: str) -> dict[str, str]:
    """Return a new account, whose tokens come from ``token_uri``."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": "p",
        "client_email": "robot@p.iam.example.com",
        "private_key": key.decode(),
        "private_key_id": "1",
        "token_uri": token_uri,
        **changes,
    }
