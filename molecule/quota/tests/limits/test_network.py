# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The network's walls, which stand round slices: containers often have no kernel for them."""

from __future__ import annotations

import pytest

from tests.support.sandbox import SLICE, Programs
from tests.support.scenario import Scenario

SLUG = "velo-ecole"
TRY = """
import socket

def send():
    # The answer does not matter: what is refused does not leave.
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (address, 9))

def listen():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("0.0.0.0", 0))

print(json.dumps([attempt(send), attempt(listen)]))
"""
# In the private network of the machine, on the machine itself, outside.
PRIVATE, OWN, OUTSIDE = "10.0.2.2", "127.0.0.1", "192.0.2.1"


@pytest.mark.parametrize("address", [PRIVATE, OWN])
def test_a_space_reaches_no_neighbour_and_offers_nothing(programs: Programs, address: str):
    assert programs.inside(SLUG, TRY, address=address) == ["EPERM", "EPERM"]


def test_a_space_reaches_the_world(programs: Programs):
    assert programs.inside(SLUG, TRY, address=OUTSIDE) == ["", "EPERM"]


def test_it_is_the_slice_that_holds_it(programs: Programs):
    assert programs.outside(SLUG, TRY, address=PRIVATE) == ["", ""]


def test_an_exception_holds_once_the_units_are_read_again(scenario: Scenario, programs: Programs):
    """What already runs in the slice must not stand in the way."""
    machine = scenario.machine
    path = f"/etc/systemd/system/{SLICE}"
    before = machine.execute("cat", path)
    machine.execute("systemd-run", "--quiet", f"--slice={SLICE}", "--unit=stays", "sleep", "600")
    try:
        allowed = f"{before}IPAddressAllow={PRIVATE}\n"
        machine.execute("sh", "-c", f"cat > {path} && systemctl daemon-reload", stdin=allowed)
        assert programs.inside(SLUG, TRY, address=PRIVATE) == ["", "EPERM"]
        assert programs.inside(SLUG, TRY, address=OWN) == ["EPERM", "EPERM"]
    finally:
        machine.execute("sh", "-c", f"cat > {path} && systemctl daemon-reload", stdin=before)
        machine.execute("systemctl", "stop", "stays.service")
    assert programs.inside(SLUG, TRY, address=PRIVATE) == ["EPERM", "EPERM"]
