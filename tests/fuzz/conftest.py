# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""How much is tried: the same inputs in each `make check`, others in each `make fuzz`."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir

# Makes the collection importable.
from tests.conftest import ROOT

# What it keeps of its own lies with all else that is made.
set_hypothesis_home_dir(ROOT / "build/hypothesis")
_COMMON: dict[str, Any] = {
    # A host that does other things is slow now and then: tests that bound time do it themselves.
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    "database": None,
}
settings.register_profile("check", derandomize=True, max_examples=150, **_COMMON)
settings.register_profile(
    "long",
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "5000")),
    print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.target, Phase.shrink],
    **_COMMON,
)
settings.load_profile("check")
