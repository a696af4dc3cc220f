#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Make what the spaces of this node may reach come true, and follow its changes.

A space reaches itself, what its node is configured to use (name servers, mail relay,
database, and what else the policy names), and the open internet. Of this node and of
private networks it reaches nothing else. Two filters of the kernel hold this: nftables, by
unix user, with ports; and systemd's filters round the slices of the spaces, which know
addresses only and hold where somebody empties the firewall.

The role runs this, a timer does, and whatever changes the node's resolv.conf. Debian's
nftables.service, which empties everybody's firewall, does so for the firewall alone (--firewall).
Nothing here is looked up per space by the kernel: each user's own address follows from its number.

A copy of a space (playbooks/clone.yml) reaches itself, its database and the office servers, and
nothing else: what it would tell somebody, it would tell as the space that it was made of.
"""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import json
import os
import re
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

Config = t.Mapping[str, t.Any]
Resolved = t.Mapping[str, t.Sequence[str]]
Port = tuple[str, str, int]

DNS_PORT = 53
# How systemd calls some networks.
NAMED = {
    "any": ("0.0.0.0/0", "::/0"),
    "localhost": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/64"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
}
NAMESERVER = re.compile(r"^\s*nameserver\s+([^\s#;%]+)", re.MULTILINE)
# In the vhost of a copy; the template spells it too.
COPY = re.compile(r"^# copy of a space$", re.MULTILINE)
ENTRY = re.compile(r"^(\S+)\s+\S+@([0-9.]+)(?:>[^\s;]+)?;$", re.MULTILINE)


# --- Pure -------------------------------------------------------------------------


def nameservers(text: str) -> list[str]:
    """Return the addresses of the name servers in the text of a resolv.conf."""
    return [one for one in NAMESERVER.findall(text) if literal(one)]


def literal(host: str) -> bool:
    """Tell whether a host is an address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def networks(names: t.Iterable[str]) -> list[str]:
    """Return addresses and networks as numbers, each once."""
    found = [one for name in names for one in NAMED.get(name, (name,))]
    return list(dict.fromkeys(str(ipaddress.ip_network(one, strict=False)) for one in found))


def of_version(found: t.Iterable[str], version: int) -> list[str]:
    """Return those networks that are of IP version 4, or 6."""
    return [one for one in found if ipaddress.ip_network(one).version == version]


def ports(config: Config, resolved: Resolved, servers: t.Iterable[str]) -> list[Port]:
    """Return the services that spaces reach: address, protocol, port."""
    found = [(one, protocol, DNS_PORT) for one in servers for protocol in ("tcp", "udp")]
    for service in config["reachable"]:
        for one in resolved.get(service["host"], ()):
            found += [(one, service["protocol"], port) for port in service["ports"]]
    return sorted(set(found))


def find_copies(config: Config, vhosts: t.Mapping[str, str]) -> list[int]:
    """Return the numbers of the copies of this node: their vhosts say so, and their addresses.

    The registry is not asked: one whose file was lost, or is wrong, is a copy all the same.
    """
    base, first = ipaddress.ip_network(config["own_network"])[0], config["ids"][0]
    found = {
        int(ipaddress.ip_address(address)) - int(base) + first
        for text in vhosts.values()
        if COPY.search(text)
        for _name, address in ENTRY.findall(text)
    }
    return sorted(found)


def ports_of_copies(config: Config, services: t.Iterable[Port], resolved: Resolved) -> list[Port]:
    """Return those of the services that copies of spaces reach too; name servers are none."""
    hosts = config.get("copies_reach", ())
    addresses = {one for host in hosts for one in (host, *resolved.get(host, ()))}
    return [one for one in services if one[0] in addresses and one[2] != DNS_PORT]


def allowed(config: Config, services: t.Iterable[Port], names: t.Iterable[str]) -> list[str]:
    """Return what systemd's filter lets through: it knows no ports."""
    own = [config["own_network"], *(["127.0.0.1"] if loopback_names(names) else [])]
    return sorted(networks([*own, *config["allowed"], *(one for one, _, _ in services)]))


def loopback_names(names: t.Iterable[str]) -> bool:
    """Tell whether spaces have names that curl takes for 127.0.0.1 without asking anybody."""
    return any(name.endswith(".localhost") for name in names)


def own_addresses(config: Config) -> list[tuple[int, str]]:
    """Return the address of every user that a space may ever have."""
    base, (first, last) = ipaddress.ip_network(config["own_network"])[0], config["ids"]
    return [(number, str(base + number - first)) for number in range(first, last + 1)]


