# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The archives that lie in artifacts/, and what is read in them: the demo and the scenario real
choose among them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tools import ROOT, collection
from tools.lab import LabError

collection.importable()

from ansible_collections.archipel.spaces.plugins.module_utils._core import _archive
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _release_code
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _code_signature
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _release_source as source,
)

FOLDER = ROOT / "artifacts"
NEXTCLOUD = re.compile(r"nextcloud-(\d+\.\d+\.\d+)(\.tar\.bz2|\.tar\.gz|\.zip)")
APPLICATION = re.compile(r"([a-z0-9_]+)-(.+)\.tar\.gz")
INFO = "appinfo/info.xml"
# Of an archive of Nextcloud, what says which it is, what runs it, and what it brings.
VERSION = "version.php"
RUNS_ON = "lib/versioncheck.php"
DATABASES = "apps/settings/lib/SetupChecks/SupportedDatabase.php"
BOUNDS = ("MIN", "MAX")
SHIPPED = re.compile(r"apps/([^/]+)/appinfo/info\.xml")
# More than any description has.
LARGEST = 1 << 20


@dataclass(frozen=True)
class Application:
    """An application's archive, and what it says of itself."""

    path: Path
    id: str
    version: str
    # The lowest and the highest Nextcloud, empty where it names none.
    runs_on: tuple[str, str]


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


def releases(folder: Path = FOLDER) -> list[str]:
    """Return the versions of Nextcloud of which an archive lies there, the oldest first."""
    found = {
        match[1] for path in folder.glob("nextcloud-*") if (match := NEXTCLOUD.fullmatch(path.name))
    }
    return sorted(found, key=_release_code.numbers)


def newest(folder: Path = FOLDER) -> list[Release]:
    """Return the releases that lie there: of each major the newest, the oldest major first.

    Raises:
        LabError: an archive is broken, or is no Nextcloud.

    """
    of_major = {version.partition(".")[0]: version for version in releases(folder)}
    paths = [source.find_local(version, [str(folder)]) for version in of_major.values()]
    return [read_release(path) for path in paths if path is not None]


def read_release(path: Path) -> Release:
    """Return what an archive of Nextcloud is.

    Raises:
        LabError: it is broken, or lacks what every Nextcloud has.

    """
    brings, texts = set(), {}
    try:
        with _archive.readable():
            for member, opened in _archive.members(str(path)):
                name = _archive.check_name(member.name, _release_code.TOP)
                if found := SHIPPED.fullmatch(name):
                    brings.add(found[1])
                elif name in {VERSION, RUNS_ON, DATABASES}:
                    texts[name] = opened().read().decode("utf-8", "replace")
    except _archive.ArchiveError as error:
        raise LabError(f"{path}: {error}. Fetch it again, or remove it") from error

    def said(name: str, pattern: str) -> tuple[str, ...]:
        found = re.search(pattern, texts.get(name, ""))
        if found is None:
            raise LabError(f"{path}: its {name} does not say {pattern}: no Nextcloud; remove it")
        return found.groups()

    past = said(RUNS_ON, r"PHP_VERSION_ID >= (\d)0(\d)00")
    (lowest,), (highest,) = (said(DATABASES, rf"{key}_MARIADB = '([\d.]+)'") for key in BOUNDS)
    return Release(
        path=path,
        version=said(VERSION, r"OC_VersionString = '(\d+\.\d+\.\d+)")[0],
        php={
            "min": ".".join(said(RUNS_ON, r"PHP_VERSION_ID < (\d)0(\d)00")),
            "max": f"{past[0]}.{int(past[1]) - 1}",
        },
        mariadb={"min": lowest, "max": highest},
        brings=frozenset(brings),
    )


def applications(wanted: set[str], folder: Path = FOLDER) -> list[Application]:
    """Return those of these applications of which archives lie there.

    Raises:
        LabError: an archive is broken, or is not what its name says.

    """
    found = []
    for path in sorted(folder.glob("*.tar.gz")):
        match = APPLICATION.fullmatch(path.name)
        if match and match[1] in wanted:
            found.append(read_application(path, match[1], match[2]))
    return found


def fitting(
    version: str, found: list[Application], brings: Set[str] = frozenset()
) -> dict[str, Application]:
    """Return of each application the newest that runs on a release. Pure.

    Args:
        version: of Nextcloud.
        found: applications of which archives lie there.
        brings: names of those that the release has in its own archive.

    """
    return {
        one.id: one
        for one in sorted(found, key=lambda one: _release_code.numbers(one.version))
        if one.id not in brings and _release_code.within(version, *one.runs_on)
    }


def read_application(path: Path, name: str, version: str) -> Application:
    """Return what an application's archive says of itself.

    Raises:
        LabError: it is broken, or is not what its name says.

    """
    described = b""
    try:
        with _archive.readable():
            for member, opened in _archive.members(str(path)):
                if _archive.check_name(member.name, name) == INFO:
                    described = opened().read(LARGEST)
        info = ElementTree.fromstring(described)
    except (_archive.ArchiveError, ElementTree.ParseError) as error:
        raise LabError(f"{path}: {error}. Fetch it again, or remove it") from error
    said = (info.findtext("id", "").strip(), info.findtext("version", "").strip())
    if said != (name, version):
        raise LabError(
            f"{path}: it holds {' '.join(said) or 'nothing that has a name'}. "
            f"Call it {'-'.join(said)}.tar.gz, or remove it"
        )
    limits = _release_code.limits(info.find("dependencies/nextcloud"))
    return Application(path, name, version, limits)


def entry(one: Application, trusted: Callable[[], _code_signature.Authority]) -> dict[str, Any]:
    """Return an application as the catalogue pins it, and say where nobody vouches for it.

    It is taken all the same: who put it there chose it.
    """
    pinned = {"version": one.version, "sha256": source.sha256_of(one.path)}
    try:
        _code_signature.verify(str(one.path), one.id, trusted())
    except (_code_signature.SignatureError, _archive.ArchiveError) as error:
        print(f"    {one.path.name}: {error}. It is used because it lies in {FOLDER.name}/")
        return {**pinned, "unsigned": True}
    return pinned
