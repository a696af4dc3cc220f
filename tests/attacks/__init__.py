# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What a space tries against others, each in a sentence, and the defences that stand in its way."""

from __future__ import annotations

from tests.attacks import files, kernel, network, services
from tests.attacks.model import Attack

ATTACKS: tuple[Attack, ...] = (
    *files.ATTACKS,
    *kernel.ATTACKS,
    *services.ATTACKS,
    *network.ATTACKS,
)
