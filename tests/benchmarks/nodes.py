# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Machines and registries for benchmarks, and what a run of a playbook on them costs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from tools.lab.host import podman, run
from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build"
# What a node is made of before it has spaces: a change of it needs a new snapshot.
PLATFORM = (
    "playbooks/platform.yml",
    "group_vars",
    *(f"roles/{name}" for name in ("common", "certificates", "nginx", "php", "redis", "mariadb")),
    "tools/lab",
)
KEY = "benchmark-benchmark-benchmark-benchmark"
SPACE = """\
name: L'association n° {number}
status: approved
contact: {{name: Camille Petit, email: bureau@{slug}.example}}
decision: {{by: moderation, on: 2024-05-30}}
office: {office}
limits: {{accounts: {accounts}, storage_gb: {storage}}}
theme: {{color: "#00679e", slogan: Ensemble}}
"""

# A Python that notes the memory of what it ran.
WATCHED, PEAKS = "/usr/local/bin/watched-python3", "/tmp/peaks"
WATCHER = f"""\
#!/usr/bin/python3
import resource, subprocess, sys
code = subprocess.call(["/usr/bin/python3", *sys.argv[1:]])
with open("{PEAKS}", "a") as file:
    file.write(f"{{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}}\\n")
sys.exit(code)
"""


@dataclass
class Sample:
    """One run; None: not measured."""

    seconds: float
    # Of the largest process.
    peak_mib: float | None = None
    controller_cpu: float | None = None
    node_cpu: float | None = None
    tasks: int | None = None
    # Tasks that changed something, over all machines.
    changed: int | None = None


class Nodes:
    """The machines that are converged: as many as there are thousands of spaces."""

    def __init__(self, number: int, name: str = "bench") -> None:
        names = [f"archipel-{name}{n}" for n in range(number)]
        self.machines = [Machine(name, BUILD / "lab" / name) for name in names]

    def up(self) -> None:
        """Make the first with all packages, keep it as an image, make the others from it."""
        images = run([*podman(), "images", "--format", "{{.Repository}}:{{.Tag}}"]).split()
        first, snapshot = self.machines[0], snapshot_name()
        if snapshot not in images:
            first.up("trixie", [":22"])
            environment = Environment(BUILD / "bench/platform", 1, [first])
            environment.play("playbooks/platform.yml", "--skip-tags", "nextcloud")
            first.commit(snapshot)
            first.down()
        for machine in self.machines:
            machine.up("trixie", [":22"], snapshot=snapshot)

    def down(self) -> None:
        """Remove the machines; the image stays for the next time."""
        for machine in self.machines:
            machine.down()

    def cpu(self) -> float:
        """Return the processor seconds the machines have used."""
        return sum(cpu_seconds(machine) for machine in self.machines)

    def reset(self) -> None:
        """Make the machines anew: no space was ever there."""
        self.down()
        self.up()


def snapshot_name() -> str:
    """Return the name of the image of a node without spaces, for the roles as they are now."""
    digest = hashlib.sha256()
    for part in PLATFORM:
        path = ROOT / part
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix != ".pyc":
                digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return f"localhost/archipel-lab:bench-{digest.hexdigest()[:12]}"


def cpu_seconds(machine: Machine) -> float:
    """Return the processor time of all that runs or ran in a machine's processes, in seconds."""
    text = machine.execute("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null; true")
    ticks = 0
    for line in text.splitlines():
        fields = line.rpartition(")")[2].split()
        ticks += sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def execute(machine: Machine, *command: str, stdin: str, seconds: float = 3600) -> str:
    """Run a command in a machine that may take longer than any of the lab's own do."""
    line = [*podman(), "exec", "--interactive", machine.container, *command]
    return run(line, stdin=stdin, timeout=seconds)