def rulesets(
    config: Config,
    services: t.Sequence[Port],
    names: t.Iterable[str],
    copies: t.Sequence[int] = (),
    copied: t.Sequence[Port] = (),
) -> dict[str, str]:
    """Return mark → table of the firewall, as `nft -f` reads it: exchanged at once.

    Two tables, and a packet must pass both: what follows from the users' numbers is large and
    never changes, what spaces may use is small and moves.
    """
    own = own_addresses(config)
    first, last = config["ids"]
    itself = (
        a_set("own", "uid . ipv4_addr", (f"{number} . {one}" for number, one in own)),
        ITSELF.format(first=first, last=last, **config),
        redirection(config, own, names),
    )
    # Other spaces and the office servers of this node, as the internet reaches them.
    web = ", ".join(str(port) for port in sorted({80, 443, config["port"], config["public_port"]}))
    others = (
        addresses_of(config, services),
        sets_of_copies(copies, copied) if copies else "",
        FILTER.format(
            first=first,
            last=last,
            web=web,
            copies=COPIES if copies else "",
            own_network=config["own_network"],
        ),
    )
    return {**table("archipel_itself", itself), **table("archipel_spaces", others)}


def table(name: str, parts: t.Iterable[str]) -> dict[str, str]:
    """Return the text of a table, under the mark by which it is known again."""
    text = "".join(parts)
    mark = "state_" + hashlib.sha256(text.encode()).hexdigest()[:16]
    head = f"table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n"
    return {mark: f"{head}{text}\tchain {mark} {{\n\t}}\n}}\n"}


ITSELF = """\
	chain output {{
		type filter hook output priority filter; policy accept;
		meta skuid {first}-{last} ip daddr {own_network} jump itself
	}}
	chain itself {{
		tcp dport {port} meta skuid . ip daddr @own accept
		reject with icmpx admin-prohibited
	}}
"""
FILTER = """\
	chain output {{
		type filter hook output priority filter; policy accept;
		meta skuid {first}-{last} jump space
	}}
	chain space {{
		ip daddr {own_network} accept
{copies}		ip daddr . meta l4proto . th dport @services4 accept
		ip6 daddr . meta l4proto . th dport @services6 accept
		ip daddr @allowed4 accept
		ip6 daddr @allowed6 accept
		ip daddr @denied4 reject with icmpx admin-prohibited
		ip6 daddr @denied6 reject with icmpx admin-prohibited
		fib daddr type local tcp dport {{ {web} }} accept
		fib daddr type local reject with icmpx admin-prohibited
	}}
"""
# Before anything else is looked at: the open internet needs no rule.
COPIES = """\
		meta skuid @copies ip daddr . meta l4proto . th dport @copied4 accept
		meta skuid @copies ip6 daddr . meta l4proto . th dport @copied6 accept
		meta skuid @copies reject with icmpx admin-prohibited
"""


def sets_of_copies(ids: t.Iterable[int], services: t.Sequence[Port]) -> str:
    """Return the sets of the copies of spaces: who they are, and what they reach."""
    text = a_set("copies", "uid", map(str, ids))
    for version in (4, 6):
        kind = f"ipv{version}_addr . inet_proto . inet_service"
        text += a_set(f"copied{version}", kind, elements_of(services, version))
    return text


def elements_of(services: t.Iterable[Port], version: int) -> list[str]:
    """Return services of an IP version as a set has them."""
    return [
        f"{one} . {protocol} . {port}"
        for one, protocol, port in services
        if ipaddress.ip_address(one).version == version
    ]


def addresses_of(config: Config, services: t.Iterable[Port]) -> str:
    """Return the sets that the rules look into."""
    text = ""
    for version in (4, 6):
        kind = f"ipv{version}_addr"
        found = elements_of(services, version)
        text += a_set(f"services{version}", f"{kind} . inet_proto . inet_service", found)
        for name, listed in (("allowed", config["allowed"]), ("denied", config["denied"])):
            wanted = of_version(networks(listed), version)
            text += a_set(f"{name}{version}", kind, wanted, "flags interval; auto-merge; ")
    return text


def a_set(name: str, kind: str, elements: t.Iterable[str], more: str = "") -> str:
    """Return the text of a set."""
    listed = ", ".join(elements)
    values = f"elements = {{ {listed} }}; " if listed else ""
    return f"\tset {name} {{ type {kind}; {more}{values}}}\n"


