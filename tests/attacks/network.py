# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Services of the node, private networks, the second node; nginx and PHP, from within."""

from __future__ import annotations

from tests.attacks.model import WEB, Attack

DATAGRAM = ", socket.SOCK_DGRAM"
# What pages answer, in the words of errors.
STATUS = """
def page(*arguments, **options):
    status, said = asks(*arguments, **options)
    return "" if status == 200 else "EACCES" if status in (400, 403, 404, 421) else str(status)
"""


def reaches(address: str, port: int, kind: str = "") -> str:
    """A connection, or a datagram, to an address."""
    return f"answer = reaches({address}, {port}{kind})"


# Each holds by itself, but for addresses that the slices let through: they know no ports.
BOTH = ("firewall", "slices' filters")

ATTACKS = (
    # --- the node -----------------------------------------------------------------------------
    Attack("reaches SSH on its node's loopback", reaches("'127.0.0.1'", 22), ("firewall",)),
    Attack("reaches a service of its node's loopback", reaches("'127.0.0.1'", 2525), ("firewall",)),
    Attack("reaches it by another address of the loopback", reaches("'127.0.0.2'", 2525), BOTH),
    Attack("reaches it by IPv6", reaches("'::1'", 2525), BOTH),
    Attack(
        "reaches it by an IPv4 address that is written as IPv6",
        reaches("'::ffff:127.0.0.1'", 2525),
        ("firewall",),
    ),
    Attack(
        "reaches it by the address that stands for all", reaches("'0.0.0.0'", 2525), ("firewall",)
    ),
    Attack("reaches SSH of its node by its address", reaches("own_node", 22), BOTH),
    Attack(
        "sends datagrams to its node's loopback",
        reaches("'127.0.0.1'", 2525, DATAGRAM),
        ("firewall",),
    ),
    Attack(
        "listens on a port of its node, in the place of a service that is down",
        "answer = attempt(socket.create_server, ('0.0.0.0', 18999))",
        ("no listening",),
    ),
    # --- other spaces, by their own addresses -------------------------------------------------
    Attack(
        "asks another space at the address that one has for itself",
        STATUS + "answer = page(other_name, '/status.php', address=other_address)",
        ("firewall of own addresses",),
    ),
    Attack(
        "reaches a service of the node by its own address",
        reaches("own_address", 2525),
        ("firewall of own addresses",),
    ),
    Attack(
        "asks for another space's pages at its own address",
        STATUS + "answer = page(own_name, '/status.php', host=other_name, address=own_address)",
        ("own address, own pages",),
    ),
    # --- private networks ---------------------------------------------------------------------
    Attack(
        "asks the hoster for metadata of the node",
        reaches("'169.254.169.254'", 80, DATAGRAM),
        BOTH,
    ),
    Attack(
        "sends into the private network 10.0.0.0/8",
        reaches("'10.0.0.1'", 53, DATAGRAM),
        BOTH,
    ),
    Attack(
        "sends into the private network 172.16.0.0/12",
        reaches("'172.16.0.1'", 2525, DATAGRAM),
        BOTH,
    ),
    Attack(
        "sends into the private network 192.168.0.0/16",
        reaches("'192.168.0.1'", 2525, DATAGRAM),
        BOTH,
    ),
    Attack(
        "sends into a provider's shared network",
        reaches("'100.64.0.1'", 2525, DATAGRAM),
        BOTH,
    ),
    Attack(
        "sends to everybody in the node's network",
        reaches("'224.0.0.251'", 5353, DATAGRAM),
        BOTH,
    ),
    # --- the second node ----------------------------------------------------------------------
    Attack("reaches SSH of another node", reaches("far_node", 22), ("firewall",)),
    Attack("reaches a service of another node", reaches("far_node", 2525), ("firewall",)),
    Attack(
        "asks another node for a space behind everybody's back",
        STATUS + "try:\n    answer = page(far_name, '/status.php', address=far_node)\n"
        "except OSError as error:\n    answer = errno.errorcode.get(error.errno, 'EHOSTUNREACH')",
        ("firewall",),
    ),
    Attack(
        "reaches SSH of the first node from the second",
        reaches("near_node", 22),
        ("firewall",),
        far=True,
    ),
    Attack(
        "reaches a service of the first node from the second",
        reaches("near_node", 2525),
        ("firewall",),
        far=True,
    ),
    Attack(
        "asks the first node for a space from the second",
        STATUS + "try:\n    answer = page(near_name, '/status.php', address=near_node)\n"
        "except OSError as error:\n    answer = errno.errorcode.get(error.errno, 'EHOSTUNREACH')",
        ("firewall",),
        far=True,
    ),
    # --- nginx --------------------------------------------------------------------------------
    Attack(
        "reads the program occ as a page",
        STATUS + "answer = page(own_name, '/occ')",
        ("private paths",),
    ),
    Attack(
        "reads a file of the release that is not for visitors",
        STATUS + "answer = page(own_name, '/lib/private/attacked.txt')",
        ("private paths",),
    ),
    Attack(
        "reads a hidden file of the release",
        STATUS + "answer = page(own_name, '/.attacked')",
        ("private paths",),
    ),
    Attack(
        "reads it behind encoded dots and slashes",
        STATUS + "answer = page(own_name, '/core/..%2f.attacked')",
        ("private paths",),
    ),
    Attack(
        "reads it behind doubled slashes and dots",
        STATUS + "answer = page(own_name, '//core/.././/.attacked')",
        ("private paths",),
    ),
    Attack(
        "lists the operator's applications by page",
        "status, said = asks(own_name, '/index.php/settings/apps/list')\n"
        "answer = 'EACCES' if status == 403 else ''",
        ("applications are the operator's",),
    ),
    # --- PHP ----------------------------------------------------------------------------------
    Attack(
        "raises the memory of its requests",
        "<?php echo json_encode(@ini_set('memory_limit', '16G') === false ? 'EPERM' : '');",
        ("PHP's own settings",),
        ways=(WEB,),
        php=True,
    ),
    Attack(
        "keeps its sessions elsewhere",
        "<?php echo json_encode(@ini_set('session.save_path', '/tmp') === false ? 'EPERM' : '');",
        ("PHP's own settings",),
        ways=(WEB,),
        php=True,
    ),
)
