# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A space that runs code of its own: in a web request, in its jobs, in a command of occ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from tests.attacks.model import JOB, OCC, Attack
from tests.support.layout import Layout, Units
from tests.support.sandbox import Programs
from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine

# What every attack has at hand. Each sets `answer`: empty where it succeeded.
PRELUDE = """
import ctypes, errno, glob, json, os, signal, socket, ssl, struct, subprocess, sys, time

ABSENT = "absent"
libc = ctypes.CDLL(None, use_errno=True)

def attempt(act, *arguments):
    # The name of the error, or nothing.
    try:
        act(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
    return ""

def reads(path):
    def act():
        with open(path, "rb") as file:
            file.read(1)
    return attempt(act)

def writes(path):
    def act():
        with open(path, "ab"):
            pass
    return attempt(act)

def lists(folder, name=""):
    try:
        found = os.listdir(folder)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "" if found and (not name or any(name in one for one in found)) else ABSENT

def holds(path, text):
    try:
        with open(path, errors="replace") as file:
            return "" if text in file.read() else ABSENT
    except OSError as error:
        return errno.errorcode[error.errno]

def called(number, *arguments):
    # A system call by its number: the name of the error, or nothing.
    ctypes.set_errno(0)
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return errno.errorcode[ctypes.get_errno()] if libc.syscall(number, *wide) < 0 else ""

def connects(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as caller:
        caller.settimeout(3)
        try:
            caller.connect(address)
            if kind == socket.SOCK_DGRAM:
                caller.send(b"x")
        except TimeoutError:
            return "EHOSTUNREACH"
        except OSError as error:
            return errno.errorcode.get(error.errno, type(error).__name__)
    return ""

def reaches(address, port, kind=socket.SOCK_STREAM):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return connects(family, (address, port), kind)

def sql(*statements, user=None, rows=True):
    os.environ.setdefault("USER", "somebody")
    import pymysql
    try:
        link = pymysql.connect(
            unix_socket="/run/mysqld/mysqld.sock", user=user or f"space-{slug}", connect_timeout=5
        )
        with link, link.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            found = cursor.fetchall()
    except pymysql.err.MySQLError as error:
        return "EPERM" if error.args[0] in DENIED else f"{error.args[0]}: {error.args[1]}"
    return "" if found or not rows else ABSENT

# No rights, no such table, a database unknown, a file that may not be read, too many connections.
DENIED = {1044, 1045, 1049, 1142, 1143, 1146, 1203, 1226, 1227, 1290, 1370, 1396, 1698, 1095}

def asks(name, path, host=None, headers=(), address=None, verify=False):
    # The status that a server answers, as a number, and its page.
    context = ssl.create_default_context() if verify else ssl._create_unverified_context()
    plain = socket.create_connection((address or name, 443), 10)
    with context.wrap_socket(plain, server_hostname=name) as link:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host or name}", "Connection: close", *headers]
        link.sendall(("\\r\\n".join(lines) + "\\r\\n\\r\\n").encode())
        said = b""
        while part := link.recv(65536):
            said += part
    return int(said.split(b" ", 2)[1]), said
"""
# Each in a process of its own, which may end as it likes, and in bounded time.
EACH = """
answers = {}
for does, program in PROGRAMS.items():
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(here)
        signal.alarm(30)
        try:
            exec(program, globals())
            said = str(answer)
        except BaseException as error:
            said = f"broken: {type(error).__name__}: {error}"
        os.write(there, said.encode()[:4000])
        os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as pipe:
        said = pipe.read().decode()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    answers[does] = said if ended == 0 else f"broken: it ended with {ended}"
print(json.dumps(answers))
"""
# What carries a program into PHP: an attacker who can make PHP run anything starts there.
CARRIER = """<?php
$pipes = [1 => ['pipe', 'w'], 2 => ['pipe', 'w']];
$child = proc_open(['/usr/bin/python3', '-s', __DIR__ . '/attack.py'], $pipes, $open);
echo stream_get_contents($open[1]);
fwrite(fopen('php://stderr', 'w'), stream_get_contents($open[2]));
exit(proc_close($child));
"""
# One request to a space's PHP, as the web server passes them on; prints what it answers.
FASTCGI = """
import socket, struct

def record(kind, body):
    return struct.pack("!BBHHBx", 1, kind, 1, len(body), 0) + body

def pair(name, value):
    return bytes([len(name), len(value)]) + name.encode() + value.encode()

def exactly(connection, size):
    found = b""
    while len(found) < size and (part := connection.recv(size - len(found))):
        found += part
    return found

values = pair("REQUEST_METHOD", "GET") + pair("SCRIPT_FILENAME", script)
said = {6: b"", 7: b""}
with socket.socket(socket.AF_UNIX) as connection:
    connection.settimeout(60)
    connection.connect(path)
    begin = struct.pack("!HB5x", 1, 0)
    connection.sendall(record(1, begin) + record(4, values) + record(4, b"") + record(5, b""))
    while head := exactly(connection, 8):
        _version, kind, _number, size, padding = struct.unpack("!BBHHBx", head)
        body = exactly(connection, size + padding)[:size]
        if kind in said:
            said[kind] += body
        if kind == 3:
            break
print(json.dumps([said[6].decode(errors="replace"), said[7].decode(errors="replace")]))
"""
PLACE = """
for name, text in files.items():
    with open(f"{folder}/{name}", "w") as file:
        file.write(text)
    os.chmod(f"{folder}/{name}", 0o644)
print("null")
"""
ANSWER = "/run/attack-answer"


