# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What a space reaches, asked from inside its sandbox, and what may be let through."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.sandbox import Programs

PROGRAM = "/usr/local/libexec/archipel/network"
CONFIGURATION = "/etc/archipel/network.json"
STATE = "/var/lib/archipel/network"
# What the kernel answers where nothing may leave: to a connection, or to a datagram.
HELD = {"EHOSTUNREACH", "ENETUNREACH", "EACCES", "EPERM"}
CALL = """
import socket

def call():
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, getattr(socket, kind)) as caller:
        caller.settimeout(4)
        caller.connect((address, port))
        if kind == "SOCK_DGRAM":
            # The answer does not matter: what is refused does not leave.
            caller.send(b"x")

try:
    call()
    print(json.dumps(""))
except OSError as error:
    print(json.dumps(errno.errorcode.get(error.errno, type(error).__name__)))
"""
# Under a name, as Nextcloud calls: with verified certificates.
FETCH = """
import http.client, socket, ssl

class Connection(http.client.HTTPSConnection):
    def connect(self):
        plain = socket.create_connection((address or self.host, self.port), timeout=20)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)

connection = Connection(name, port)
connection.request("GET", "/status.php", headers={"Host": f"{host or name}:{port}"})
print(json.dumps([connection.getresponse().status, connection.sock.getpeername()[0]]))
"""


class Network:
    """What spaces of a machine reach."""

    def __init__(self, programs: Programs) -> None:
        self.machine, self.programs = programs.machine, programs

    def tcp(self, slug: str, address: str, port: int) -> str:
        """Connect as a space; return the name of the error, or nothing."""
        return self._call(slug, address, port, "SOCK_STREAM")

    def udp(self, slug: str, address: str, port: int) -> str:
        """Send a datagram as a space; return the name of the error, or nothing."""
        return self._call(slug, address, port, "SOCK_DGRAM")

    def fetch(self, slug: str, name: str, port: int, *, address: str = "", host: str = "") -> Any:
        """Ask an HTTPS server as a space; return the status, and where that was.

        Args:
            slug: the space.
            name: whose certificate is asked for.
            port: where.
            address: in place of what the name leads to.
            host: whose page is asked for, if not the name's.

        """
        values = {"name": name, "port": port, "address": address, "host": host}
        return self.programs.inside(slug, FETCH, **values)

    def own_address(self, slug: str) -> str:
        """Return where a space reaches itself."""
        hosts = self.machine.execute("cat", f"{STATE}/hosts/{slug}")
        return hosts.split()[0]

    def configuration(self) -> dict[str, Any]:
        """Return what the role has written."""
        return dict(json.loads(self.machine.execute("cat", CONFIGURATION)))

    def look(self, configuration: str = CONFIGURATION) -> list[str]:
        """Let the machine compare, and return what it changed."""
        return self.machine.execute("python3", PROGRAM, configuration).splitlines()

    @contextmanager
    def reaching(self, host: str, port: int, protocol: str = "tcp") -> Iterator[None]:
        """Let spaces use one more service, as the policy would."""
        wanted = self.configuration()
        wanted["reachable"].append({"host": host, "ports": [port], "protocol": protocol})
        path = "/run/archipel-network-test.json"
        self.machine.execute("sh", "-c", f"cat > {path}", stdin=json.dumps(wanted))
        try:
            self.look(path)
            yield
        finally:
            self.machine.execute("rm", path)
            self.look()

    @contextmanager
    def listening(self, address: str, port: int) -> Iterator[None]:
        """Run a service of the machine that takes every connection."""
        both = f"family=socket.{'AF_INET6, dualstack_ipv6=True' if ':' in address else 'AF_INET'}"
        server = f"import socket; socket.create_server(({address!r}, {port}), {both}).accept()"
        loop = f"while true; do python3 -c {shlex.quote(server)}; done"
        unit = f"listens-{port}"
        self.machine.execute("systemd-run", "--quiet", f"--unit={unit}", "sh", "-c", loop)
        try:
            ready = f"until ss -Hltn sport = :{port} | grep -q .; do sleep 0.1; done"
            self.machine.execute("timeout", "10", "sh", "-c", ready)
            yield
        finally:
            self.machine.execute("systemctl", "stop", f"{unit}.service")

    def _call(self, slug: str, address: str, port: int, kind: str) -> str:
        values = {"address": address, "port": port, "kind": kind}
        return str(self.programs.inside(slug, CALL, **values))
