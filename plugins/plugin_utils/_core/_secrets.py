# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Every secret of a space is derived from one master key, and never stored on the controller."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MINIMUM_MASTER_KEY = 32


def derive(master_key: str, purpose: str, slug: str, rotation: int = 0, length: int = 24) -> str:
    """Return the secret of one purpose and one space.

    Args:
        master_key: the environment's key, at least 32 characters.
        purpose: what it is for, for instance ``database``.
        slug: the space.
        rotation: raise it to change this secret.
        length: bytes of key material; the text is longer (URL-safe base64).

    Raises:
        ValueError: the master key is too short to be one.

    """
    if len(master_key) < MINIMUM_MASTER_KEY:
        raise ValueError(
            f"archipel_master_key has {len(master_key)} characters; "
            f"at least {MINIMUM_MASTER_KEY} are needed"
        )
    info = f"archipel/1/{purpose}/{slug}/{rotation}".encode()
    key = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(
        master_key.encode()
    )
    return base64.urlsafe_b64encode(key).decode().rstrip("=")
