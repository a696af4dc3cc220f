# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Limits hold, on ext4 and on XFS: everything below is told by the kernel.

The tests of a file system build on each other, in this order: a virtual machine is too slow
to begin anew for each.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import disks
from tests.support.limits import FULL, LARGE, NEIGHBOUR, SHOWN, WRITE, Limits, give

GIB = 1 << 30
MIB = 1 << 20
FILL = """
# Nearly all at once, the rest by writing: what was only reserved counts too.
folder = f"/srv/spaces/{slug}/data/alice/files/deep/down"
os.makedirs(folder, exist_ok=True)
info = os.statvfs(folder)
left = info.f_bavail * info.f_frsize
file = os.open(f"{folder}/film", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
size = os.fstat(file).st_size
if left > 16 << 20:
    os.posix_fallocate(file, size, left - (8 << 20))
chunk, written, why = b"x" * (1 << 20), 0, ""
while not why and written < 64 << 20:
    why = attempt(lambda: (os.write(file, chunk), os.fsync(file)))
    written += 0 if why else len(chunk)
shown = []
for path in (f"/srv/spaces/{slug}/data", folder):
    info = os.statvfs(path)
    shown.append([info.f_blocks * info.f_frsize, info.f_bavail * info.f_frsize, info.f_files])
print(json.dumps({"why": why, "written": written, "shown": shown}))
"""
ESCAPE = """
import subprocess
home = f"/srv/spaces/{slug}/{tree}"
os.makedirs(f"{home}/own", exist_ok=True)
open(f"{home}/own/file", "w").close()
def change(path, project, inherit):
    descriptor = os.open(path, os.O_RDONLY)
    q.set_tag(descriptor, q.Tag(project, inherit))
def chattr(*words):
    done = subprocess.run(["chattr", *words], capture_output=True, text=True)
    return "" if done.returncode == 0 else (done.stderr or "failed").strip()
print(json.dumps({
    "file to no project": attempt(change, f"{home}/own/file", 0, False),
    "file to another project": attempt(change, f"{home}/own/file", 5, False),
    "folder no longer hands it down": attempt(change, f"{home}/own", number, False),
    "chattr -p": chattr("-p", "0", f"{home}/own/file"),
    "chattr -P": chattr("-P", f"{home}/own"),
}))
"""
# What PHP keeps of an upload until it is stored, and that it is stored by its name alone.
KEEP = """
kept, stored = f"/srv/spaces/{slug}/tmp/phpUpload", f"/srv/spaces/{slug}/data/upload"
def left():
    info = os.statvfs(f"/srv/spaces/{slug}/data")
    return info.f_bavail * info.f_frsize
def keep():
    with open(kept, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
        os.fsync(file.fileno())
before = left()
answer = {"keep": attempt(keep), "taken": before - left()}
if os.path.exists(kept):
    answer |= {"store": attempt(os.rename, kept, stored), "stored": before - left()}
    os.unlink(stored)
print(json.dumps(answer))
"""
FEWER = """
with q.opened("/srv/spaces") as root:
    now = q.read(root, number)
    q.limit(root, number, now.limit_bytes, now.files + 5)
print(json.dumps(now.files))
"""
MAKE = """
made, why = 0, ""
while not why and made < 20:
    why = attempt(lambda: os.close(os.open(f"/srv/spaces/{slug}/data/{made}.tmp", os.O_CREAT)))
    made += not why
print(json.dumps([made, why]))
"""


def test_files_of_earlier_days_count(limits: Limits):
    found = limits.programs.root(
        """
tags, base = [], f"/srv/spaces/{slug}"
for folder, name in ((f"{base}/data/old", "film"), (f"{base}/tmp", "phpUpload")):
    with q.opened(folder) as descriptor, open(f"{folder}/{name}") as file:
        tag, quota = q.tag(descriptor), q.read(descriptor, number)
        tags.append([tag.project, tag.inherit, q.tag(file.fileno()).project])
journal = os.path.exists(f"/srv/spaces/{slug}/.tagging")
print(json.dumps({"tags": tags, "used": quota.used_bytes, "journal": journal}))
""",
        slug=disks.EARLIER,
        number=limits.number(disks.EARLIER),
    )
    number = limits.number(disks.EARLIER)
    assert found["tags"] == [[number, True, number]] * 2
    assert found["used"] >= 25 * MIB
    assert not found["journal"]


