# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the inventory costs: our plugin beside Ansible's own, with the same hosts.

Each number is the median of several runs, taken in turns so that whatever else the machine does
falls on all of them. Nothing is asserted: this prints numbers.

`ansible-inventory --list` reads and prints everything, each space three times: on its web node,
on its database node, and as a host. `ansible --list-hosts` reads only: what each play pays.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = (
    "velo",
    "ecole",
    "amap",
    "fanfare",
    "jardin",
    "theatre",
    "repair",
    "chorale",
    "cine",
    "club",
)
STATUSES = ("approved",) * 46 + ("suspended", "requested", "refused", "closed")

SPACE = """\
name: L'association n° {number} « {slug} »
status: {status}
contact:
  name: Camille Petit
  email: bureau@{slug}.example
decision:
  by: moderation
  on: 2024-05-30
  reason: Association loi 1901, trente bénévoles.
office: {office}
ring: {ring}
limits:
  accounts: {accounts}
  storage_gb: 40
domains:
  - cloud.{slug}.example
theme:
  color: "#00679e"
  slogan: Ensemble, plus loin
{more}"""

NODES = """\
web: {hosts: {node1: {ansible_host: 192.0.2.11}, node2: {ansible_host: 192.0.2.12}}}
db: {hosts: {node1: {}, node2: {}}}
"""

POLICY = """\
archipel_environment: bench
archipel_base_domain: spaces.example.org
archipel_https_port: 443
archipel_limits_default: {accounts: 50, storage_gb: 40}
archipel_limits_maximum: {accounts: 200, storage_gb: 200}
archipel_reserved_slugs: [www]
archipel_offices: [collabora, onlyoffice]
archipel_default_locale: fr
archipel_default_timezone: Europe/Paris
archipel_release: "1"
archipel_releases: {"1": {}}
"""


class Cost(t.NamedTuple):
    """One run."""

    seconds: float
    megabytes: float


Costs = dict[str, list[Cost]]


def make_registry(folder: Path, number: int) -> None:
    """An environment with that many files in its registry."""
    registry = folder.with_name("registry")
    (registry / "spaces").mkdir(parents=True)
    (folder / "group_vars").mkdir(parents=True)
    (folder / "group_vars" / "all.yml").write_text(POLICY)
    (folder / "nodes.yml").write_text(NODES)
    (folder / "spaces.yml").write_text("plugin: archipel.spaces.registry\nregistry: ../registry\n")
    closed: list[str] = []
    for index in range(number):
        slug = f"{WORDS[index % 10]}-{WORDS[index // 10 % 10]}-{index}"
        status = STATUSES[index % len(STATUSES)]
        if status == "closed":
            # What was never placed cannot be closed.
            closed.append(f"  {slug}: {{id: {70_000 + len(closed)}, web: node1, db: node1}}\n")
        (registry / "spaces" / f"{slug}.yml").write_text(
            SPACE.format(
                number=index,
                slug=slug,
                status=status,
                office=("collabora", "onlyoffice")[index % 2],
                ring=("canary", "early", "stable")[min(index % 20, 2)],
                accounts=(20, 50, 100)[index % 3],
                more="closed_on: 2024-09-01\n" if status == "closed" else "",
            )
        )
    head = f"environment: bench\nnext_id: {70_000 + len(closed)}\n"
    spaces = "".join(["spaces:\n", *closed]) if closed else "spaces: {}\n"
    (registry / "placement.yml").write_text(f"---\n{head}{spaces}")


def environment_of(cache: Path | None) -> dict[str, str]:
    """The environment of a command."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    if cache:
        environment |= {
            "ANSIBLE_INVENTORY_CACHE": "true",
            "ANSIBLE_INVENTORY_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_INVENTORY_CACHE_CONNECTION": str(cache),
        }
    return environment


def run(arguments: list[str], cache: Path | None = None, output: Path | None = None) -> Cost:
    """One run in a process of its own."""
    with (output or Path(os.devnull)).open("wb") as file:
        start = time.perf_counter()
        process = subprocess.Popen(
            arguments, stdout=file, stderr=subprocess.DEVNULL, env=environment_of(cache)
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {process.returncode}; run it to see why")
    return Cost(seconds, usage.ru_maxrss / 1024)


def listing_of(source: Path) -> list[str]:
    """Read and print everything."""
    return ["ansible-inventory", "-i", str(source), "--list"]


def reading_of(source: Path) -> list[str]:
    """Read, as every play does first."""
    return ["ansible", "-i", str(source), "nodes", "--list-hosts"]


def plain(value: t.Any) -> t.Any:
    """Without ansible-inventory's marks on untrusted text: the least a script can print."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"}:
            return value["__ansible_unsafe"]
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def ready(listing: dict[str, t.Any]) -> dict[str, t.Any]:
    """The listing as data, without the policy: that stays in group_vars for everybody."""
    data = t.cast("dict[str, t.Any]", plain(listing))
    policy = [line.split(":")[0] for line in POLICY.splitlines()]
    for variables in data["_meta"]["hostvars"].values():
        for name in policy:
            variables.pop(name, None)
    return data


