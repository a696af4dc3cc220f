# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A machine with a kernel of its own, for what the kernel of this host may lack.

qemu runs it: with the processor's help (KVM) where that works, and in plain software (TCG)
where it does not, several times slower and the same otherwise. It offers what
`tools.lab.machine.Machine` offers.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.lab import LabError, disk, host
from tools.lab.host import run, until
from tools.lab.keys import Keys

# An emulated processor on a busy host takes its time.
BOOT_SECONDS = 600
# For an answer while it boots, and for a command: a thousand spaces on an emulated processor took
# more than a minute on a busy host.
ANSWER_SECONDS, COMMAND_SECONDS = 60, 600
PROBE_SECONDS = 12
# kvm or tcg: whoever knows better than the probe.
ACCELERATOR = "ARCHIPEL_LAB_ACCELERATOR"
# MiB, where nobody asks for more.
MEMORY = 1024
PROCESSORS = "2"


def accelerator(boot: disk.Disk) -> str:
    """Return what can run a machine here; tried out, because having /dev/kvm is not enough."""
    wished = os.environ.get(ACCELERATOR, "")
    if wished in {"kvm", "tcg"}:
        return wished
    if wished:
        raise LabError(f"{ACCELERATOR}={wished}: allowed: kvm, tcg")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    # What was found out holds until this host boots again.
    this_boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    known = boot.folder / f"accelerator-{this_boot}"
    found = known.read_text(encoding="ascii") if known.exists() else ""
    # Empty where whoever wrote it was killed.
    if found not in {"kvm", "tcg"}:
        found = "kvm" if _kvm_works(boot) else "tcg"
        known.write_text(found, encoding="ascii")
    return found


def _kvm_works(boot: disk.Disk) -> bool:
    """Start a kernel that says one word and ends; one that hangs is ended."""
    command = [
        *_qemu("kvm", boot, f"console=ttyS0 panic=-1 {disk.PROBE}"),
        *("-nographic", "-no-reboot", "-net", "none"),
    ]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return f"{disk.PROBE}: it works" in done.stdout


def _qemu(accelerated_by: str, boot: disk.Disk, words: str, memory: int = MEMORY) -> list[str]:
    threads = ",thread=multi" if accelerated_by == "tcg" else ""
    return [
        *("qemu-system-x86_64", "-accel", f"{accelerated_by}{threads}", "-cpu", "max"),
        *("-smp", PROCESSORS, "-m", str(memory), "-nodefaults", "-no-user-config"),
        *("-kernel", str(boot.kernel), "-initrd", str(boot.initrd), "-append", words),
    ]


