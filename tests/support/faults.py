# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Faults in an order that a seed decides, and somebody who goes on working meanwhile."""

from __future__ import annotations

import http.client
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.layout import Layout, Units
from tests.support.scenario import Scenario
from tools import ROOT, inventory

ACKNOWLEDGED = {201, 204}
# What a page, a file or a connection may end with while something is broken.
BROKEN = (OSError, http.client.HTTPException)
# The space's data on a disk that can be filled and made read-only: of so much, and so many files.
DISK = "size=24m,nr_inodes=4000,mode=0750"
PLAYBOOK = str(ROOT / "playbooks/spaces.yml")


@dataclass
class Writer:
    """A member who puts one file after the other, and remembers what was acknowledged."""

    scenario: Scenario
    host: str
    account: tuple[str, str]
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    refused: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send one request as the member; return status and body."""
        answer = self.scenario.browser.request(
            method, self.host, path, account=self.account, body=body
        )
        return answer.status, answer.body

    def begin(self) -> None:
        """Go on in a thread of its own, until `end`."""
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop writing."""
        self._stop.set()
        assert self._thread is not None
        self._thread.join(120)
        assert not self._thread.is_alive()

    def _write(self) -> None:
        number = 0
        while not self._stop.wait(0.02):
            number += 1
            path = f"/remote.php/dav/files/{self.account[0]}/fault-{number % 400}.txt"
            content = f"{number}\n".encode() * 50
            try:
                status, _body = self.ask("PUT", path, content)
            except BROKEN:
                status = 0
            if status in ACKNOWLEDGED:
                self.acknowledged[path] = content
            else:
                self.refused += 1
                # What was there may be there still, or the new content, which nobody promised.
                self.acknowledged.pop(path, None)
                self._stop.wait(0.2)

    def await_answer(self, seconds: float = 90) -> None:
        """Wait until the space serves its member again.

        Raises:
            AssertionError: it does not.

        """
        until = time.monotonic() + seconds
        path = f"/remote.php/dav/files/{self.account[0]}/alive.txt"
        while time.monotonic() < until:
            try:
                if self.ask("PUT", path, b"alive")[0] in ACKNOWLEDGED:
                    return
            except BROKEN:
                pass
            time.sleep(0.5)
        raise AssertionError(f"{self.host} does not answer after {seconds:.0f} s")


class Faults:
    """What can break, each undone by whoever breaks it; the rest is for the node to mend."""

    def __init__(self, scenario: Scenario, slug: str, chance: random.Random) -> None:
        """Know the machine, the space, and what decides how long each lasts."""
        self.scenario, self.slug, self.chance = scenario, slug, chance
        self.data = Layout(slug).data

    def all(self) -> dict[str, Callable[[], None]]:
        """Return each fault by its name."""
        return {
            "MariaDB is killed": lambda: self._kill("mariadb.service"),
            "nginx is killed": lambda: self._kill("nginx.service"),
            "its PHP is killed": lambda: self._kill(Units(self.slug).php),
            "its Redis is killed": lambda: self._kill(Units(self.slug).redis),
            "its disk is full": self._fill,
            "its disk has no inode left": self._use_up_inodes,
            "its disk is read-only": self._make_read_only,
            "the network is cut": self._cut,
            "the controller is killed": self._kill_controller,
            "two operators begin at once": self._begin_twice,
        }

    def sh(self, command: str) -> str:
        """Run something on the machine."""
        return self.scenario.machine.execute("sh", "-c", command)

    def _while(self, broken: str, mended: str) -> None:
        try:
            self.sh(broken)
            time.sleep(self.chance.uniform(0.5, 3))
        finally:
            self.sh(mended)

    def _kill(self, unit: str) -> None:
        # One that sleeps cannot be killed.
        self.sh(f"systemctl kill --signal=KILL {unit} 2>/dev/null || :")

    def _fill(self) -> None:
        self._while(
            f"head -c 64M /dev/zero > {self.data}/filler 2>/dev/null || :",
            f"rm -f {self.data}/filler",
        )

    def _use_up_inodes(self) -> None:
        many = f"mkdir -p {self.data}/filler && cd {self.data}/filler && seq 9000 | xargs touch"
        self._while(f"({many}) 2>/dev/null || :", f"rm -rf {self.data}/filler")

    def _make_read_only(self) -> None:
        self._while(f"mount -o remount,ro {self.data}", f"mount -o remount,rw {self.data}")

    def _cut(self) -> None:
        chain = "{ type filter hook input priority -300; }"
        cut = f"nft add table inet fault; nft add chain inet fault input '{chain}'"
        rule = "nft add rule inet fault input tcp dport 443 drop"
        self._while(f"{cut}; {rule}", "nft delete table inet fault")

    def _converge(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["ansible-playbook", "-i", str(self.scenario.environment), PLAYBOOK],
            cwd=ROOT,
            env={**inventory.settings(), "ANSIBLE_STDOUT_CALLBACK": "default"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _kill_controller(self) -> None:
        run = self._converge()
        time.sleep(self.chance.uniform(2, 25))
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=60)

    def _begin_twice(self) -> None:
        first = self._converge()
        time.sleep(self.chance.uniform(0, 5))
        second = self._converge()
        for run in (first, second):
            said, _ = run.communicate(timeout=600)
            # The other one may be in the way; whoever is refused is told in a sentence.
            assert "Traceback" not in said, said[-4000:]