def beside(folder: Path) -> Path:
    """A folder for another inventory, with the same policy."""
    (folder / "group_vars").mkdir(parents=True)
    (folder / "group_vars" / "all.yml").write_text(POLICY)
    return folder


def make_others(folder: Path, listing: Path) -> None:
    """The same hosts for Ansible's own plugins."""
    data = ready(json.loads(listing.read_text()))
    make_script(folder / "script", data)
    make_yaml(folder / "yaml", data)


def make_script(folder: Path, data: dict[str, t.Any]) -> None:
    """Ansible's script inventory with the same hosts, as JSON that only needs printing."""
    beside(folder)
    (folder / "hosts.json").write_text(json.dumps(data, ensure_ascii=False))
    script = folder / "hosts"
    script.write_text(f"#!/bin/sh\nexec cat {folder}/hosts.json\n")
    script.chmod(0o755)


def make_yaml(folder: Path, data: dict[str, t.Any]) -> None:
    """The same hosts for Ansible's yaml plugin: one file, JSON being YAML."""
    variables = data["_meta"]["hostvars"]
    groups: dict[str, t.Any] = {
        name: {
            "children": {child: {} for child in group.get("children", ())},
            "hosts": {host: {} for host in group.get("hosts", ())},
        }
        for name, group in data.items()
        if name not in {"_meta", "all"}
    }
    path = beside(folder) / "hosts.yml"
    content = {"all": {"hosts": variables, "children": groups}}
    path.write_text(json.dumps(content, ensure_ascii=False))


def measure(number: int, runs: int, with_yaml: bool) -> dict[str, Costs]:
    """All ways of each command, in turns."""
    with tempfile.TemporaryDirectory(prefix="archipel-bench-") as name:
        folder = Path(name)
        environment, cache, listing = (folder / part for part in ("environment", "cache", "list"))
        make_registry(environment, number)
        # The placement is recorded, as on every day but the first.
        record_placement(environment)
        time.sleep(2.1)  # files younger than two seconds are not cached
        run(listing_of(environment), cache, listing)
        # In a process of its own: a child's peak memory begins with that of its parent.
        maker = multiprocessing.Process(target=make_others, args=(folder, listing))
        maker.start()
        maker.join()
        sources: dict[str, tuple[Path, Path | None]] = {
            "registry, cold": (environment, None),
            "registry, cached": (environment, cache),
            "script, ready JSON": (folder / "script" / "hosts", None),
        }
        if with_yaml:
            sources["builtin yaml"] = (folder / "yaml" / "hosts.yml", None)
        costs: dict[str, Costs] = {}
        for command in (listing_of, reading_of):
            title = " ".join(part for part in command(Path("X")) if part not in {"-i", "X"})
            costs[title] = {way: [] for way in sources}
            for _turn in range(runs):
                for way, (source, kept) in sources.items():
                    costs[title][way].append(run(command(source), kept))
    return costs


def record_placement(environment: Path) -> None:
    """What the first task of a play does."""
    subprocess.run(
        [
            "ansible", "localhost", "-i", str(environment), "-m", "archipel.spaces.placement",
            "-a", json.dumps({"placement": "{{ archipel_placement }}"}),
        ],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
    )  # fmt: skip


def report(title: str, costs: Costs) -> None:
    """Print one table."""
    median = {
        way: Cost(*(statistics.median(values) for values in zip(*runs, strict=True)))
        for way, runs in costs.items()
    }
    script = median["script, ready JSON"].seconds
    print(title)
    for way, cost in median.items():
        print(
            f"  {way:<20}{cost.seconds:7.2f} s {cost.megabytes:7.0f} MB"
            f"   {cost.seconds / script:5.2f} x the script"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1,000 files instead of 10,000")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--yaml", action="store_true", help="Ansible's yaml plugin as well (slow)")
    options = parser.parse_args()
    number = 1_000 if options.quick else 10_000
    print(f"Inventory of {number} associations, median of {options.runs}")
    for title, costs in measure(number, options.runs, options.yaml).items():
        report(title, costs)


if __name__ == "__main__":
    main()
