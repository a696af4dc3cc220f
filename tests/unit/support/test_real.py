# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The catalogue that the scenario real makes of the archives that lie in a folder."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support import real
from tools import ROOT, artifacts, scenario
from tools.lab import LabError

PHP = "if (PHP_VERSION_ID < 80{low}00) {{}}\nif (PHP_VERSION_ID >= 80{past}00) {{}}\n"
MARIADB = "private const MIN_MARIADB = '10.6';\nprivate const MAX_MARIADB = '11.8';\n"
INFO = """<info><id>{id}</id><version>{version}</version><dependencies>
<nextcloud min-version="{low}" max-version="{high}"/></dependencies></info>"""


def pack(path: Path, files: dict[str, str]) -> None:
    """Write an archive."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


def pack_release(folder: Path, version: str, **changes: str | None) -> Path:
    """Write what looks like a Nextcloud with two applications."""
    files: dict[str, str | None] = {
        "version.php": f"$OC_VersionString = '{version}';",
        "lib/versioncheck.php": PHP.format(low=2, past=6),
        "apps/settings/lib/SetupChecks/SupportedDatabase.php": MARIADB,
        "apps/dav/appinfo/info.xml": "<info/>",
        "apps/activity/appinfo/info.xml": "<info/>",
        **changes,
    }
    path = folder / f"nextcloud-{version}.tar.gz"
    pack(path, {f"nextcloud/{name}": text for name, text in files.items() if text is not None})
    return path


def pack_application(folder: Path, name: str, version: str, low: int, high: int) -> None:
    """Write what looks like an application that nobody signed."""
    text = INFO.format(id=name, version=version, low=low, high=high)
    pack(folder / f"{name}-{version}.tar.gz", {f"{name}/appinfo/info.xml": text})


def test_a_release_is_read_in_its_archive(tmp_path: Path):
    path = pack_release(tmp_path, "33.0.3")
    found = artifacts.read_release(path)
    assert (found.version, found.major) == ("33.0.3", 33)
    assert (found.php, found.mariadb) == (
        {"min": "8.2", "max": "8.5"},
        {"min": "10.6", "max": "11.8"},
    )
    assert found.brings == {"dav", "activity"}


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [
        ([], []),
        (["33.0.3"], ["33.0.3"]),
        (["31.0.9", "33.0.3"], ["33.0.3"]),
        (["32.0.2", "33.0.3", "33.0.9"], ["32.0.2", "33.0.9"]),
        (["31.0.9", "32.0.2", "33.0.3"], ["32.0.2", "33.0.3"]),
        (["32.0.2", "33.0.3", "35.0.1"], ["32.0.2", "33.0.3"]),
        # As numbers: nine comes before ten.
        (["9.0.9", "10.0.10", "10.0.9"], ["9.0.9", "10.0.10"]),
    ],
)
def test_the_newest_two_majors_that_follow_each_other(
    tmp_path: Path, versions: list[str], chosen: list[str]
):
    for version in versions:
        pack_release(tmp_path, version)
    found = real.choose(artifacts.newest(tmp_path))
    assert [release.version for release in found] == chosen


def test_each_release_gets_the_newest_application_that_runs_on_it(tmp_path: Path):
    pack_release(tmp_path, "32.0.2")
    pack_release(tmp_path, "33.0.3")
    pack_application(tmp_path, "calendar", "6.0.3", 31, 32)
    pack_application(tmp_path, "calendar", "6.4.10", 32, 33)
    pack_application(tmp_path, "calendar", "6.4.9", 32, 33)
    pack_application(tmp_path, "deck", "1.17.3", 33, 33)
    # Nobody asked for it; and one that Nextcloud brings itself.
    pack_application(tmp_path, "whiteboard", "1.0.0", 32, 33)
    pack_application(tmp_path, "activity", "9.9.9", 32, 33)
    settings = real.settings(tmp_path)
    catalogue = settings["archipel_releases"]
    assert catalogue["32.0.2"]["applications"].keys() == {"calendar"}
    assert catalogue["33.0.3"]["applications"].keys() == {"calendar", "deck"}
    entry = catalogue["33.0.3"]["applications"]["calendar"]
    assert entry["version"] == "6.4.10"
    assert re.fullmatch("[0-9a-f]{64}", entry["sha256"])
    # Nobody signed it, and there is no authority in this Nextcloud either.
    assert entry["unsigned"] is True
    # Everything else that the policy has on is named, or a run would refuse.
    assert "deck" in catalogue["32.0.2"]["without"]
    assert "deck" not in catalogue["33.0.3"]["without"]
    assert {"richdocuments", "spreed"} <= set(catalogue["33.0.3"]["without"])
    assert "activity" not in catalogue["33.0.3"]["without"]
    assert settings["archipel_release"] == "32.0.2"
    assert settings["archipel_ring_releases"] == {"canary": "33.0.3"}


@pytest.mark.parametrize(
    "lacking",
    [
        "version.php",
        "lib/versioncheck.php",
        "apps/settings/lib/SetupChecks/SupportedDatabase.php",
    ],
)
def test_what_is_no_whole_nextcloud_is_refused_by_name(tmp_path: Path, lacking: str):
    path = pack_release(tmp_path, "33.0.3", **{lacking: None})
    with pytest.raises(LabError, match=re.escape(lacking)) as refused:
        artifacts.newest(tmp_path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("part", [0, 0.2, 0.5, 0.9])
def test_a_truncated_archive_is_refused_by_name(tmp_path: Path, part: float):
    path = pack_release(tmp_path, "33.0.3")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(LabError, match=re.escape(path.name)):
        artifacts.newest(tmp_path)


def run(folder: Path, *names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call it as make does, with another folder of archives."""
    program = "import sys; from pathlib import Path; from tests.support import real;"
    program += f"real.artifacts.FOLDER = Path({str(folder)!r});"
    program += "sys.exit(real.main('scenarios', *sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", program, *names],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestScenarios:
    def test_without_archives_it_is_left_out_and_said(self, tmp_path: Path):
        done = run(tmp_path, "default", "real", "quota")
        assert (done.returncode, done.stdout.split()) == (0, ["default", "quota"])
        assert done.stderr.count("LEFT OUT") == len(real.PARTS)

    def test_with_one_release_it_runs_and_says_what_it_leaves_out(self, tmp_path: Path):
        pack_release(tmp_path, "33.0.3")
        done = run(tmp_path, "real")
        assert (done.returncode, done.stdout.split()) == (0, ["real"])
        assert done.stderr.count("LEFT OUT") == 1
        assert "33.0.3" in done.stderr

    @pytest.mark.parametrize("versions", [[], ["33.0.3"]])
    def test_strict_makes_that_a_failure(self, tmp_path: Path, versions: list[str]):
        for version in versions:
            pack_release(tmp_path, version)
        assert run(tmp_path, "real", STRICT="1").returncode == 1

    def test_strict_is_content_with_two(self, tmp_path: Path):
        pack_release(tmp_path, "32.0.2")
        pack_release(tmp_path, "33.0.3")
        done = run(tmp_path, "real", STRICT="1")
        assert (done.returncode, done.stdout.split()) == (0, ["real"])
        assert "LEFT OUT" not in done.stderr

    def test_other_scenarios_need_no_archive(self, tmp_path: Path):
        done = run(tmp_path, "default", "quota", STRICT="1")
        assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["default", "quota"], "")