@pytest.fixture(scope="session")
def filled(limits: Limits) -> dict[str, Any]:
    return dict(limits.programs.inside(FULL, FILL))


class TestFull:
    def test_writes_stop_at_the_limit(self, limits: Limits, filled: dict[str, Any]):
        assert filled["why"] == limits.refusal
        assert 4 * MIB <= filled["written"] <= 8 * MIB

    def test_the_limit_shows_as_the_size_of_the_disk_at_any_depth(self, filled: dict[str, Any]):
        assert len(filled["shown"]) == 2
        for size, left, files in filled["shown"]:
            assert size == GIB
            assert left < MIB
            assert files == GIB // 16384

    def test_nothing_more_of_an_upload_is_kept_either(self, limits: Limits, filled: dict[str, Any]):
        assert filled["why"]
        assert limits.programs.inside(FULL, KEEP, size=32 * MIB)["keep"] == limits.refusal

    def test_what_is_kept_of_an_upload_counts_and_is_stored_without_a_copy(self, limits: Limits):
        done = limits.programs.inside(NEIGHBOUR, KEEP, size=64 * MIB)
        assert (done["keep"], done["store"]) == ("", "")
        assert 64 * MIB <= done["taken"] < 66 * MIB
        assert 64 * MIB <= done["stored"] < 66 * MIB

    def test_the_neighbour_is_unaffected(self, limits: Limits, filled: dict[str, Any]):
        assert filled["why"]
        program = f"{WRITE}{SHOWN}"
        said = limits.programs.inside(NEIGHBOUR, program, name="bob/files/a", size=64 * MIB)
        assert said[:2] == ["", GIB]
        assert said[2] > 900 * MIB

    def test_a_full_space_still_logs_and_empties_its_trash(
        self, limits: Limits, filled: dict[str, Any]
    ):
        assert filled["why"]
        done = limits.programs.inside(
            FULL,
            """
home = f"/srv/spaces/{slug}"
film, trash = f"{home}/data/alice/files/deep/down/film", f"{home}/data/alice/trash"
def log():
    with open(f"{home}/log/nextcloud.log", "a") as file:
        file.write("x" * 100_000)
        file.flush()
        os.fsync(file.fileno())
def session():
    with open(f"{home}/sessions/sess_x", "w") as file:
        file.write("x" * 100_000)
print(json.dumps({"log": attempt(log), "session": attempt(session),
    "to trash": attempt(os.rename, film, trash), "back": attempt(os.rename, trash, film)}))
""",
        )
        assert done == {"log": "", "session": "", "to trash": "", "back": ""}


class TestEscape:
    @pytest.mark.parametrize("tree", ["data", "tmp"])
    def test_from_inside_its_sandbox_no_space_leaves_its_limit(self, limits: Limits, tree: str):
        number = limits.number(NEIGHBOUR)
        tried = limits.programs.inside(NEIGHBOUR, ESCAPE, number=number, tree=tree)
        assert {name: bool(error) for name, error in tried.items()} == dict.fromkeys(tried, True)
        assert tried["file to no project"] == "EINVAL"
        assert "Invalid argument" in tried["chattr -p"]

    @pytest.mark.parametrize("tree", ["data", "tmp"])
    def test_it_is_the_sandbox_that_holds_it(self, limits: Limits, tree: str):
        """The same attempts succeed for the same user outside: the test above can fail."""
        number = limits.number(NEIGHBOUR)
        tried = limits.programs.outside(NEIGHBOUR, ESCAPE, number=number, tree=tree)
        assert tried == dict.fromkeys(tried, "")


