# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Several machines in one network: asked by each other, cut off, killed, and given back."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import testinfra
from testinfra.host import Host

from tools import scenario
from tools.lab.host import podman, until
from tools.lab.machine import Machine

SCENARIO = "cluster"
BASE = "archipel.localhost"
EDGE = "10.89.79.10"
ADDRESSES = {
    "edge1": EDGE,
    "edge2": "10.89.79.9",
    "web1": "10.89.79.11",
    "web2": "10.89.79.12",
    "web3": "10.89.79.13",
    "db1": "10.89.79.21",
}
ACCESS = "/var/log/nginx/access.log"
# A client of its own for each request; what it trusts is what its machine trusts.
ASK = """
import hashlib, http.client, json, socket, ssl, time

class Connection(http.client.HTTPSConnection):
    def connect(self):
        plain = socket.create_connection((address, port), timeout=timeout)
        plain.sendall(preface.encode())
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)

began = time.monotonic()
try:
    connection = Connection(host)
    connection.request(method, path, body=body.encode() or None, headers=headers)
    got = connection.getresponse()
    said = {"status": got.status, "headers": {k.lower(): v for k, v in got.getheaders()}}
    content = got.read()
    said["digest"] = hashlib.sha256(content).hexdigest()
    said["text"] = content.decode(errors="replace")
except (OSError, http.client.HTTPException) as error:
    said = {"status": 0, "headers": {}, "digest": "", "text": f"{type(error).__name__}: {error}"}
print(json.dumps({**said, "seconds": time.monotonic() - began}))
"""
# The same for many pages, by one client over one connection: path → status and checksum.
READ = """
import hashlib, http.client, json, socket, ssl

class Connection(http.client.HTTPSConnection):
    def connect(self):
        plain = socket.create_connection((address, port), timeout=timeout)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)

connection = Connection(host)
found = {}
for path in paths:
    connection.request("GET", path, headers=headers)
    got = connection.getresponse()
    found[path] = [got.status, hashlib.sha256(got.read()).hexdigest()]
print(json.dumps(found))
"""
# Which of these ports of an address take a connection.
OPEN = """
import json, socket

def takes(port):
    with socket.socket() as caller:
        caller.settimeout(2)
        return caller.connect_ex((address, port)) == 0

print(json.dumps([port for port in ports if takes(port)]))
"""
# A request without TLS: the answer, and where it leads.
PLAIN = """
import http.client, json
connection = http.client.HTTPConnection(address, 80, timeout=10)
connection.request("GET", path, headers={"Host": host})
got = connection.getresponse()
print(json.dumps([got.status, got.getheader("location")]))
"""
# What keeps so many connections open until it is told to end.
HOLD = """
import socket, sys
held = []
for _ in range(number):
    one = socket.create_connection((address, port), timeout=10)
    one.settimeout(10)
    held.append(one)
print(len(held), flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Reply:
    """What somebody was answered; status 0: nothing, and the text says why."""

    status: int
    headers: dict[str, str]
    text: str
    digest: str
    seconds: float


class Cluster:
    """The machines of a scenario, by their names in its inventory."""

    def __init__(self, name: str = SCENARIO, first: str = "edge1", edge: str = EDGE) -> None:
        """Take the machine that is called like the scenario by its name in the inventory."""
        machine = scenario.machine(name)
        assert isinstance(machine, Machine)
        self.machines: dict[str, Machine] = {first: machine, **scenario.further(name)}
        self.edge = edge

    @cached_property
    def _hosts(self) -> dict[str, Host]:
        return {}

    def host(self, name: str) -> Host:
        """Return a machine through testinfra."""
        machine = self.machines[name]
        if name not in self._hosts:
            url = f"ssh://{machine.name}?controlpersist=60"
            self._hosts[name] = testinfra.get_host(url, ssh_config=str(machine.ssh_config))
        return self._hosts[name]

    def python(self, name: str, program: str, **values: Any) -> Any:
        """Run a program on a machine; it prints its answer as JSON."""
        given = "".join(f"{key} = {value!r}\n" for key, value in values.items())
        said = self.machines[name].execute("python3", "-", stdin=f"{given}{program}")
        return json.loads(said)

    def ask(
        self,
        client: str,
        host: str,
        path: str = "/status.php",
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: str = "",
        address: str = "",
        port: int = 443,
        preface: str = "",
        timeout: int = 30,
    ) -> Reply:
        """Ask for a page from one of the machines; through the edge, unless an address is given."""
        values: dict[str, Any] = {"method": method, "headers": headers or {}, "body": body}
        values |= {"host": host, "path": path, "address": address or self.edge, "port": port}
        values |= {"preface": preface, "timeout": timeout}
        return Reply(**self.python(client, ASK, **values))

    def space(self, client: str, slug: str, path: str = "/status.php", **options: Any) -> Reply:
        """Ask a space for a page, under its name below the base domain."""
        return self.ask(client, f"{slug}.{BASE}", path, **options)

    def read(
        self, client: str, slug: str, paths: list[str], headers: dict[str, str]
    ) -> dict[str, tuple[int, str]]:
        """Ask a space for pages, through the edge; return path → status and checksum."""
        values: dict[str, Any] = {"host": f"{slug}.{BASE}", "address": self.edge, "port": 443}
        found: dict[str, list[Any]] = {}
        # A busy machine serves a few of them in a second, and no command may take for ever.
        for first in range(0, len(paths), 50):
            part = paths[first : first + 50]
            found |= self.python(client, READ, paths=part, headers=headers, timeout=60, **values)
        return {path: (status, digest) for path, (status, digest) in found.items()}

    def await_status(self, client: str, slug: str, status: int, seconds: int = 60) -> float:
        """Wait until a space answers so; return after how many seconds it did."""
        began = time.monotonic()
        what = f"{slug} to answer {status}"
        until(seconds, what, lambda: self.space(client, slug).status == status)
        return time.monotonic() - began

    def plain(self, client: str, host: str, path: str) -> tuple[int, str]:
        """Ask for a page without TLS; return the status, and where it leads."""
        values = {"host": host, "path": path, "address": self.edge}
        status, location = self.python(client, PLAIN, **values)
        return int(status), str(location)

    def open_ports(self, client: str, name: str, ports: list[int]) -> list[int]:
        """Return which ports of a machine take a connection from another one."""
        return list(self.python(client, OPEN, address=ADDRESSES[name], ports=ports))

    def logged(self, name: str, words: str) -> list[str]:
        """Return what nginx of a machine has logged with these words in it."""
        return self.host(name).run("grep -F -e %s %s", words, ACCESS).stdout.splitlines()

    @contextmanager
    def cut(self, server: str, client: str) -> Iterator[None]:
        """Let nothing come from one machine to another, as a broken switch does."""
        rules = (
            "add table inet cut; "
            "add chain inet cut input { type filter hook input priority -400; }; "
            f"add rule inet cut input ip saddr {ADDRESSES[client]} drop"
        )
        self.host(server).check_output("nft %s", rules)
        try:
            yield
        finally:
            self.host(server).check_output("nft delete table inet cut")

    def since(self, unit: str, name: str = "edge1") -> str:
        """Return since when a unit is as it is, and as which process: a reload changes both."""
        shown = "systemctl show %s --property=StateChangeTimestampMonotonic,MainPID --value"
        return str(self.host(name).check_output(shown, unit))


# Stores a file after the other until its input ends; says of each that was acknowledged what it is.
WRITE = """
import base64, hashlib, http.client, os, ssl, sys, threading, time, socket

