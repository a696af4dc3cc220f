# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The machines of the scenario `attacks`: what is there to be found, and defences that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.attacks.defences import DEFENCES
from tests.attacks.model import Attack, Defence
from tests.support.attacker import Attacker
from tests.support.sandbox import Programs
from tools import scenario
from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine

SLUG, OTHER, FAR = "velo-ecole", "repair-cafe-brest", "amap-du-val"
ADDRESSES = ("10.89.85.11", "10.89.85.12")
PORT = 2525
# What everybody is given to find: files of the other space, of root, of nobody; memory; processes.
SETTING = """
import ctypes, glob, shutil, subprocess

def sh(line):
    subprocess.run(["sh", "-c", line], check=True, stdout=subprocess.DEVNULL)

def put(path, mode=0o644, owner=0):
    with open(path, "w") as file:
        file.write("found\\n")
    os.chmod(path, mode)
    os.chown(path, owner, owner)

home = f"/srv/spaces/{other}"
if os.path.isdir(home):
    owner = os.stat(f"{home}/data").st_uid
    put(f"{home}/data/attacked", 0o640, owner)
    put(f"{home}/sessions/attacked", 0o600, owner)
    put(f"{home}/tmp/attacked", 0o600, owner)
for path in ("/tmp/attacked", "/var/tmp/attacked", "/dev/shm/attacked", "/dev/attacked"):
    put(path)
for folder in ("/root", "/var/spool/archipel/invitations", "/etc/ssl/private",
               "/var/lib/archipel/changes"):
    put(f"{folder}/attacked", 0o600)
for name in ("passwd", "group"):
    shutil.copyfile(f"/etc/{name}", f"/etc/{name}-")
shutil.copyfile("/usr/bin/id", "/usr/local/bin/attacked-id")
os.chmod("/usr/local/bin/attacked-id", 0o4755)
for release in glob.glob("/srv/nextcloud/releases/*/"):
    os.makedirs(f"{release}/lib/private", exist_ok=True)
    put(f"{release}/.attacked")
    put(f"{release}/lib/private/attacked.txt")
libc = ctypes.CDLL(None)
for make, *size in ((libc.shmget, 4096), (libc.semget, 1), (libc.msgget,)):
    assert make(0x41524348, *size, 0o1666) >= 0
family = "family=socket.AF_INET6, dualstack_ipv6=True"
listens = f"import socket; s = socket.create_server(('::', {port}), {family})"
listens += "\\nwhile True: s.accept()[0].close()"
connects = "while :; do mariadb -e 'SELECT SLEEP(86400)'; done"
as_other = (f"--uid=space-{other}",) if os.path.isdir(home) else ()
for unit, options, command in (
    ("attacked-root", (), ("bash", "-c", "exec -a secret-word sleep 86400")),
    (f"attacked-{other}", as_other, ("sleep", "86400")),
    ("attacked-listens", (), ("python3", "-c", listens)),
    ("attacked-connects", (), ("sh", "-c", connects)),
):
    subprocess.run(["systemctl", "stop", f"{unit}.service"], stderr=subprocess.DEVNULL)
    begin = ["systemd-run", "--quiet", "--collect", f"--unit={unit}", *options, *command]
    subprocess.run(begin, check=True)
for awake in (slug, other):
    if os.path.isdir(f"/srv/spaces/{awake}"):
        sh(f"systemctl start space-occ@{awake}.target")
there = "ss -Hltn sport = :%d | grep -q ." % port
sh(f"for i in $(seq 50); do {there} && exit 0; sleep 0.1; done; exit 1")
print("null")
"""
# What attacks that succeeded have left, which would let the next ones succeed as well.
SWEEP = """
import subprocess

folders = ["/etc", "/tmp", "/var/tmp", "/run/lock", "/srv/spaces", "/srv/nextcloud"]
for folder in folders:
    wanted = ["(", "-name", "planted*", "-o", "-name", ".user.ini", ")"]
    subprocess.run(["find", folder, "-type", "f", *wanted, "-delete"], check=False)
print("null")
"""
# What was put there is taken away again.
CLEARING = """
import ctypes, subprocess

for unit in ("attacked-root", f"attacked-{other}", "attacked-listens", "attacked-connects"):
    subprocess.run(["systemctl", "stop", f"{unit}.service"], stderr=subprocess.DEVNULL)
for awake in (slug, other):
    subprocess.run(["systemctl", "stop", f"space-occ@{awake}.target"], stderr=subprocess.DEVNULL)
libc = ctypes.CDLL(None)
libc.shmctl(libc.shmget(0x41524348, 4096, 0), 0, 0)
libc.semctl(libc.semget(0x41524348, 1, 0), 0, 0, 0)
libc.msgctl(libc.msgget(0x41524348, 0), 0, 0)
folders = ["/etc", "/tmp", "/var/tmp", "/dev/shm", "/dev", "/root", "/usr/local/bin",
           "/var/spool/archipel/invitations", "/var/lib/archipel/changes", "/srv"]
for folder in folders:
    wanted = ["(", "-name", "attacked*", "-o", "-name", ".attacked", ")"]
    subprocess.run(["find", folder, "-type", "f", *wanted, "-delete"], check=False)
for left in ("/etc/passwd-", "/etc/group-"):
    if os.path.exists(left):
        os.unlink(left)
print("null")
"""
FACTS = """
import glob, subprocess

def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

def pid(unit):
    return int(said("systemctl", "show", "--property=MainPID", "--value", f"{unit}.service"))

def address(name):
    paths = glob.glob(f"/var/lib/archipel/network/hosts/{name}")
    return open(paths[0]).read().split()[0] if paths else ""

def host(name):
    paths = glob.glob(f"/etc/nginx/archipel/{name}.conf")
    lines = [line for line in open(paths[0]) if line[0] != "#"] if paths else []
    return lines[0].split()[0] if lines else ""

asleep = "SELECT id FROM information_schema.processlist WHERE info = 'SELECT SLEEP(86400)'"
print(json.dumps({
    "other_pid": pid(f"attacked-{other}"), "root_pid": pid("attacked-root"),
    "own_address": address(slug), "other_address": address(other),
    "own_name": host(slug), "other_name": host(other),
    "other_connection": int(said("mariadb", "-NBe", asleep).split()[0]),
}))
"""
EDIT = """
import glob, re, shutil

kept = "/run/attacks-defences"
for files, pattern, instead in edits:
    paths = [path for one in files.split() for path in glob.glob(one)]
    assert paths, f"no file {files}"
    changed = 0
    for path in paths:
        copy = kept + path
        if not os.path.exists(copy):
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copy2(path, copy)
        with open(path) as file:
            text = file.read()
        new, times = re.subn(pattern, instead, text, flags=re.MULTILINE)
        changed += times
        with open(path, "w") as file:
            file.write(new)
    assert changed, f"nothing of {files} is like {pattern}"
print("null")
"""
UNEDIT = """
import shutil

kept = "/run/attacks-defences"
for folder, _folders, files in os.walk(kept):
    for name in files:
        copy = os.path.join(folder, name)
        with open(copy) as kept_file, open(copy.removeprefix(kept), "w") as file:
            file.write(kept_file.read())
shutil.rmtree(kept, ignore_errors=True)
print("null")
"""


