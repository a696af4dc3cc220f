# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter coolwsd_password: a password as Collabora Online keeps it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: coolwsd_password
short_description: Hash a password as coolwsd expects it
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - PBKDF2 with SHA-512, written as C(pbkdf2.sha512.iterations.salt.hash) in lower-case hexadecimal
    digits. coolwsd refuses the right password where they are upper-case.
  - The salt is made from a text, so that the same password gives the same result in each run.
positional: salt
options:
  _input:
    description: The password.
    type: str
    required: true
  salt:
    description: Any text that is not used elsewhere.
    type: str
    required: true
  iterations:
    description: Rounds.
    type: int
    default: 100000
"""

EXAMPLES = r"""
- name: Hash the password of the console
  ansible.builtin.set_fact:
    hashed: "{{ collabora_admin_password | archipel.spaces.coolwsd_password(inventory_hostname) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: What goes into admin_console.secure_password.
  type: str
"""

import hashlib
import typing as t

LENGTH = 64


def coolwsd_password(password: str, salt: str, iterations: int = 100_000) -> str:
    """Return the hash of a password."""
    grain = hashlib.sha512(f"coolwsd/{salt}".encode()).digest()
    key = hashlib.pbkdf2_hmac("sha512", str(password).encode(), grain, int(iterations), LENGTH)
    return f"pbkdf2.sha512.{int(iterations)}.{grain.hex()}.{key.hex()}"


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"coolwsd_password": coolwsd_password}
