# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The program that holds what spaces may reach: what it reads, and what it makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

CONFIG = {
    "ids": [70000, 70003],
    "own_network": "127.112.0.0/17",
    "port": 443,
    "public_port": 443,
    "reachable": [
        {"host": "db.internal", "ports": [3306], "protocol": "tcp"},
        {"host": "10.0.0.9", "ports": [443, 8443], "protocol": "tcp"},
    ],
    "allowed": ["10.9.0.0/16", "fd00::1"],
    "denied": ["localhost", "10.0.0.0/8"],
    "slices": ["archipel-web.slice"],
}
RESOLVED = {"db.internal": ["10.0.0.2", "fd00::2"], "10.0.0.9": ["10.0.0.9"]}
OWN = {"amap": {"127.112.0.3": ["amap.example.org", "www.amap.example"]}}


def firewall(network, config, services, names) -> str:
    """Return all of the firewall."""
    return "".join(network.rulesets(config, services, names).values())


@pytest.fixture
def network(load) -> ModuleType:
    return load("roles/spaces/files/network.py")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n", ["127.0.0.53"]),
        ("# nameserver 192.0.2.1\n;nameserver 192.0.2.1\n", []),
        (
            "  nameserver\t10.0.0.53 # ours\nnameserver 2001:db8::53\n",
            ["10.0.0.53", "2001:db8::53"],
        ),
        ("nameserver fe80::1%eth0\n", ["fe80::1"]),
        ("nameserver somewhere\n", []),
        ("", []),
    ],
)
def test_name_servers_are_read_as_the_c_library_reads_them(network, text, found):
    assert network.nameservers(text) == found


def test_a_name_server_is_reached_for_names_alone(network):
    services = network.ports({**CONFIG, "reachable": []}, {}, ["127.0.0.53"])
    assert services == [("127.0.0.53", "tcp", 53), ("127.0.0.53", "udp", 53)]


def test_a_service_is_reached_at_each_of_its_addresses_and_ports(network):
    assert network.ports(CONFIG, RESOLVED, []) == [
        ("10.0.0.2", "tcp", 3306),
        ("10.0.0.9", "tcp", 443),
        ("10.0.0.9", "tcp", 8443),
        ("fd00::2", "tcp", 3306),
    ]


def test_what_has_no_address_is_not_reached(network):
    assert network.ports(CONFIG, {"10.0.0.9": []}, []) == []


def test_the_slices_let_the_same_addresses_through(network):
    services = network.ports(CONFIG, RESOLVED, ["192.168.1.1"])
    assert network.allowed(CONFIG, services, ["amap.example.org"]) == [
        "10.0.0.2/32",
        "10.0.0.9/32",
        "10.9.0.0/16",
        "127.112.0.0/17",
        "192.168.1.1/32",
        "fd00::1/128",
        "fd00::2/128",
    ]


def test_names_that_curl_never_looks_up_open_the_first_loopback_address_too(network):
    """The firewall leads it to the space itself, and to nothing else."""
    names = ["amap.archipel.localhost"]
    assert "127.0.0.1/32" in network.allowed(CONFIG, [], names)
    assert "ip daddr { 127.0.0.1, 127.112.0.0/17 } tcp dport 443 dnat" in firewall(
        network, CONFIG, [], names
    )


def test_each_user_has_an_address_of_its_own(network):
    assert network.own_addresses(CONFIG) == [
        (70000, "127.112.0.0"),
        (70001, "127.112.0.1"),
        (70002, "127.112.0.2"),
        (70003, "127.112.0.3"),
    ]


def test_the_last_user_has_one_too(network):
    number, address = network.own_addresses({**CONFIG, "ids": [70000, 99999]})[-1]
    assert (number, address) == (99999, "127.112.117.47")


def test_the_firewall_names_users_addresses_protocols_and_ports(network):
    text = firewall(network, CONFIG, network.ports(CONFIG, RESOLVED, []), ["amap.example.org"])
    assert "70002 . 127.112.0.2" in text
    assert "10.0.0.2 . tcp . 3306, 10.0.0.9 . tcp . 443, 10.0.0.9 . tcp . 8443" in text
    assert "elements = { fd00::2 . tcp . 3306 }" in text
    assert "elements = { 127.0.0.0/8, 10.0.0.0/8 }" in text
    # Every set is there, with elements or without: a rule without its set is none.
    assert text.count("\tset ") == 7


def test_connections_are_remembered_only_where_a_port_is_translated(network):
    assert "nat hook" not in firewall(network, CONFIG, [], ["amap.example.org"])
    translated = firewall(network, {**CONFIG, "public_port": 8443}, [], ["amap.example.org"])
    assert "ip daddr { 127.112.0.0/17 } tcp dport 8443 dnat ip to" in translated


