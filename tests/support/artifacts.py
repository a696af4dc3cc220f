# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The real releases that lie in artifacts/, described as the catalogue describes releases.

Nothing is taken from a file's name but where it lies: versions, ranges and what an archive
brings are read in it.

    python -m tests.support.artifacts scenarios NAME…   those that can be run, of these
    python -m tests.support.artifacts write NAME        a catalogue into a scenario's environment
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

# Makes the collection importable.
import tests.conftest  # noqa: F401
from ansible_collections.archipel.spaces.plugins.module_utils import _archive
from ansible_collections.archipel.spaces.plugins.plugin_utils import (
    _code_signature,
    _release_source,
)
from tools import ROOT, scenario

FOLDER = ROOT / "artifacts"
POLICY = ROOT / "group_vars/all"
VERSION = r"(\d+)\.(\d+)\.(\d+)"
# What needs how many consecutive majors.
PARTS = {
    "content, conformance, backup and restore, export": 1,
    "the upgrade across a major, and the way back from one that fails": 2,
}
SCENARIO = "real"
OVERLAY = "group_vars/all/zzz-real.yml"
# Of an archive of Nextcloud, what says what runs it and what it brings.
RUNS_ON = "lib/versioncheck.php"
DATABASES = "apps/settings/lib/SetupChecks/SupportedDatabase.php"
SHIPPED = "core/shipped.json"


class ArtifactError(Exception):
    """An archive in artifacts/ is not what its name says."""


@dataclass(frozen=True)
class Release:
    """A Nextcloud that lies in artifacts/."""

    path: Path
    version: str
    php: Mapping[str, str]
    mariadb: Mapping[str, str]
    # The names of the applications in its own archive.
    brings: frozenset[str]

    @property
    def major(self) -> int:
        """The number that upgrades go up by one of."""
        return int(self.version.partition(".")[0])


@dataclass(frozen=True)
class Application:
    """An application that lies in artifacts/."""

    path: Path
    id: str
    version: str
    low: int
    high: int

    def entry(self, release: Release) -> dict[str, Any]:
        """Return it as the catalogue has it in a release."""
        found = {"version": self.version, "sha256": _release_source.sha256_of(self.path)}
        try:
            _code_signature.verify(str(self.path), self.id, _authority(release.path))
        except (_code_signature.SignatureError, _archive.ArchiveError):
            return {**found, "unsigned": True}
        return found


@functools.cache
def _authority(path: Path) -> _code_signature.Authority:
    return _code_signature.authority_of(str(path))


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as it is compared."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


