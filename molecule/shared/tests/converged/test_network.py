# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What a space reaches and what it does not: the table of docs/security.md, row by row.

By the machine's firewall, which containers have as well; that the slices hold the same is
shown where a kernel is at hand (scenario quota).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.support.network import HELD, STATE, Network
from tests.support.sandbox import Programs
from tests.support.scenario import Scenario, Space

SLUG, OTHER = "velo-ecole", "repair-cafe-brest"
PORT = 2525
# An address of documentation, given to the machine: as its public one.
PUBLIC = "203.0.113.77"
# What answers nobody here; what matters is that a datagram leaves.
OUTSIDE = "192.0.2.1"
# A neighbour in a private network.
PRIVATE = "10.255.254.253"


@pytest.fixture(scope="module")
def network(scenario: Scenario) -> Network:
    """What spaces reach."""
    return Network(Programs(scenario.machine))


@pytest.fixture(scope="module")
def port(spaces: dict[str, Space]) -> int:
    """The port that people use."""
    return int(spaces[SLUG]["url"].rpartition(":")[2])


@pytest.fixture(scope="module")
def public(node: Host) -> Iterator[str]:
    """An address of the machine that no filter takes for private."""
    node.check_output("ip address add %s/32 dev lo", PUBLIC)
    yield PUBLIC
    node.check_output("ip address del %s/32 dev lo", PUBLIC)


def name_of(spaces: dict[str, Space], slug: str) -> str:
    """Return a name that is not curl's to answer, if the space has one below the base domain."""
    return str(spaces[slug]["domains"][0])


# --- Itself -------------------------------------------------------------------------


def test_a_space_reaches_itself_by_its_public_address(network: Network, spaces, port: int):
    name = name_of(spaces, SLUG)
    assert network.fetch(SLUG, name, port) == [200, network.own_address(SLUG)]


def test_so_it_does_where_a_client_takes_localhost_for_the_machine(network: Network, spaces, port):
    """As curl does, whatever the file of hosts says."""
    name = name_of(spaces, SLUG)
    assert network.fetch(SLUG, name, port, address="127.0.0.1")[0] == 200
    # It has come to itself: whoever asks for another there is told so.
    other = name_of(spaces, OTHER)
    assert network.fetch(SLUG, other, port, address="127.0.0.1")[0] == 421


def test_each_of_its_names_leads_there(node: Host, spaces: dict[str, Space]):
    for slug in (SLUG, OTHER):
        first = node.check_output("head -n 1 %s", f"{STATE}/hosts/{slug}").split()
        assert first[1:] == spaces[slug]["domains"]


def test_its_own_address_serves_itself_alone(network: Network, spaces, port: int):
    own, other = network.own_address(SLUG), name_of(spaces, OTHER)
    assert network.fetch(SLUG, other, port, address=own)[0] == 421
    mine = name_of(spaces, SLUG)
    assert network.fetch(SLUG, mine, port, address=own, host=other)[0] == 421


def test_it_does_not_reach_the_address_of_another_space(network: Network, spaces, port: int):
    address = network.own_address(OTHER)
    for number in (443, 80):
        assert network.tcp(SLUG, address, number) in HELD
    # Where the public port is translated, it leads the caller to itself, wherever it calls.
    assert network.fetch(SLUG, name_of(spaces, OTHER), port, address=address)[0] == 421


def test_nothing_else_answers_at_its_own_address(network: Network):
    own = network.own_address(SLUG)
    with network.listening("0.0.0.0", PORT):
        assert network.tcp(SLUG, own, PORT) in HELD
    assert network.tcp(SLUG, own, 22) in HELD


# --- The machine --------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::ffff:127.0.0.1"]
)
def test_a_space_reaches_no_service_of_the_machine(network: Network, address: str):
    with network.listening("::" if ":" in address else "0.0.0.0", PORT):
        assert network.tcp(SLUG, address, PORT) in HELD
        assert network.udp(SLUG, address, PORT) in HELD


def test_nor_by_the_public_address_of_the_machine(network: Network, public: str):
    assert network.tcp(SLUG, public, 22) in HELD
    with network.listening("0.0.0.0", PORT):
        assert network.tcp(SLUG, public, PORT) in HELD


def test_what_the_machine_serves_to_the_world_it_serves_to_spaces(network: Network, public, spaces):
    """Another space of the same machine, as the internet sees it."""
    assert network.fetch(SLUG, name_of(spaces, OTHER), 443, address=public)[0] == 200


def test_other_users_are_not_held(network: Network, node: Host):
    with network.listening("127.0.0.1", PORT):
        call = f'import socket; socket.create_connection(("127.0.0.1", {PORT}), 4)'
        assert node.run("runuser -u nobody -- python3 -c %s", call).rc == 0


# --- Private networks, and the internet ----------------------------------------------


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "fd00::1"]
)
def test_a_space_reaches_no_private_network(network: Network, address: str):
    assert network.udp(SLUG, address, PORT) in HELD