class Environment:
    """An environment of its own with generated associations."""

    def __init__(
        self,
        path: Path,
        spaces: int,
        machines: t.Sequence[Machine | VirtualMachine],
        **policy: t.Any,
    ) -> None:
        self.path, self.machines = path, machines
        self._policy = {
            "archipel_environment": path.name,
            "archipel_base_domain": "bench.localhost",
            "archipel_master_key": KEY,
            "spaces_install_enabled": False,
            # A container has no project quotas.
            "archipel_quota_backend": "none",
            "spaces_cron_calendar": "*-01-01 00:00:00",
            **policy,
        }
        shutil.rmtree(path, ignore_errors=True)
        # Not beside the environments: who gives Ansible all of them would have it read as one.
        self.registry = path.parent.with_name(f"{path.parent.name}-registry") / path.name
        shutil.rmtree(self.registry, ignore_errors=True)
        (self.registry / "spaces").mkdir(parents=True)
        (self.registry / "placement.yml").write_text("next_id: 70000\nspaces: {}\n")
        (path / "group_vars/all").mkdir(parents=True)
        (path / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
        options = {"plugin": "archipel.spaces.registry", "registry": str(self.registry)}
        (path / "spaces.yml").write_text(json.dumps(options))
        self.reach()
        self.policy()
        for number in range(spaces):
            self.add(number)

    @property
    def container(self) -> Machine:
        """The first node, which is no virtual machine."""
        first = self.machines[0]
        assert isinstance(first, Machine)
        return first

    def reach(self, interpreter: str = "/usr/bin/python3") -> None:
        """Write how Ansible reaches the machines, and with which Python it works there."""
        hosts = {
            f"node{n}": {**connection(machine), "ansible_python_interpreter": interpreter}
            for n, machine in enumerate(self.machines)
        }
        nodes = {"web": {"hosts": hosts}, "db": {"hosts": {name: {} for name in hosts}}}
        (self.path / "nodes.yml").write_text(json.dumps(nodes))

    def node_peak(self, playbook: str) -> float:
        """Return the MiB of the largest module on a node in a run of a playbook."""
        for machine in self.machines:
            machine.execute("sh", "-c", f"cat > {WATCHED} && chmod +x {WATCHED}", stdin=WATCHER)
        self.reach(WATCHED)
        self.play(playbook)
        self.reach()
        peaks = [m.execute("cat", PEAKS).split() for m in self.machines]
        return max(int(kib) for node in peaks for kib in node) / 1024

    def policy(self, **changes: t.Any) -> None:
        """Change the policy that all the spaces have in common."""
        self._policy |= changes
        (self.path / "group_vars/all/10-environment.yml").write_text(json.dumps(self._policy))

    def add(
        self,
        number: int,
        accounts: int = 50,
        domains: t.Sequence[str] = (),
        storage: int = 40,
    ) -> None:
        """Write one association's file; storage in GB."""
        slug = f"asso-{number}"
        office = ("collabora", "onlyoffice")[number % 2]
        text = SPACE.format(
            number=number, slug=slug, office=office, accounts=accounts, storage=storage
        )
        own = f"domains: {json.dumps(domains)}\n" if domains else ""
        (self.registry / f"spaces/{slug}.yml").write_text(text + own)

    def play(self, playbook: str, *options: str, **environment: str) -> Sample:
        """Run a playbook on this environment and measure it."""
        command = ["ansible-playbook", "-i", str(self.path), str(playbook), *options]
        return measured(command, {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **environment})

    def spaces(self) -> list[dict[str, t.Any]]:
        """Return the entries of the first node, as the inventory gives them."""
        command = ["ansible-inventory", "-i", str(self.path), "--host", "node0"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return t.cast("list[dict[str, t.Any]]", json.loads(done.stdout)["archipel_spaces"])


def connection(machine: Machine | VirtualMachine) -> dict[str, t.Any]:
    """Return how Ansible reaches a machine."""
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": machine.port(22) if machine.exists() else 22,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(machine.key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={machine.known_hosts}",
    }


def measured(command: t.Sequence[str], environment: t.Mapping[str, str]) -> Sample:
    """Run a command to its end; return what it cost. A failure ends the benchmark."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{text[-5000:]}")
    return Sample(
        seconds,
        peak_mib=usage.ru_maxrss / 1024,
        controller_cpu=usage.ru_utime + usage.ru_stime,
        tasks=len(re.findall(r"^TASK \[", text, re.MULTILINE)),
        changed=sum(map(int, re.findall(r"\bchanged=(\d+)", text))),
    )