def redirection(config: Config, own: t.Iterable[tuple[int, str]], names: t.Iterable[str]) -> str:
    """Return what leads a space to itself where its public port is not nginx's, or curl errs.

    In front of most nodes nothing translates ports, and no name ends with .localhost: the
    kernel then need not remember connections for it.
    """
    loopback = loopback_names(names)
    if config["public_port"] == config["port"] and not loopback:
        return ""
    pairs = ", ".join(f"{number} : {one}" for number, one in own)
    places = f"127.0.0.1, {config['own_network']}" if loopback else config["own_network"]
    first, last = config["ids"]
    return (
        f"\tmap own_of {{ type uid : ipv4_addr; elements = {{ {pairs} }}; }}\n"
        "\tchain to_itself {\n"
        "\t\ttype nat hook output priority -100; policy accept;\n"
        f"\t\tmeta skuid {first}-{last} ip daddr {{ {places} }} tcp dport {config['public_port']} "
        f"dnat ip to meta skuid map @own_of : {config['port']}\n"
        "\t}\n"
    )


def own_names(vhosts: t.Mapping[str, str]) -> dict[str, dict[str, list[str]]]:
    """Return slug → address → names: what nginx answers as this space, it may call itself."""
    found: dict[str, dict[str, list[str]]] = {}
    for slug, text in vhosts.items():
        for name, address in ENTRY.findall(text):
            found.setdefault(slug, {}).setdefault(address, []).append(name)
    return found


def flat(own: t.Mapping[str, t.Mapping[str, t.Sequence[str]]]) -> list[str]:
    """Return the names of all spaces."""
    return [name for addresses in own.values() for names in addresses.values() for name in names]


def hosts(own: t.Mapping[str, t.Sequence[str]], node: str) -> str:
    """Return a space's file of hosts: itself, and what the node's own file knows."""
    mine = {name for names in own.values() for name in names}
    lines = [f"{address} {' '.join(names)}" for address, names in sorted(own.items())]
    for line in node.splitlines():
        words = line.split("#")[0].split()
        kept = [word for word in words[1:] if word not in mine]
        if kept:
            lines.append(" ".join([words[0], *kept]))
    return "\n".join(lines) + "\n"


# --- The node --------------------------------------------------------------------


def run(*command: str, stdin: str = "") -> str:
    """Run a command; its own words are the error."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise SystemExit(
            f"{command[0]} is not installed on this node: run playbooks/platform.yml, which "
            "installs what spaces need"
        ) from error
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:2])}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def read(path: Path) -> str:
    """Return the text of a file; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def write(path: Path, text: str) -> None:
    """Write a file in its place, not beside it: sandboxes hold this very file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as file:
        os.fchmod(file.fileno(), 0o644)
        # Shortened last: a reader meanwhile finds old lines at worst, and never none.
        file.write(text.encode())
        file.truncate()


def lookup(host: str) -> list[str]:
    """Return the addresses of a host; none while nobody knows it.

    Link-local ones come with the name of an interface, which the filters do not take.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(row[4][0]).split("%")[0] for row in found})


def resolve(config: Config, remembered: Resolved) -> dict[str, list[str]]:
    """Return host → addresses; while name servers are silent, what they said last."""
    found = {}
    for host in sorted({service["host"] for service in config["reachable"]}):
        found[host] = lookup(host) or list(remembered.get(host, ()))
        if not found[host]:
            print(f"{host}: no address is known for it; spaces do not reach it", file=sys.stderr)
    return found


def vhosts_of(config: Config, expected: t.Mapping[str, str]) -> dict[str, str]:
    """Return slug → text of the vhosts that are there, or will be."""
    vhosts = {path.stem: read(path) for path in Path(config["vhosts"]).glob("*.conf")}
    return {**vhosts, **expected}


def wanted_rules(
    config: Config, services: t.Sequence[Port], vhosts: t.Mapping[str, str], resolved: Resolved
) -> dict[str, str]:
    """Return mark → table of the firewall for what is on this node."""
    copies = find_copies(config, vhosts)
    copied = ports_of_copies(config, services, resolved)
    return rulesets(config, services, flat(own_names(vhosts)), copies, copied)


def missing(tables: t.Mapping[str, str]) -> str:
    """Return the tables that the firewall lacks, or has otherwise."""
    known = run("nft", "list", "chains", "inet")
    return "".join(text for mark, text in tables.items() if f"chain {mark} " not in known)


