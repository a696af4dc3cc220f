# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Which Nextcloud the demo runs: the newest that lies in artifacts/, as the catalogue has it.

Of the catalogue it takes what holds for the whole major: versions of PHP and MariaDB, and the
applications, each replaced by the newest one that lies there and runs on that major.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tools import artifacts, collection, release
from tools.artifacts import FOLDER
from tools.lab import LabError

collection.importable()

from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _code_signature
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _release_source as source,
)

Catalogue = Mapping[str, Mapping[str, Any]]


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
    here = artifacts.fitting(version, artifacts.applications(set(entries), folder))
    entries |= {name: artifacts.entry(one, trusted) for name, one in here.items()}
    # Whatever was pinned is another archive.
    return {**like, "version": version, "archive": {}, "applications": entries}


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
    chosen, like = choose(artifacts.releases(folder), known, default, wanted)
    if chosen in known:
        return {} if chosen == default else {"archipel_release": chosen}
    entry = described(chosen, known[like], folder)
    return {"archipel_releases": {**known, chosen: entry}, "archipel_release": chosen}
