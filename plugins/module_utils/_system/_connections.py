# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Whether somebody takes connections."""

from __future__ import annotations

import socket
import typing as t
from concurrent.futures import ThreadPoolExecutor

# Seconds in which a node that is there takes a connection, and how many are tried at a time.
PATIENCE, CALLS = 3.0, 16


def answering(addresses: t.Sequence[str], ports: t.Sequence[int]) -> list[str]:
    """Return where somebody takes a connection: a node that does is not lost."""
    places = [(address, port) for address in addresses for port in ports]

    def is_open(place: tuple[str, int]) -> bool:
        try:
            socket.create_connection(place, PATIENCE).close()
        except OSError:
            return False
        return True

    with ThreadPoolExecutor(max_workers=CALLS) as pool:
        found = zip(places, pool.map(is_open, places), strict=True)
    return [f"{address} port {port}" for (address, port), is_there in found if is_there]
