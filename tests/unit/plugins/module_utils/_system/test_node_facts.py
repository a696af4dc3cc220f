# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What is read of a node."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._system import _node_facts

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max open files            {soft}               {hard}               files
Max locked memory         8388608              8388608              bytes
"""


@pytest.mark.parametrize(
    ("hard", "expected"), [("524288", 524288), ("unlimited", 0)], ids=["limited", "without"]
)
def test_what_a_service_may_open_is_the_hard_limit(hard: str, expected: int):
    assert _node_facts.parse_nofile(LIMITS.format(soft=1024, hard=hard)) == expected


def test_memory_is_in_mebibytes():
    assert _node_facts.parse_memory("MemTotal:       16384000 kB\nMemFree: 1 kB\n") == 16000
    assert _node_facts.parse_memory("") == 0


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("proc /proc proc rw,nosuid,nodev 0 0\n/dev/sda1 / ext4 rw 0 0\n", "rw,nosuid,nodev"),
        ("proc /proc proc rw 0 0\nproc /proc proc rw,gid=987,hidepid=invisible 0 0\n",
         "rw,gid=987,hidepid=invisible"),
        ("# proc /proc proc defaults 0 0\n", ""),
        ("proc /srv/proc proc rw 0 0\nbinfmt /proc/sys/fs/binfmt_misc binfmt_misc rw 0 0\n", ""),
        ("", ""),
    ],
    ids=["one", "the last lies above", "a comment", "other places", "none"],
)  # fmt: skip
def test_options_of_proc_are_found(table: str, expected: str):
    assert _node_facts.find_options(table) == expected


def test_a_node_without_a_file_or_a_program_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("INIT_LIMITS", "MEMORY", "IPV6", "MOUNTS", "FSTAB", "DISKS", "IO_COST"):
        monkeypatch.setattr(_node_facts, name, str(tmp_path / "none"))
    for name in ("PROBE", "CONTAINER"):
        monkeypatch.setattr(_node_facts, name, ("no-such-program",))
    assert _node_facts.read_node() == {
        "nofile": 0,
        "memory_mb": 0,
        "ipv6": False,
        "container": False,
    }
    assert _node_facts.read_proc() == {"hideable": False, "mounted": "", "fstab": ""}
    assert _node_facts.read_disks() == []


def test_a_disk_is_weighed_by_its_scheduler_or_by_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A device on top of disks has a scheduler to show as well, which orders nothing."""
    queues = {
        "vda": ("254:0", "[none] mq-deadline", True),
        "vdb": ("254:16", "none mq-deadline [bfq]", True),
        "sda": ("8:0", "[mq-deadline] none", True),
        "dm-0": ("253:0", "[none]", False),
        "zram0": ("252:0", "", True),
    }
    for name, (number, scheduler, device) in queues.items():
        (tmp_path / "block" / name / "queue").mkdir(parents=True)
        (tmp_path / "block" / name / "dev").write_text(f"{number}\n")
        (tmp_path / "block" / name / "queue/scheduler").write_text(f"{scheduler}\n")
        if device:
            (tmp_path / "block" / name / "device").mkdir()
    cost = tmp_path / "io.cost.qos"
    cost.write_text("8:0 enable=1 ctrl=auto rpct=0.00\n254:0 enable=0 ctrl=auto rpct=0.00\n")
    monkeypatch.setattr(_node_facts, "DISKS", str(tmp_path / "block"))
    monkeypatch.setattr(_node_facts, "IO_COST", str(cost))
    assert _node_facts.read_disks() == [
        {"name": "sda", "scheduler": "mq-deadline", "weighed": True},
        {"name": "vda", "scheduler": "none", "weighed": False},
        {"name": "vdb", "scheduler": "bfq", "weighed": True},
    ]