@pytest.fixture(scope="session")
def changed(limits: Limits) -> dict[str, Any]:
    """Grow one, shrink another below its use, and look at all files again."""
    assert limits.written(LARGE, name="carol/files/film", size=1200 * MIB) == ""
    give(limits.scenario, FULL, 2)
    give(limits.scenario, LARGE, 1)
    return limits.run("-e", "verify_quotas=true")


class TestChange:
    """Raised, refused, and mended in one run."""

    def test_a_raised_limit_takes_effect(self, limits: Limits, changed: dict[str, Any]):
        assert changed["spaces"][FULL] == ["storage 1 GB, 65536 files → 2 GB, 131072 files"]
        program = f"{WRITE}{SHOWN}"
        said = limits.programs.inside(FULL, program, name="alice/files/more", size=32 * MIB)
        assert said[:2] == ["", 2 * GIB]

    def test_a_limit_below_the_use_is_refused_and_stays(
        self, limits: Limits, changed: dict[str, Any]
    ):
        assert changed["failed_spaces"][LARGE].startswith("uses 1.17")
        assert "allow_over=true" in changed["failed_spaces"][LARGE]
        assert list(changed["failed_spaces"]) == [LARGE]
        assert limits.written(LARGE, name="carol/files/more", size=8 * MIB) == ""

    def test_what_escaped_is_brought_back(self, limits: Limits, changed: dict[str, Any]):
        number = limits.number(NEIGHBOUR)
        assert changed["spaces"][NEIGHBOUR] == [f"marked as project {number}: 4 files and folders"]

    def test_others_are_left_alone(self, changed: dict[str, Any]):
        of_others = {k: v for k, v in changed["spaces"].items() if k not in (FULL, NEIGHBOUR)}
        assert of_others == {}


@pytest.fixture(scope="session")
def forced(limits: Limits) -> dict[str, Any]:
    """Allow what was refused, and find a limit that somebody changed by hand."""
    limits.programs.root(FEWER, number=limits.number(NEIGHBOUR))
    assert limits.programs.inside(NEIGHBOUR, MAKE) == [5, limits.refusal]
    return limits.run("-e", "allow_over=true")


class TestOver:
    """A limit below the use, where that is meant; and one that somebody changed by hand."""

    def test_it_is_set_and_reported(self, limits: Limits, forced: dict[str, Any]):
        assert forced["failed_spaces"] == {}
        assert forced["over"] == [LARGE]
        assert LARGE in forced["warnings"][0]
        refusal = limits.written(LARGE, name="carol/files/too-much", size=8 * MIB)
        assert refusal == limits.refusal

    def test_a_limit_changed_by_hand_is_mended(self, forced: dict[str, Any]):
        (what,) = forced["spaces"][NEIGHBOUR]
        assert what.endswith("→ 1 GB, 65536 files")

    def test_a_further_run_changes_nothing(self, limits: Limits, forced: dict[str, Any]):
        assert forced["changed"]
        again = limits.run()
        assert (again["changed"], again["failed_spaces"]) == (False, {})

    def test_the_report_tells_who_is_nearly_full(self, limits: Limits, forced: dict[str, Any]):
        limits.scenario.machine.execute("systemctl", "start", "archipel-usage.service")
        text = limits.scenario.machine.execute("cat", "/var/lib/archipel/usage.json")
        report = json.loads(text)
        assert report["enforced"] is True
        assert report["spaces"][LARGE]["above"] == [80, 95]
        assert report["spaces"][LARGE]["limit_bytes"] == GIB
        assert report["spaces"][NEIGHBOUR]["above"] == []
        used = forced["usage"][NEIGHBOUR]["used_bytes"]
        assert abs(report["spaces"][NEIGHBOUR]["used_bytes"] - used) < MIB
        metrics = limits.scenario.machine.execute(
            "cat", "/var/lib/prometheus/node-exporter/archipel_usage.prom"
        )
        assert f'archipel_space_storage_above{{space="{LARGE}",percent="95"}} 1\n' in metrics
        assert "archipel_storage_limits_enforced 1\n" in metrics