def test_a_firewall_knows_itself_again(network):
    one, same = (set(network.rulesets(CONFIG, [], [])) for _ in range(2))
    other = set(network.rulesets({**CONFIG, "allowed": []}, [], []))
    assert (one, len(one)) == (same, 2)
    # What is large stays as it is.
    (large,) = one & other
    assert "chain itself" in network.rulesets(CONFIG, [], [])[large]


def test_own_names_are_those_that_nginx_answers(network):
    text = (
        "# managed\n"
        "amap.example.org approved/fr/amap@127.112.0.3;\n"
        "www.amap.example approved/fr/amap@127.112.0.3>amap.example.org;\n"
    )
    # One that an older version of the role wrote says no address.
    older = "velo.example.org approved/fr/velo;\n"
    assert network.own_names({"amap": text, "velo": older}) == OWN


def test_a_space_finds_itself_before_what_the_machine_knows(network):
    machine = (
        "127.0.0.1 localhost\n"
        "10.0.0.2  db.internal db # ours\n"
        "10.0.0.7 amap.example.org\n"
        "2001:db8::1 www.amap.example other.example\n"
        "# a comment\n"
    )
    assert network.hosts(OWN["amap"], machine).splitlines() == [
        "127.112.0.3 amap.example.org www.amap.example",
        "127.0.0.1 localhost",
        "10.0.0.2 db.internal db",
        "2001:db8::1 other.example",
    ]


def test_what_name_servers_said_last_holds_while_they_are_silent(network, monkeypatch, capsys):
    monkeypatch.setattr(network, "lookup", lambda _host: [])
    remembered = {"db.internal": ["10.0.0.2"]}
    assert network.resolve(CONFIG, remembered) == {"db.internal": ["10.0.0.2"], "10.0.0.9": []}
    assert "10.0.0.9: no address is known for it" in capsys.readouterr().err


def test_a_file_is_written_in_its_place(network, tmp_path):
    """A running sandbox holds the file itself, not its name."""
    path = tmp_path / "resolv.conf"
    network.write(path, "nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    before = path.stat()
    network.write(path, "nameserver 192.0.2.3\n")
    assert path.read_text() == "nameserver 192.0.2.3\n"
    assert (path.stat().st_ino, path.stat().st_mode & 0o777) == (before.st_ino, 0o644)


class Recorder:
    """A machine whose nft and systemctl remember what they were told."""

    def __init__(self, folder: Path) -> None:
        self.rules, self.slices = "", dict[str, str]()
        (folder / "vhosts").mkdir()
        self.vhost, self.state = folder / "vhosts/amap.conf", folder / "state"
        self.vhost.write_text("amap.example.org approved/fr/amap@127.112.0.3;\n")
        self.config = {**CONFIG, "vhosts": str(folder / "vhosts"), "state": str(self.state)}

    def run(self, *command: str, stdin: str = "") -> str:
        """Do as the command would."""
        match command:
            case ("nft", "list", *_):
                return self.rules
            case ("nft", *_):
                self.rules = stdin
            case (_, "set-property", "--runtime", unit, "IPAddressAllow=", wanted):
                self.slices[unit] = wanted.removeprefix("IPAddressAllow=")
            case (_, "show", *_, unit):
                return self.slices.get(unit, "")
            case _:
                raise AssertionError(command)
        return ""


@pytest.fixture
def machine(network, tmp_path, monkeypatch) -> Recorder:
    recorder = Recorder(tmp_path)
    monkeypatch.setattr(network, "run", recorder.run)
    monkeypatch.setattr(network, "lookup", lambda host: RESOLVED.get(host, []))
    return recorder


def test_it_says_what_it_would_change_and_changes_nothing(network, machine):
    found = network.converge(machine.config, check=True)
    assert found[:2] == ["firewall", "archipel-web.slice"]
    assert (machine.rules, machine.slices, machine.state.exists()) == ("", {}, False)


def test_a_second_look_changes_nothing(network, machine):
    assert str(machine.state / "hosts/amap") in network.converge(machine.config, check=False)
    assert json.loads((machine.state / "addresses.json").read_text()) == RESOLVED
    assert network.converge(machine.config, check=False) == []


def test_a_space_that_is_gone_leaves_no_file(network, machine):
    network.converge(machine.config, check=False)
    machine.vhost.unlink()
    assert network.converge(machine.config, check=False) == [str(machine.state / "hosts/amap")]
    assert list((machine.state / "hosts").iterdir()) == []


def test_a_vhost_that_is_about_to_be_written_is_seen_as_if_it_were_there(network, machine):
    network.converge(machine.config, check=False)
    kept = machine.vhost.read_text()
    machine.vhost.unlink()
    assert network.converge(machine.config, check=True, expected={"amap": kept}) == []
    more = {"amap": kept, "velo": kept.replace("amap", "velo").replace(".3;", ".2;")}
    found = network.converge(machine.config, check=True, expected=more)
    assert found == [str(machine.state / "hosts/velo")]


def test_an_emptied_firewall_is_filled_again(network, machine):
    network.converge(machine.config, check=False)
    machine.rules = ""
    assert network.converge(machine.config, check=False) == ["firewall"]
    assert "chain space" in machine.rules


def test_an_emptied_firewall_is_filled_at_once_without_asking_anybody(
    network, machine, monkeypatch
):
    """By Debian's nftables.service, which may run before there is a network."""
    network.converge(machine.config, check=False)
    before, slices = machine.rules, dict(machine.slices)
    monkeypatch.setattr(network, "lookup", lambda _host: pytest.fail("asked"))
    machine.rules = ""
    assert network.put_up_firewall(machine.config) == ["firewall"]
    assert (machine.rules, machine.slices) == (before, slices)
    assert network.put_up_firewall(machine.config) == []


def test_before_a_first_look_it_lets_through_what_is_known(network, machine):
    assert network.put_up_firewall(machine.config) == ["firewall"]
    assert "10.0.0.2" not in machine.rules
    assert "chain space" in machine.rules
    assert not machine.state.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"db1": ["192.0.2.1"]}}', '{"db1": 3}'])
