# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Programs that run Archipel on one machine: the lab, the demo, the scenarios."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
