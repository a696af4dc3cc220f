# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""How this host reaches a machine over SSH: keys on both sides, known beforehand."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.lab.host import run


@dataclass(frozen=True)
class Keys:
    """A machine's name, and the folder that holds its keys on this host."""

    name: str
    state: Path

    @property
    def key(self) -> Path:
        """The private key that opens root's account on this machine alone."""
        return self.state / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The machine's own key: no first connection on trust."""
        return self.state / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """Everything ssh needs: ``ssh -F <this file> <name>``."""
        return self.state / "ssh_config"

    def make_key(self) -> None:
        """Make the key that opens the machine, once."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", self.key])

    def remove_keys(self) -> None:
        """Remove everything that reaches the machine."""
        for path in (self.key, self.key.with_suffix(".pub"), self.known_hosts, self.ssh_config):
            path.unlink(missing_ok=True)

    def write_ssh_files(self, port: int, host_key: str) -> None:
        """Write what ssh needs to know the machine behind a port of the loopback."""
        kind, key = host_key.split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{port} {kind} {key}\n", encoding="utf-8")
        self.ssh_config.write_text(
            f"Host {self.name}\n"
            "  HostName 127.0.0.1\n"
            f"  Port {port}\n"
            "  User root\n"
            f"  IdentityFile {self.key}\n"
            "  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.known_hosts}\n",
            encoding="utf-8",
        )

    def answers(self) -> bool:
        """Tell whether the machine lets us in."""
        ssh = ["ssh", "-F", str(self.ssh_config), "-o", "ConnectTimeout=5", self.name, "true"]
        try:
            done = subprocess.run(ssh, capture_output=True, timeout=30, check=False)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0
