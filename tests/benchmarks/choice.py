# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Which release of Nextcloud a benchmark runs: the real one where somebody names one."""

from __future__ import annotations

import argparse
import sys
import typing as t
from pathlib import Path

import yaml

from tests.benchmarks.bench_idle import entry
from tests.benchmarks.nodes import BUILD
from tools import release


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where archives are, and of which applications a release consists."""
    parser.add_argument("--archives", type=Path, help="folder with archives (artifacts)")
    parser.add_argument(
        "--catalogue",
        type=Path,
        help="YAML file with archipel_releases, as in group_vars/all/releases.yml: releases with "
        "the applications it names. Without it: those that Nextcloud brings itself",
    )


def policy(options: argparse.Namespace, *versions: str | None) -> dict[str, t.Any]:
    """Return the policy of an environment whose spaces run the first of these versions.

    Without any version, or with None: what `tools.release` finds, the stand-in if need be.

    """
    wanted = [version for version in versions if version]
    found: dict[str, t.Any] = release.variables()
    if not wanted:
        return found
    folder = options.archives or BUILD.parent / "artifacts"
    return {
        **found,
        "archipel_releases": {version: _entry(options, version, folder) for version in wanted},
        "archipel_release": wanted[0],
        "nextcloud_local_folders": [str(folder)],
    }


def _entry(options: argparse.Namespace, version: str, folder: Path) -> dict[str, t.Any]:
    if options.catalogue is None:
        return entry(version, folder)
    catalogue = yaml.safe_load(options.catalogue.read_text(encoding="utf-8"))["archipel_releases"]
    if version not in catalogue:
        known = ", ".join(catalogue)
        sys.exit(f"{options.catalogue}: has no release {version!r}; it has {known}")
    return t.cast("dict[str, t.Any]", catalogue[version])
