# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""No garbage is collected among what is known of all spaces."""

from __future__ import annotations

import gc
import typing as t
from contextlib import contextmanager

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile, and none among what was made meanwhile if all went well.

    What is read stays: looking through all of it again and again costs 5 to 12 % of the processor
    time of start and reading.
    Each task of each node is a fork of this process. Garbage collection there would look at all
    that is known of all spaces, and so copy it: a tenth of a run's processor time.
    """
    # What an earlier call froze may be garbage by now (meta: refresh_inventory).
    gc.unfreeze()
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collecting:
            gc.enable()