def remember(config: Config) -> dict[str, list[str]]:
    """Return host → addresses, as name servers said last; nothing of what cannot be read."""
    try:
        found = dict(json.loads(read(Path(config["state"]) / "addresses.json") or "{}"))
        return {host: [str(one) for one in addresses] for host, addresses in found.items()}
    except (ValueError, TypeError):
        return {}


def keep(config: Config, resolved: Resolved) -> None:
    """Write down what name servers said, whole or not at all."""
    path = Path(config["state"]) / "addresses.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8") as file:
        json.dump(resolved, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def differing_files(config: Config, resolv_conf: str, names: t.Mapping[str, t.Any]) -> Resolved:
    """Return the files of the sandboxes that are not as wanted: path → lines; none: too many."""
    folder, node = Path(config["state"]) / "hosts", read(Path("/etc/hosts"))
    wanted = {folder / slug: hosts(own, node) for slug, own in names.items()}
    wanted[Path(config["state"]) / "resolv.conf"] = resolv_conf
    present = set(folder.iterdir()) if folder.is_dir() else set()
    changes = {str(path): [text] for path, text in wanted.items() if read(path) != text}
    return {**changes, **{str(path): [] for path in present - wanted.keys()}}


def slices_differing(config: Config, wanted: t.Sequence[str]) -> list[str]:
    """Return the slices whose filter lets something else through."""
    found = []
    for unit in config["slices"]:
        now = run("systemctl", "show", "--property=IPAddressAllow", "--value", unit).split()
        if sorted(networks(now)) != list(wanted):
            found.append(unit)
    return found


def apply(files: Resolved, rules: str, slices: t.Iterable[str], wanted: t.Iterable[str]) -> None:
    """Carry it out: the filters first, so that what files lead to is there."""
    if rules:
        run("nft", "-f", "-", stdin=rules)
    for unit in slices:
        properties = ["IPAddressAllow=", f"IPAddressAllow={' '.join(wanted)}"]
        run("systemctl", "set-property", "--runtime", unit, *properties)
    for path, lines in files.items():
        if lines:
            write(Path(path), lines[0])
        else:
            Path(path).unlink(missing_ok=True)


def converge(
    config: Config, *, check: bool, expected: t.Mapping[str, str] | None = None
) -> list[str]:
    """Compare, change what differs, and return what that is.

    Args:
        config: what the role wrote.
        check: change nothing.
        expected: vhosts that are about to be written, slug → text, in place of those on disk.

    """
    remembered = remember(config)
    resolved = resolve(config, remembered)
    resolv_conf = read(Path("/etc/resolv.conf"))
    vhosts = vhosts_of(config, expected or {})
    names = own_names(vhosts)
    every = flat(names)
    services = ports(config, resolved, nameservers(resolv_conf))
    wanted = allowed(config, services, every)
    rules = missing(wanted_rules(config, services, vhosts, resolved))
    files, slices = differing_files(config, resolv_conf, names), slices_differing(config, wanted)
    if not check:
        apply(files, rules, slices, wanted)
        if resolved != remembered:
            keep(config, resolved)
    return [*(["firewall"] if rules else []), *slices, *sorted(files)]


def put_up_firewall(config: Config) -> list[str]:
    """Fill a firewall that was emptied, with what was known last; return what that is.

    Nobody is asked for addresses: at boot there is no network yet, and whoever reads the firewall
    anew waits for this.
    """
    servers = nameservers(read(Path("/etc/resolv.conf")))
    vhosts, known = vhosts_of(config, {}), remember(config)
    rules = missing(wanted_rules(config, ports(config, known, servers), vhosts, known))
    apply({}, rules, (), ())
    return ["firewall"] if rules else []


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configuration", type=Path)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="change nothing, only say")
    how.add_argument(
        "--firewall",
        action="store_true",
        help="fill a firewall that was emptied, without asking name servers; nothing else",
    )
    parser.add_argument(
        "--expect",
        action="store_true",
        help="with --check: vhosts that will be there come on standard input, JSON of slug to text",
    )
    arguments = parser.parse_args()
    config = json.loads(arguments.configuration.read_text(encoding="utf-8"))
    expected = json.load(sys.stdin) if arguments.expect else None
    if arguments.firewall:
        done = put_up_firewall(config)
    else:
        done = converge(config, check=arguments.check, expected=expected)
    for what in done:
        print(what)


if __name__ == "__main__":
    main()