def test_what_was_remembered_and_cannot_be_read_is_asked_again(network, machine, text):
    """A node that lost power may leave half of it behind."""
    machine.state.mkdir(parents=True, exist_ok=True)
    (machine.state / "addresses.json").write_text(text)
    network.converge(machine.config, check=False)
    assert json.loads((machine.state / "addresses.json").read_text()) == RESOLVED


def test_what_is_remembered_is_never_half_of_it(network, machine, monkeypatch):
    network.converge(machine.config, check=False)
    before = (machine.state / "addresses.json").read_text()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        network.keep(machine.config, {"db1": ["192.0.2.99"]})
    assert (machine.state / "addresses.json").read_text() == before


def test_a_program_that_is_not_installed_is_said(network):
    with pytest.raises(SystemExit, match=r"^no-nft is not installed on this node: run playbooks"):
        network.run("no-nft", "list", "chains", "inet")


# --- copies of spaces ------------------------------------------------------------------

COPY = "# Written\n# copy of a space\nessai.example.org approved/fr/essai@127.112.0.2;\n"
VHOSTS = {"amap": "# Written\namap.example.org approved/fr/amap@127.112.0.1;\n", "essai": COPY}


def test_copies_are_known_by_their_vhosts(network):
    assert network.find_copies(CONFIG, VHOSTS) == [70002]
    assert network.find_copies(CONFIG, {"amap": VHOSTS["amap"]}) == []
    # Whatever becomes of its status; a name that says so is none.
    assert network.find_copies(CONFIG, {"essai": COPY.replace("approved", "closed")}) == [70002]
    named = "# copy of a space-like thing\nx.example.org approved/fr/x@127.112.0.3;\n"
    assert network.find_copies(CONFIG, {"x": named}) == []


def test_a_copy_reaches_what_is_named_and_nothing_else(network):
    config = {**CONFIG, "copies_reach": ["10.0.0.9"]}
    services = network.ports(config, RESOLVED, ["10.0.0.53"])
    text = "".join(network.wanted_rules(config, services, VHOSTS, RESOLVED).values())
    assert "set copies { type uid; elements = { 70002 }; }" in text
    assert "elements = { 10.0.0.9 . tcp . 443, 10.0.0.9 . tcp . 8443 }" in text
    # Itself before, and a refusal behind; only then what other spaces may do, the internet too.
    chain = [
        line.strip() for line in text.partition("chain space {")[2].splitlines() if line.strip()
    ]
    assert chain[:4] == [
        "ip daddr 127.112.0.0/17 accept",
        "meta skuid @copies ip daddr . meta l4proto . th dport @copied4 accept",
        "meta skuid @copies ip6 daddr . meta l4proto . th dport @copied6 accept",
        "meta skuid @copies reject with icmpx admin-prohibited",
    ]


def test_without_names_a_copy_asks_no_name_server(network):
    config = {**CONFIG, "copies_reach": ["10.0.0.9", "10.0.0.53"]}
    services = network.ports(config, RESOLVED, ["10.0.0.53"])
    found = network.ports_of_copies(config, services, RESOLVED)
    assert found == [("10.0.0.9", "tcp", 443), ("10.0.0.9", "tcp", 8443)]


def test_a_host_of_copies_may_be_a_name(network):
    config = {**CONFIG, "copies_reach": ["db.internal"]}
    services = network.ports(config, RESOLVED, [])
    found = network.ports_of_copies(config, services, RESOLVED)
    assert found == [("10.0.0.2", "tcp", 3306), ("fd00::2", "tcp", 3306)]


def test_a_node_without_copies_has_the_firewall_it_had(network):
    services = network.ports(CONFIG, RESOLVED, [])
    none = {"amap": VHOSTS["amap"]}
    names = network.flat(network.own_names(none))
    assert network.wanted_rules(CONFIG, services, none, RESOLVED) == network.rulesets(
        CONFIG, services, names
    )
