# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Which Nextcloud the demo and the tests run: the real one wherever there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """A release, what Ansible is told to use it, and what people are told."""

    sentence: str
    variables: dict[str, Any]


def choose() -> Choice:
    """Prefer an archive in artifacts/, then the vendor's download, then the stand-in."""
    return Choice("not chosen yet", {})