# --- reading -------------------------------------------------------------------------------


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files of an archive that describe it; of others the name.

    Raises:
        ArtifactError: the archive is truncated, or none.

    """
    try:
        yield from _zipped(path) if path.suffix == ".zip" else _tarred(path)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ArtifactError(
            f"{path}: it cannot be read to its end ({error}); fetch it again"
        ) from error


def _describes(name: str) -> bool:
    return name.endswith((RUNS_ON, DATABASES, SHIPPED, "version.php", "appinfo/info.xml"))


def _tarred(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            data = archive.extractfile(member) if _describes(member.name) else None
            yield member.name.removeprefix("./"), b"" if data is None else data.read()


def _zipped(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield name, archive.read(name) if _describes(name) else b""


def read_release(path: Path) -> Release:
    """Return what an archive of Nextcloud is.

    Raises:
        ArtifactError: it lacks what every Nextcloud has.

    """
    brings, texts = set(), {}
    for name, data in members(path):
        if data:
            texts[name] = data.decode("utf-8", "replace")
        if found := re.fullmatch(r"nextcloud/apps/([^/]+)/appinfo/info\.xml", name):
            brings.add(found[1])
    version = _first(path, r"OC_VersionString = '" + VERSION, texts, "nextcloud/version.php")
    low = _first(path, r"PHP_VERSION_ID < (\d)0(\d)00", texts, f"nextcloud/{RUNS_ON}")
    past = _first(path, r"PHP_VERSION_ID >= (\d)0(\d)00", texts, f"nextcloud/{RUNS_ON}")
    ranges = [
        _first(path, rf"{key}_MARIADB = '([\d.]+)'", texts, f"nextcloud/{DATABASES}")[0]
        for key in ("MIN", "MAX")
    ]
    return Release(
        path=path,
        version=".".join(version),
        php={"min": ".".join(low), "max": f"{past[0]}.{int(past[1]) - 1}"},
        mariadb=dict(zip(("min", "max"), ranges, strict=True)),
        brings=frozenset(brings),
    )


def _first(path: Path, pattern: str, texts: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = re.search(pattern, texts.get(name, ""))
    if found is None:
        raise ArtifactError(
            f"{path}: {name} in it does not say {pattern}; this is no whole Nextcloud: remove it"
        )
    return found.groups()


def read_application(path: Path) -> Application:
    """Return what an application's archive is.

    Raises:
        ArtifactError: its description is missing, or another's.

    """
    described = {name: data for name, data in members(path) if name.endswith("appinfo/info.xml")}
    name = min(described, key=len, default="")
    if not name:
        raise ArtifactError(f"{path}: there is no appinfo/info.xml in it; remove it")
    info = ElementTree.fromstring(described[name])
    limits = info.find("dependencies/nextcloud")
    bounds = {} if limits is None else limits.attrib
    return Application(
        path=path,
        id=info.findtext("id", "").strip(),
        version=info.findtext("version", "").strip(),
        low=int(bounds.get("min-version", "0").partition(".")[0]),
        high=int(bounds.get("max-version", "0").partition(".")[0]),
    )


# --- choosing ------------------------------------------------------------------------------


def releases(folder: Path | None = None) -> list[Release]:
    """Return the releases of a folder: of each major the newest, the oldest major first."""
    found: dict[int, Path] = {}
    for path in sorted((folder or FOLDER).glob("nextcloud-*"), key=lambda one: numbers(one.name)):
        named = re.fullmatch(rf"nextcloud-{VERSION}(\.tar\.gz|\.tar\.bz2|\.zip)", path.name)
        if named:
            found[int(named[1])] = path
    return [read_release(path) for _, path in sorted(found.items())]


def choose(found: list[Release]) -> list[Release]:
    """Return the newest two consecutive majors, else the newest alone, else nothing. Pure."""
    for old, new in reversed(list(itertools.pairwise(found))):
        if new.major == old.major + 1:
            return [old, new]
    return found[-1:]


def applications(folder: Path | None = None) -> list[Application]:
    """Return the applications of a folder."""
    paths = sorted(
        p for p in (folder or FOLDER).glob("*.tar.gz") if not p.name.startswith("nextcloud-")
    )
    return [read_application(path) for path in paths]


def fitting(release: Release, found: list[Application], wanted: set[str]) -> list[Application]:
    """Return of each wanted application the newest that runs on a release. Pure."""
    best: dict[str, Application] = {}
    for one in sorted(found, key=lambda one: numbers(one.version)):
        if one.id in wanted - release.brings and one.low <= release.major <= one.high:
            best[one.id] = one
    return [best[name] for name in sorted(best)]


def left_out(majors: int) -> list[str]:
    """Return the parts of the scenario that so many majors do not suffice for. Pure."""
    return [part for part, needed in PARTS.items() if majors < needed]


# --- describing ----------------------------------------------------------------------------


def _policy(file: str) -> dict[str, Any]:
    return dict(yaml.safe_load((POLICY / file).read_text(encoding="utf-8")))


def settings(chosen: list[Release], found: list[Application]) -> dict[str, Any]:
    """Return the catalogue of what is at hand.

    The older release is the default, the ring canary has the newer one.
    """
    policy = _policy("applications.yml")
    enabled = policy["archipel_applications"]["enabled"]
    suites = [one["application"] for one in policy["archipel_office_suites"].values()]
    registration = policy["archipel_registration"]["application"]
    wanted = {*enabled, *suites, registration}
    catalogue = {}
    for release in chosen:
        here = fitting(release, found, wanted)
        has = release.brings | {one.id for one in here}
        catalogue[release.version] = {
            "version": release.version,
            "php": dict(release.php),
            "mariadb": dict(release.mariadb),
            "archive": {"sha256": _release_source.sha256_of(release.path)},
            "applications": {one.id: one.entry(release) for one in here},
            "without": sorted({*enabled, *suites} - has),
        }
    return {
        "archipel_releases": catalogue,
        "archipel_release": chosen[0].version,
        "archipel_ring_releases": {"canary": chosen[-1].version},
        # Run by the tests alone, at their own time.
        "backup_timers_enabled": False,
    }


def describe(versions: list[str]) -> str:
    """Say which releases there are, and what is left out for want of others. Pure."""
    here = ", ".join(versions) or "none"
    lines = [f"real releases in {FOLDER.name}/ that this scenario runs: {here}"]
    lines += [
        f"LEFT OUT for want of archives (CONTRIBUTING.md): {part}"
        for part in left_out(len(versions))
    ]
    return "\n".join(lines)


def versions(name: str) -> list[str]:
    """Return the ids of the releases that a scenario has, the older one first."""
    written = json.loads((scenario.environment(name) / OVERLAY).read_text(encoding="utf-8"))
    return sorted(written["archipel_releases"], key=numbers)


def write(name: str) -> Path:
    """Write the catalogue into the environment of a scenario."""
    chosen = choose(releases())
    path = scenario.environment(name) / OVERLAY
    values = settings(chosen, applications())
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return path


def runnable(names: list[str]) -> tuple[list[str], str]:
    """Return the scenarios of these that can be run, and what there is to say about that."""
    if SCENARIO not in names:
        return names, ""
    found = [release.version for release in choose(releases())]
    kept = [name for name in names if found or name != SCENARIO]
    return kept, f"scenario {SCENARIO}: {describe(found)}"


def main(command: str, *names: str) -> int:
    """Name the scenarios that can be run, or write the catalogue of one; return the status."""
    if command == "write":
        print(write(*names))
        return 0
    kept, said = runnable(list(names))
    if said:
        print(said, file=sys.stderr)
    if "LEFT OUT" in said and os.environ.get("STRICT"):
        print("STRICT is set, so that is a failure", file=sys.stderr)
        return 1
    print(*kept)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