class Attacker:
    """One space of a machine, whose every attack runs as its own unix user in its own sandbox."""

    def __init__(self, machine: Machine | VirtualMachine, slug: str, **known: Any) -> None:
        """Know the space, and what it knows of its target.

        Args:
            machine: where it is.
            slug: of the space.
            **known: variables of each program.

        """
        self.machine, self.slug = machine, slug
        self.known = {**known, "slug": slug}
        self._php = f"php{machine.execute('ls', '/etc/php').split()[0]}"

    def tries(self, attacks: Sequence[Attack], way: str) -> dict[str, str]:
        """Return what comes of attacks: nothing where one succeeded, else why it did not.

        Args:
            attacks: those in Python run in one go, each in a process of its own.
            way: in which the space runs them.

        """
        together = {one.does: self._given(one.program) for one in attacks if not one.php}
        found: dict[str, str] = {}
        if together:
            program = f"{PRELUDE}\n{EACH.replace('PROGRAMS', repr(together))}"
            found |= json.loads(self._run(way, "py", program))
        for one in attacks:
            if one.php:
                found[one.does] = json.loads(self._run(way, "php", one.program))
        return found

    def _given(self, program: str) -> str:
        return "".join(f"{name} = {value!r}\n" for name, value in self.known.items()) + program

    def _run(self, way: str, language: str, program: str) -> str:
        if way == OCC:
            # Anew each time: a defence may be gone from the file since.
            return self._as_occ(program, php=language == "php")
        # Under a name for each: PHP looks at a file once.
        name = hashlib.sha256(program.encode()).hexdigest()[:16] if language == "php" else "carrier"
        files = {f"{name}.php": program if language == "php" else CARRIER}
        if language != "php":
            files["attack.py"] = program
        folder = Layout(self.slug).temporary
        Programs(self.machine).root(PLACE, files=files, folder=folder)
        script = f"{folder}/{name}.php"
        return self._as_job(script) if way == JOB else self._as_web(script)

    def _as_occ(self, program: str, *, php: bool) -> str:
        options = [f"--property={line}" for line in Programs(self.machine).properties(self.slug)]
        command = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect"]
        command += ["--slice=archipel-jobs-spaces.slice", *options, "--"]
        runs = [self._php, "-f", "/dev/stdin"] if php else ["python3", "-s", "-"]
        return self.machine.execute(*command, *runs, stdin=program)

    def _as_web(self, script: str) -> str:
        path = Layout(self.slug).php_socket
        said, complained = Programs(self.machine).root(FASTCGI, script=script, path=path)
        head, _, body = str(said).partition("\r\n\r\n")
        assert body, f"{head}{complained}"
        return body

    def _as_job(self, script: str) -> str:
        unit = Units(self.slug).jobs
        dropin = f"/run/systemd/system/{unit}.d"
        lines = ["[Service]", "ExecStart="]
        lines += [f"ExecStart=/usr/bin/{self._php} -f {script}"]
        lines += [f"StandardOutput=truncate:{ANSWER}"]
        shell = (
            f"mkdir -p {dropin}; cat > {dropin}/attack.conf; systemctl daemon-reload;"
            f" systemctl start {unit}; rm -r {dropin}; systemctl daemon-reload; cat {ANSWER}"
        )
        return self.machine.execute("sh", "-c", shell, stdin="\n".join(lines) + "\n")
