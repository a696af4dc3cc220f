# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The real Nextcloud that lies in artifacts/, described as the catalogue describes releases.

Of the catalogue it takes what holds for the whole major: versions of PHP and MariaDB, and the
applications, each replaced by the newest one that lies there and runs on that major.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from tools import ROOT, collection, release
from tools.lab import LabError

collection.importable()

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _archive,
    _release_code,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils import _code_signature
from ansible_collections.archipel.spaces.plugins.plugin_utils import _release_source as source

FOLDER = ROOT / "artifacts"
NEXTCLOUD = re.compile(r"nextcloud-(\d+\.\d+\.\d+)(\.tar\.bz2|\.tar\.gz|\.zip)")
APPLICATION = re.compile(r"([a-z0-9_]+)-(.+)\.tar\.gz")
INFO = "appinfo/info.xml"
# More than any description has.
LARGEST = 1 << 20
Catalogue = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Application:
    """An application's archive, and what it says of itself."""

    path: Path
    id: str
    version: str
    # The lowest and the highest Nextcloud, empty where it names none.
    runs_on: tuple[str, str]


def releases(folder: Path = FOLDER) -> list[str]:
    """Return the versions of Nextcloud of which an archive lies there, the oldest first."""
    found = {
        match[1] for path in folder.glob("nextcloud-*") if (match := NEXTCLOUD.fullmatch(path.name))
    }
    return sorted(found, key=_release_code.numbers)


def applications(wanted: set[str], folder: Path = FOLDER) -> list[Application]:
    """Return those of these applications of which archives lie there.

    Raises:
        LabError: an archive is broken, or is not what its name says.

    """
    found = []
    for path in sorted(folder.glob("*.tar.gz")):
        match = APPLICATION.fullmatch(path.name)
        if match and match[1] in wanted:
            found.append(read(path, match[1], match[2]))
    return found


def read(path: Path, name: str, version: str) -> Application:
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


def described(version: str, like: Mapping[str, Any], folder: Path = FOLDER) -> dict[str, Any]:
    """Return a release that lies there as an entry of the catalogue.

    Args:
        version: of Nextcloud.
        like: an entry of the catalogue of the same major.
        folder: where archives lie.

    """
    entries = dict(like.get("applications", {}))
    path = source.find_local(version, [str(folder)])
    trusted = functools.cache(lambda: _code_signature.authority_of(str(path)))
    here = applications(set(entries), folder)
    for one in sorted(here, key=lambda one: _release_code.numbers(one.version)):
        if _release_code.within(version, *one.runs_on):
            entries[one.id] = entry(one, trusted)
    # Whatever was pinned is another archive.
    return {**like, "version": version, "archive": {}, "applications": entries}


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


def choose(found: list[str], known: Catalogue, default: str, wanted: str = "") -> tuple[str, str]:
    """Return a release to run, and the entry of the catalogue that tells about it. Pure.

    Args:
        found: versions of which archives lie there, the oldest first.
        known: the catalogue.
        default: the release that it gives to new spaces.
        wanted: the one that somebody asked for; empty: the newest that lies there.

    Raises:
        LabError: there is none of that name.

    """
    if wanted in known:
        return wanted, wanted
    like = {
        version: next(
            (id_ for id_ in known if _major(known[id_]["version"]) == _major(version)), ""
        )
        for version in found
    }
    able = [version for version in found if like[version]]
    if wanted and wanted not in able:
        raise LabError(
            f"ARCHIPEL_DEMO_RELEASE: found {wanted}; allowed: {', '.join([*known, *able])} (of the "
            f"catalogue, and of {FOLDER.name}/ where the catalogue has a release of that major)"
        )
    if not able:
        return default, default
    version = wanted or able[-1]
    return version, version if version in known else like[version]


def _major(version: str) -> str:
    return version.partition(".")[0]


def variables(wanted: str = "", folder: Path = FOLDER) -> dict[str, Any]:
    """Return what makes an environment run what lies there; empty: the catalogue as it is.

    Raises:
        LabError: something there is broken, or nothing there is what was asked for.

    """
    shipped = yaml.safe_load(release.CATALOGUE.read_text(encoding="utf-8"))
    known, default = shipped["archipel_releases"], shipped["archipel_release"]
    chosen, like = choose(releases(folder), known, default, wanted)
    if chosen in known:
        return {} if chosen == default else {"archipel_release": chosen}
    entry = described(chosen, known[like], folder)
    return {"archipel_releases": {**known, chosen: entry}, "archipel_release": chosen}