class Side:
    """One machine with what is to be found there, and its attacker."""

    def __init__(self, machine: Machine | VirtualMachine, slug: str, other: str) -> None:
        """Know the machine; nothing is done yet."""
        self.machine, self.slug, self.other = machine, slug, other
        self._programs = Programs(machine)
        self._attacker: Attacker | None = None

    def set_up(self) -> dict[str, Any]:
        """Put there what attacks look for; return what there is to know of it."""
        values = {"slug": self.slug, "other": self.other, "port": PORT}
        self._programs.root(SETTING, **values)
        return dict(self._programs.root(FACTS, **values))

    def clear(self) -> None:
        """Take away what was put there, and what attacks have left."""
        self._programs.root(CLEARING, slug=self.slug, other=self.other)
        self._programs.root(SWEEP)

    def know(self, **facts: Any) -> None:
        """Let the attacker know what there is."""
        self._attacker = Attacker(self.machine, self.slug, other=self.other, **facts)

    def tries(self, attacks: Sequence[Attack], way: str) -> dict[str, str]:
        """Return what comes of attacks, by what they do.

        Raises:
            RuntimeError: nothing was set up.

        """
        if self._attacker is None:
            raise RuntimeError("set_up and know come first")
        return self._attacker.tries(attacks, way)

    @contextmanager
    def without(self, names: Iterable[str]) -> Iterator[None]:
        """Take defences away for a time; put them back whatever happens."""
        defences = [DEFENCES[name] for name in names]
        try:
            self._programs.root(
                EDIT, edits=[edit for defence in defences for edit in defence.edits]
            )
            self._apply(defences)
            for defence in defences:
                self._run(defence.remove)
            yield
        finally:
            self._programs.root(SWEEP)
            self._programs.root(UNEDIT)
            for defence in reversed(defences):
                self._run(defence.restore)
            self._apply(defences)

    def _apply(self, defences: list[Defence]) -> None:
        for command in dict.fromkeys(defence.apply for defence in defences):
            self._run(command)

    def _run(self, command: str) -> None:
        if command:
            self.machine.execute("sh", "-c", command)


class Attacked:
    """Both nodes."""

    def __init__(self) -> None:
        """Know the machines of the scenario."""
        self.near = Side(scenario.machine("attacks"), SLUG, OTHER)
        self.far = Side(scenario.further("attacks")["node2"], FAR, OTHER)

    def try_all(self, attacks: Iterable[Attack], way: str) -> dict[str, str]:
        """Return what comes of attacks in one way, each from its node, by what they do."""
        chosen = [one for one in attacks if way in one.ways]
        found: dict[str, str] = {}
        for side in (self.near, self.far):
            found |= side.tries([one for one in chosen if one.far == (side is self.far)], way)
        return found

    @contextmanager
    def ready(self) -> Iterator[Attacked]:
        """Set both up, and clear them in the end."""
        try:
            near, far = self.near.set_up(), self.far.set_up()
            between = {
                "own_node": ADDRESSES[0],
                "far_node": ADDRESSES[1],
                "near_node": ADDRESSES[0],
                "far_name": far["own_name"],
                "near_name": near["own_name"],
            }
            self.near.know(**near, **between)
            self.far.know(**far, **between)
            yield self
        finally:
            self.near.clear()
            self.far.clear()
