# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors

"""The names and places of a space on a node, as the code derives them.

What they are is held by tests/unit, against the roles' variables, the unit templates and the
documentation.
"""

from __future__ import annotations

from tools import collection

# Benchmarks are programs of their own.
collection.importable()

from ansible_collections.archipel.spaces.plugins.module_utils._core._layout import Layout  # noqa: E402
from ansible_collections.archipel.spaces.plugins.module_utils._core._unit_names import (  # noqa: E402
    Units,
)

__all__ = ["Layout", "Units"]
