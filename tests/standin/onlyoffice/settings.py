# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The configuration as node-config puts it together: by file, then by folder; the last wins."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path


def load() -> dict[str, t.Any]:
    """Read default.json, <NODE_ENV>.json and local.json of every folder of NODE_CONFIG_DIR."""
    found: dict[str, t.Any] = {}
    for name in ("default", os.environ["NODE_ENV"], "local"):
        for folder in os.environ["NODE_CONFIG_DIR"].split(":"):
            path = Path(folder) / f"{name}.json"
            if path.is_file():
                merge(found, json.loads(path.read_text(encoding="utf-8")))
    return found


def merge(into: dict[str, t.Any], more: dict[str, t.Any]) -> None:
    """Lay one configuration over another."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
