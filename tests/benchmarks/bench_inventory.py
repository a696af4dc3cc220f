# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the inventory costs: our plugin beside Ansible's own, with the same hosts.

Each line is the median of several runs of `ansible-inventory --list`, taken in turns so that
whatever else the machine does falls on all of them. Nothing is asserted: this prints numbers.
"""

from __future__ import annotations

import argparse
import functools
import json
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


def make_registry(folder: Path, number: int) -> None:
    """An environment with that many files."""
    (folder / "spaces").mkdir(parents=True)
    (folder / "group_vars").mkdir()
    (folder / "group_vars" / "all.yml").write_text(POLICY)
    (folder / "nodes.yml").write_text(NODES)
    (folder / "spaces.yml").write_text("plugin: archipel.spaces.registry\n")
    for index in range(number):
        slug = f"{WORDS[index % 10]}-{WORDS[index // 10 % 10]}-{index}"
        status = STATUSES[index % len(STATUSES)]
        (folder / "spaces" / f"{slug}.yml").write_text(
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


def command(source: Path, cache: Path | None = None) -> tuple[list[str], dict[str, str]]:
    """How `ansible-inventory` is called, and with which environment."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_PLAYBOOK_DIR": str(source if source.is_dir() else source.parent),
    }
    if cache:
        environment |= {
            "ANSIBLE_INVENTORY_CACHE": "true",
            "ANSIBLE_INVENTORY_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_INVENTORY_CACHE_CONNECTION": str(cache),
        }
    return ["ansible-inventory", "-i", str(source), "--list"], environment


def run(source: Path, cache: Path | None = None, output: Path | None = None) -> Cost:
    """One run in a process of its own."""
    arguments, environment = command(source, cache)
    with (output or Path(os.devnull)).open("wb") as file:
        start = time.perf_counter()
        process = subprocess.Popen(
            arguments, stdout=file, stderr=subprocess.DEVNULL, env=environment
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {process.returncode}; run it to see why")
    return Cost(seconds, usage.ru_maxrss / 1024)


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


def make_script(folder: Path, listing: dict[str, t.Any]) -> Path:
    """Ansible's script inventory with the same hosts, as JSON that only needs printing."""
    beside(folder)
    (folder / "hosts.json").write_text(json.dumps(ready(listing), ensure_ascii=False))
    script = folder / "hosts"
    script.write_text(f"#!/bin/sh\nexec cat {folder}/hosts.json\n")
    script.chmod(0o755)
    return script


def make_yaml(folder: Path, listing: dict[str, t.Any]) -> Path:
    """The same hosts for Ansible's yaml plugin: one file, JSON being YAML."""
    data = ready(listing)
    variables = data.pop("_meta")["hostvars"]
    groups: dict[str, t.Any] = {
        name: {
            "children": {child: {} for child in group.get("children", ())},
            "hosts": {host: {} for host in group.get("hosts", ())},
        }
        for name, group in data.items()
        if name != "all"
    }
    path = beside(folder) / "hosts.yml"
    content = {"all": {"hosts": variables, "children": groups}}
    path.write_text(json.dumps(content, ensure_ascii=False))
    return path


def measure(number: int, runs: int, with_yaml: bool) -> dict[str, list[Cost]]:
    """All ways in turns."""
    with tempfile.TemporaryDirectory(prefix="archipel-bench-") as name:
        folder = Path(name)
        environment, cache, listing = (folder / part for part in ("environment", "cache", "list"))
        make_registry(environment, number)
        # The placement is recorded, as on every day but the first.
        record_placement(environment)
        time.sleep(2.1)  # files younger than two seconds are not cached
        run(environment, cache=cache, output=listing)
        hosts = json.loads(listing.read_text())
        sources = {"script, ready JSON": make_script(folder / "script", hosts)}
        if with_yaml:
            sources["builtin yaml"] = make_yaml(folder / "yaml", hosts)
        ways: dict[str, t.Callable[[], Cost]] = {
            "registry, cold": functools.partial(run, environment),
            "registry, cached": functools.partial(run, environment, cache=cache),
            **{way: functools.partial(run, source) for way, source in sources.items()},
        }
        costs: dict[str, list[Cost]] = {way: [] for way in ways}
        for _turn in range(runs):
            for way, go in ways.items():
                costs[way].append(go())
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


def report(number: int, runs: int, costs: dict[str, list[Cost]]) -> None:
    """Print the table."""
    median = {
        way: Cost(*(statistics.median(values) for values in zip(*list_, strict=True)))
        for way, list_ in costs.items()
    }
    script = median["script, ready JSON"].seconds
    print(f"ansible-inventory --list, {number} files, median of {runs}")
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
    report(number, options.runs, measure(number, options.runs, options.yaml))


if __name__ == "__main__":
    main()