@dataclass(frozen=True)
class VirtualMachine(Keys):
    """A virtual machine's name, and the folder that holds everything of it on this host."""

    @property
    def console(self) -> Path:
        """What the machine said while it booted."""
        return self.state / "console.log"

    @property
    def process(self) -> Path:
        """The number of the qemu that runs it."""
        return self.state / "qemu.pid"

    @property
    def facts(self) -> Path:
        """What it was made with: needed to start it again."""
        return self.state / "machine.json"

    def up(
        self,
        suite: str,
        ports: list[str],
        disks: Sequence[str] = (),
        memory: int = MEMORY,
        boot: disk.Disk | None = None,
    ) -> bool:
        """Make the machine, or start it again; return whether anything was done.

        Args:
            suite: Debian's name of the release.
            ports: those inside that must be reached, as `:22`; any free port leads there.
            disks: empty disks beside its own, as `NAME=SIZE`, or `NAME` where what it boots has
                it; inside they are /dev/disk/by-id/virtio-NAME.
            memory: of a machine that is made, in MiB.
            boot: what it boots, where that is more than a bare Debian (`tools.lab.transplant`).
        """
        host.require("qemu-system-x86_64", "ssh", "ssh-keygen")
        if self.running():
            return False
        boot = boot or disk.ensure(suite)
        self.make_key()
        if not self.facts.exists():
            self._create(boot, ports, disks, memory)
        self._start(boot)
        self._await_boot()
        return True

    def down(self) -> bool:
        """End the machine and remove all of it; return whether there was anything."""
        found = self.facts.exists()
        self._kill()
        shutil.rmtree(self.state, ignore_errors=True)
        return found

    def exists(self) -> bool:
        """Tell whether there is such a machine, running or not."""
        return self.facts.exists()

    def reboot(self) -> None:
        """Let systemd stop everything in good order and boot again."""
        before = self.execute("cat", "/proc/sys/kernel/random/boot_id")
        self.execute("systemctl", "--no-block", "reboot")

        def anew() -> bool:
            done = self._ssh(["cat", "/proc/sys/kernel/random/boot_id"])
            return done.returncode == 0 and done.stdout != before

        until(BOOT_SECONDS, f"{self.name} to boot again", anew)
        self._await_boot()

    def port(self, inside: int) -> int:
        """Return the port of this host's loopback that leads to a port of the machine."""
        ports: dict[str, int] = json.loads(self.facts.read_text(encoding="utf-8"))["ports"]
        return ports[str(inside)]

    def execute(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in the machine, over SSH."""
        done = self._ssh(command, stdin, COMMAND_SECONDS)
        if done.returncode != 0:
            raise LabError(
                f"exit code {done.returncode} in {self.name}: {' '.join(command)}\n{done.stderr}"
            )
        return done.stdout

    def running(self) -> bool:
        """Tell whether the qemu of this very machine runs."""
        try:
            number = int(self.process.read_text(encoding="ascii"))
            command = Path(f"/proc/{number}/cmdline").read_bytes()
        except (OSError, ValueError):
            return False
        return str(self.process).encode() in command

    def _create(
        self,
        boot: disk.Disk,
        ports: list[str],
        disks: Sequence[str],
        memory: int,
    ) -> None:
        """Copy the disk, give the machine its keys, and make its other disks."""
        run(["cp", "--sparse=always", boot.root, self.state / "root.img"], timeout=300)
        key = self.state / "ssh_host_ed25519_key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", key])
        public = key.with_suffix(".pub")
        disk.place(
            self.state / "root.img",
            [
                ("/etc/ssh/ssh_host_ed25519_key", key, 0o600),
                ("/etc/ssh/ssh_host_ed25519_key.pub", public, 0o644),
                ("/root/.ssh/authorized_keys", self.key.with_suffix(".pub"), 0o600),
            ],
        )
        key.unlink()
        names = []
        for one in disks:
            name, _, size = one.partition("=")
            names.append(name)
            image = f"{name}.img"
            if size:
                run(["truncate", f"--size={size}", self.state / image])
            else:
                run(["cp", "--sparse=always", boot.folder / image, self.state / image], timeout=300)
        found = {port.rpartition(":")[2]: _free_port() for port in ports}
        facts = {"ports": found, "disks": names, "memory": memory}
        self.write_ssh_files(found["22"], public.read_text(encoding="utf-8"))
        self.facts.write_text(json.dumps(facts), encoding="utf-8")

    def _start(self, boot: disk.Disk) -> None:
        facts = json.loads(self.facts.read_text(encoding="utf-8"))
        forwards = "".join(
            f",hostfwd=tcp:127.0.0.1:{outside}-:{inside}"
            for inside, outside in facts["ports"].items()
        )
        chosen = accelerator(boot)
        (self.state / "accelerator").write_text(chosen, encoding="ascii")
        command = [
            *_qemu(chosen, boot, "console=ttyS0 quiet panic=-1 net.ifnames=0", facts["memory"]),
            *("-display", "none", "-serial", f"file:{self.console}"),
            *("-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net,romfile="),
            *("-device", "virtio-rng-pci"),
            *self._drive("root"),
            *(word for name in facts["disks"] for word in self._drive(name)),
            *("-daemonize", "-pidfile", str(self.process)),
        ]
        run(command)

    def _drive(self, name: str) -> tuple[str, ...]:
        # The host's cache is enough: a disk of a test need not survive the host.
        path = f"{self.state}/{name}.img"
        return (
            *("-drive", f"file={path},if=none,id={name},format=raw,cache=unsafe"),
            *("-device", f"virtio-blk-pci,drive={name},serial={name}"),
        )

    def _await_boot(self) -> None:
        """Wait until every unit has started; a unit that failed is named."""
        state = host.settled(BOOT_SECONDS, self.name, self._system_state)
        if state != "running":
            failed = self.execute("systemctl", "--failed", "--no-legend", "--plain")
            raise LabError(f"{self.name} booted to the state '{state}'; failed units:\n{failed}")

    def _system_state(self) -> str:
        if not self.running():
            said = self.console.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise LabError(f"the qemu of {self.name} ended; the machine said last:\n{said}")
        return self._ssh(["systemctl", "is-system-running"]).stdout.strip()

    def _ssh(
        self, command: Sequence[str], stdin: str | None = None, seconds: int = ANSWER_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        words = shlex.join(command)
        # A machine that boots is asked again; a command is given once, however busy it is.
        patience = 5 if seconds <= ANSWER_SECONDS else ANSWER_SECONDS
        connect = ("-o", f"ConnectTimeout={patience}")
        ssh = ["ssh", "-F", str(self.ssh_config), *connect, self.name, words]
        try:
            return subprocess.run(
                ssh,
                input=stdin or "",
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(ssh, 255, "", f"no answer in {seconds} s")

    def _kill(self) -> None:
        if self.running():
            number = int(self.process.read_text(encoding="ascii"))
            os.kill(number, signal.SIGTERM)
            until(30, f"the qemu of {self.name} to end", lambda: not self.running())


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