def test_the_newest_alone_has_nothing_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for version in ("9.0.9", "10.0.9"):
        pack_release(tmp_path, version)
    monkeypatch.setattr(artifacts, "FOLDER", tmp_path)
    monkeypatch.setattr(scenario, "environment", lambda _: tmp_path / "env")
    (tmp_path / "env/group_vars/all").mkdir(parents=True)
    assert real.main("alone", "cluster") == 0
    written = json.loads((tmp_path / "env" / real.OVERLAY).read_text(encoding="utf-8"))
    assert written["archipel_release"] == "10.0.9"
    assert list(written["archipel_releases"]) == ["10.0.9"]
    (entry,) = written["archipel_releases"].values()
    assert entry["applications"] == {}
    assert {"calendar", "richdocuments"} <= set(entry["without"])


def test_without_an_archive_there_is_nothing_to_write(tmp_path: Path):
    with pytest.raises(LabError, match="has no archive of a Nextcloud"):
        real.alone(tmp_path)


def test_what_is_written_is_read_by_the_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for version in ("9.0.9", "10.0.9"):
        pack_release(tmp_path, version)
    monkeypatch.setattr(artifacts, "FOLDER", tmp_path)
    monkeypatch.setattr(scenario, "environment", lambda _: tmp_path / "env")
    (tmp_path / "env/group_vars/all").mkdir(parents=True)
    real.write("real")
    assert real.versions("real") == ["9.0.9", "10.0.9"]
