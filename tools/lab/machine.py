# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""One machine: made, found again, rebooted, removed, and reached over SSH."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from typing import Any

from tools.lab import LabError, host, image, networks
from tools.lab.host import podman, run, until
from tools.lab.keys import Keys

BOOT_SECONDS = 90
REMOVAL_SECONDS = 600
STOP_SECONDS = 60
# Tells whoever looks at `podman ps` whose machine it is.
STATE_LABEL = "archipel.state"


@dataclass(frozen=True)
class Machine(Keys):
    """A machine's name, and the folder that holds its keys on this host."""

    @property
    def container(self) -> str:
        """The container's name: each copy of the project has machines of its own."""
        owner = hashlib.sha256(str(self.state.resolve()).encode()).hexdigest()
        return f"{self.name}-{owner[:8]}"

    def up(
        self, suite: str, ports: list[str], snapshot: str | None = None, network: str = ""
    ) -> bool:
        """Make the machine, or start it again; return whether anything was done.

        Args:
            suite: Debian's name of the release.
            ports: what to publish on the loopback, as `podman run --publish` takes it.
            snapshot: an image that `commit` made, instead of a bare Debian.
            network: NAME=ADDRESS, a private network with other machines, and this one's address.
        """
        host.require("ssh", "ssh-keygen")
        host.check_id_range()
        self.make_key()
        found = self._inspect()
        if found is None:
            self._create(snapshot or image.ensure(suite), ports, networks.ensure(network))
        elif not found["State"]["Running"]:
            run([*podman(), "start", self.container])
        elif self.ssh_config.exists() and self.answers():
            return False
        self._await_boot()
        self._write_ssh_files()
        return True

    def down(self) -> bool:
        """Remove the machine and its keys; return whether there was anything."""
        found = self._inspect()
        if found is not None:
            remove = [*podman(), "rm", "--force", "--time", "5", "--volumes", self.container]
            # A busy host deletes the files of several real releases for minutes.
            run(remove, timeout=REMOVAL_SECONDS)
            networks.remove_unused(found["NetworkSettings"]["Networks"] or {})
        self.remove_keys()
        return found is not None

    def commit(self, name: str) -> None:
        """Keep the machine as it is as an image of this name; it is stopped meanwhile."""
        stop = [*podman(), "stop", "--time", str(STOP_SECONDS), self.container]
        run(stop, timeout=STOP_SECONDS + 30)
        run([*podman(), "commit", "--quiet", self.container, name], timeout=600)
        run([*podman(), "start", self.container])
        self._await_boot()

    def exists(self) -> bool:
        """Tell whether there is a container of this name, running or not."""
        return self._inspect() is not None

    def reboot(self) -> None:
        """Stop systemd in good order and boot again, as a reboot of a server does."""
        run(
            [*podman(), "restart", "--time", str(STOP_SECONDS), self.container],
            timeout=STOP_SECONDS + 30,
        )
        self._await_boot()

    def kill(self) -> None:
        """Let it lose its power: nothing in it comes to its end."""
        run([*podman(), "kill", "--signal", "KILL", self.container])

    def boot(self) -> None:
        """Give it its power back."""
        run([*podman(), "start", self.container])
        self._await_boot()
        until(BOOT_SECONDS, f"{self.name} to answer SSH", self.answers)

    def port(self, inside: int) -> int:
        """Return the port of this host's loopback that leads to a port of the machine."""
        published = run([*podman(), "port", self.container, f"{inside}/tcp"]).split()
        return int(published[0].rsplit(":", 1)[1])

    def execute(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in the machine without SSH: for the lab itself only."""
        return run([*podman(), "exec", "--interactive", self.container, *command], stdin=stdin)

    def _inspect(self) -> dict[str, Any] | None:
        names = run([*podman(), "ps", "--all", "--format", "{{.Names}}"]).split()
        if self.container not in names:
            return None
        found: list[dict[str, Any]] = json.loads(run([*podman(), "inspect", self.container]))
        return found[0]

    def _create(self, image_name: str, ports: list[str], network: list[str]) -> None:
        run(
            [
                *podman(),
                "run",
                "--detach",
                f"--name={self.container}",
                f"--hostname={self.name}",
                f"--label={STATE_LABEL}={self.state}",
                # systemd's own sandboxing makes mounts and user namespaces inside.
                "--privileged",
                "--systemd=always",
                "--pids-limit=-1",
                *host.limit_options(),
                *network,
                *(f"--publish=127.0.0.1:{port}" for port in ports),
                image_name,
                "/sbin/init",
                *host.init_arguments(),
            ]
        )

    def _await_boot(self) -> None:
        """Wait until every unit has started; a unit that failed is named."""
        state = host.settled(BOOT_SECONDS, self.name, self._system_state)
        if state != "running":
            failed = self.execute("systemctl", "--failed", "--no-legend", "--plain")
            raise LabError(f"{self.name} booted to the state '{state}'; failed units:\n{failed}")

    def _system_state(self) -> str:
        """Ask systemd; its exit code only repeats the word it prints. Empty: no answer."""
        try:
            done = subprocess.run(
                [*podman(), "exec", self.container, "systemctl", "is-system-running"],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=30,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip()

    def _write_ssh_files(self) -> None:
        public = self.key.with_suffix(".pub").read_text(encoding="utf-8")
        self.execute("sh", "-c", "umask 077; cat > /root/.ssh/authorized_keys", stdin=public)
        port = self.port(22)
        host_key = self.execute("cat", "/etc/ssh/ssh_host_ed25519_key.pub")
        self.write_ssh_files(port, host_key)
        until(30, f"{self.name} to answer SSH", self.answers)
