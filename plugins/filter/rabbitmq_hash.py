# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Filter rabbitmq_hash: a password as RabbitMQ keeps it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: rabbitmq_hash
short_description: A password as RabbitMQ keeps it
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Salted SHA-256, as C(password_hash) of RabbitMQ's definitions wants it. The salt follows from
    the password, so that the same password always gives the same text; use it for passwords nobody
    could guess, such as derived ones.
options:
  _input:
    description: The password.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Declare a user
  ansible.builtin.set_fact:
    user: {name: office, password_hash: "{{ password | archipel.spaces.rabbitmq_hash }}", tags: []}
"""

RETURN = r"""
_value:
  description: Salt and digest in base64.
  type: str
"""

import base64
import hashlib
import typing as t

SALT_BYTES = 4


def rabbitmq_hash(password: str) -> str:
    """Return the hash of a password."""
    secret = password.encode()
    salt = hashlib.sha256(b"salt:" + secret).digest()[:SALT_BYTES]
    return base64.b64encode(salt + hashlib.sha256(salt + secret).digest()).decode()


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"rabbitmq_hash": rabbitmq_hash}