def test_a_space_reaches_the_internet(network: Network):
    assert network.udp(SLUG, OUTSIDE, PORT) == ""


# --- What the machine is configured to use -------------------------------------------


def test_the_name_servers_of_the_machine_are_reached_for_names_alone(network: Network, node: Host):
    servers = [
        line.split()[1]
        for line in node.file("/etc/resolv.conf").content_string.splitlines()
        if line.startswith("nameserver")
    ]
    assert servers
    for server in servers:
        assert network.udp(SLUG, server, 53) == ""
        assert network.udp(SLUG, server, 54) in HELD


@pytest.fixture
def resolver(node: Host, network: Network) -> Iterator[str]:
    """A machine whose name server is on its own loopback, as systemd-resolved's is."""
    before = node.file("/etc/resolv.conf").content_string
    node.check_output("cp /etc/resolv.conf /run/resolv.before")
    node.check_output("printf 'nameserver 127.0.0.53\\n' > /etc/resolv.conf")
    yield "127.0.0.53"
    node.check_output("cat /run/resolv.before > /etc/resolv.conf && rm /run/resolv.before")
    assert node.file("/etc/resolv.conf").content_string == before
    network.look()


def test_another_name_server_is_followed_by_itself(network: Network, node: Host, resolver: str):
    wait = "for i in $(seq 100); do grep -q 127.0.0.53 %s && exit 0; sleep 0.1; done; exit 1"
    node.check_output(wait, f"{STATE}/resolv.conf")
    assert network.udp(SLUG, resolver, 53) == ""
    assert network.tcp(SLUG, resolver, 22) in HELD
    shown = network.programs.inside(SLUG, "print(json.dumps(open('/etc/resolv.conf').read()))")
    assert shown == "nameserver 127.0.0.53\n"


@pytest.fixture(params=["127.0.0.1", PRIVATE])
def serving(request: pytest.FixtureRequest, node: Host) -> Iterator[str]:
    """An address that something of the machine, or beside it, serves at."""
    if request.param == PRIVATE:
        node.check_output("ip address add %s/32 dev lo", PRIVATE)
    yield request.param
    if request.param == PRIVATE:
        node.check_output("ip address del %s/32 dev lo", PRIVATE)


def test_a_service_that_the_policy_names_is_reached_at_its_port_alone(
    network: Network, serving: str
):
    with network.listening("0.0.0.0", PORT):
        assert network.tcp(SLUG, serving, PORT) in HELD
        with network.reaching(serving, PORT):
            assert network.tcp(SLUG, serving, PORT) == ""
            assert network.tcp(SLUG, serving, 22) in HELD
        assert network.tcp(SLUG, serving, PORT) in HELD


def test_the_slices_are_told_the_same_addresses(network: Network, scenario: Scenario):
    with network.reaching(PRIVATE, PORT):
        for unit in network.configuration()["slices"]:
            shown = scenario.show(unit, "IPAddressAllow", "IPAddressDeny")
            assert f"{PRIVATE}/32" in shown["IPAddressAllow"].split()
            assert "10.0.0.0/8" in shown["IPAddressDeny"].split()
    shown = scenario.show("archipel-web.slice", "IPAddressAllow")
    assert f"{PRIVATE}/32" not in shown["IPAddressAllow"]


# --- It stays so ---------------------------------------------------------------------


@pytest.fixture
def debian_s_firewall(node: Host) -> Iterator[None]:
    """It is off here, as Debian leaves it."""
    yield
    node.check_output("systemctl stop nftables.service")


@pytest.mark.usefixtures("debian_s_firewall")
@pytest.mark.parametrize("verb", ["start", "reload", "restart", "stop"])
def test_what_holds_spaces_outlives_debian_s_firewall(network: Network, node: Host, verb: str):
    """Each of them empties the whole firewall; nobody waits for the timer afterwards."""
    before = node.check_output("nft list tables inet")
    assert "archipel_spaces" in before
    if verb != "start":
        node.check_output("systemctl start nftables.service")
    # So that the flush is known to have happened.
    node.check_output("nft add table inet witness")
    node.check_output("systemctl %s nftables.service", verb)
    tables = node.check_output("nft list tables inet")
    assert "witness" not in tables
    assert set(before.splitlines()) <= set(tables.splitlines())
    assert network.tcp(SLUG, "127.0.0.2", 22) in HELD
    assert network.look() == []


def test_an_emptied_firewall_is_filled_again_by_itself(network: Network, node: Host):
    node.check_output("nft flush ruleset")
    assert node.check_output("nft list tables") == ""
    node.check_output("systemctl start archipel-network.service")
    assert network.udp(SLUG, "10.0.0.1", PORT) in HELD


def test_nothing_is_left_to_change(network: Network):
    assert network.look() == []
