# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What holds spaces back: systemd's filters round slices, which containers often have no kernel
for, each by itself and beside the firewall.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.network import Network
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
# In the private network of the machine, on the machine itself, outside; its name server. Not
# 127.0.0.1: where names end with .localhost the firewall leads a space from there to itself.
PRIVATE, OWN, OUTSIDE, RESOLVER = "10.0.2.2", "127.0.0.2", "192.0.2.1", "10.0.2.3"


@pytest.fixture(scope="module")
def network(programs: Programs) -> Network:
    """What spaces reach."""
    return Network(programs)


@pytest.fixture
def emptied(network: Network) -> Iterator[None]:
    """A machine whose firewall somebody has emptied: the slices stand alone."""
    network.machine.execute("nft", "flush", "ruleset")
    yield
    assert network.look() == ["firewall"]


@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize("address", [PRIVATE, OWN])
def test_a_space_reaches_no_neighbour_and_offers_nothing(programs: Programs, address: str):
    assert programs.inside(SLUG, TRY, address=address) == ["EPERM", "EPERM"]


@pytest.mark.usefixtures("emptied")
def test_a_space_reaches_the_world(programs: Programs):
    assert programs.inside(SLUG, TRY, address=OUTSIDE) == ["", "EPERM"]


@pytest.mark.usefixtures("emptied")
def test_a_space_reaches_itself_and_the_name_server(programs: Programs, network: Network):
    network.machine.execute("sh", "-c", "grep -q 'nameserver 10.0.2.3' /etc/resolv.conf")
    for address in (RESOLVER, network.own_address(SLUG)):
        assert programs.inside(SLUG, TRY, address=address) == ["", "EPERM"]


@pytest.mark.usefixtures("emptied")
def test_it_is_the_slice_that_holds_it(programs: Programs):
    assert programs.outside(SLUG, TRY, address=PRIVATE) == ["", ""]


def test_the_firewall_holds_it_outside_of_the_slice_too(programs: Programs):
    """By the user, whatever it runs in; listening is the slice's."""
    assert programs.outside(SLUG, TRY, address=PRIVATE) == ["EPERM", ""]
    # Names are asked for at another port than this one.
    assert programs.outside(SLUG, TRY, address=RESOLVER) == ["EPERM", ""]
    assert programs.outside(SLUG, TRY, address=OUTSIDE) == ["", ""]


def test_an_exception_holds_at_once_and_is_taken_back(network: Network, programs: Programs):
    """What already runs in the slice must not stand in the way."""
    stays = ["systemd-run", "--quiet", f"--slice={SLICE}", "--unit=stays", "sleep", "600"]
    network.machine.execute(*stays)
    try:
        with network.reaching(PRIVATE, 9, "udp"):
            assert programs.inside(SLUG, TRY, address=PRIVATE) == ["", "EPERM"]
            assert programs.inside(SLUG, TRY, address=OWN) == ["EPERM", "EPERM"]
    finally:
        network.machine.execute("systemctl", "stop", "stays.service")
    assert programs.inside(SLUG, TRY, address=PRIVATE) == ["EPERM", "EPERM"]


def test_an_exception_outlives_the_reading_of_units(network: Network, programs: Programs):
    with network.reaching(PRIVATE, 9, "udp"):
        network.machine.execute("systemctl", "daemon-reload")
        assert programs.inside(SLUG, TRY, address=PRIVATE) == ["", "EPERM"]


def test_the_slices_hold_after_a_boot_before_anything_is_let_through(scenario: Scenario):
    """What is let through is told to the running systemd, never written to the units."""
    for unit in ("archipel-web.slice", SLICE):
        text = scenario.machine.execute("cat", f"/etc/systemd/system/{unit}")
        assert ("IPAddressDeny=" in text, "IPAddressAllow=" in text) == (True, False)
