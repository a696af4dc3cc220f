# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The filter that hashes passwords as RabbitMQ does."""

from __future__ import annotations

import base64
import hashlib

from ansible_collections.archipel.spaces.plugins.filter.rabbitmq_hash import FilterModule

rabbitmq_hash = FilterModule().filters()["rabbitmq_hash"]


def test_the_digest_is_of_salt_and_password():
    data = base64.b64decode(rabbitmq_hash("correct horse"))
    assert len(data) == 4 + 32
    assert data[4:] == hashlib.sha256(data[:4] + b"correct horse").digest()


def test_the_same_password_gives_the_same_text_and_another_another_salt():
    assert rabbitmq_hash("one") == rabbitmq_hash("one")
    salts = {base64.b64decode(rabbitmq_hash(word))[:4] for word in ("one", "two", "three")}
    assert len(salts) == 3