class Connection(http.client.HTTPSConnection):
    def connect(self):
        plain = socket.create_connection((address, 443), timeout=30)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)

ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
token = base64.b64encode(f"{user}:{password}".encode()).decode()
number = 0
while not ended.is_set():
    content = os.urandom(20_000)
    path = f"/remote.php/dav/files/{user}/under-load-{number}.bin"
    connection = Connection(host)
    try:
        connection.request("PUT", path, content, {"Authorization": f"Basic {token}"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        status = 0
    finally:
        connection.close()
    if status in (201, 204):
        print(path, hashlib.sha256(content).hexdigest(), flush=True)
        number += 1
    time.sleep(0.05)
"""


class Writer:
    """Somebody who stores files all the time, and remembers what was acknowledged."""

    def __init__(self, cluster: Cluster, client: str, slug: str, account: tuple[str, str]) -> None:
        user, password = account
        values = {"host": f"{slug}.{BASE}", "address": cluster.edge}
        values |= {"user": user, "password": password}
        given = "".join(f"{key} = {value!r}\n" for key, value in values.items())
        command = [*podman(), "exec", "-i", cluster.machines[client].container]
        self.acknowledged: dict[str, str] = {}
        self._process = subprocess.Popen(
            [*command, "python3", "-c", f"{given}{WRITE}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            path, digest = line.split()
            self.acknowledged[path] = digest

    def await_more(self, number: int, seconds: int = 120) -> None:
        """Wait until so many more files were acknowledged."""
        wanted = len(self.acknowledged) + number
        until(seconds, f"{number} more files", lambda: len(self.acknowledged) >= wanted)

    def end(self) -> dict[str, str]:
        """Stop; return path → checksum of all that was acknowledged."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        return self.acknowledged
