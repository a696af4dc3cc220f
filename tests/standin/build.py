#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Packs the stand-in release into an archive shaped like Nextcloud's own.

    tests/standin/build.py --version 33.0.9
    -> build/standin/nextcloud-33.0.9.tar.bz2

The same tree and version always give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE / "tree"
OUTPUT = HERE.parents[1] / "build" / "standin"

# Nextcloud's own ranges, by major: first PHP that runs it, first that does not.
PHP_RANGES = {
    29: (80000, 80400),
    30: (80100, 80400),
    31: (80100, 80500),
    32: (80100, 80500),
    33: (80200, 80600),
    34: (80200, 80600),
    35: (80300, 80600),
}
# From here on lists of several configuration files are merged by position
# (github.com/nextcloud/server/pull/57371).
FIRST_DEEP_MERGE = 33

# What the archive of Nextcloud 33 brings, all of it: what is missing here would go unnoticed.
ALWAYS_ENABLED = [
    "cloud_federation_api",
    "dav",
    "federatedfilesharing",
    "files",
    "lookup_server_connector",
    "oauth2",
    "profile",
    "provisioning_api",
    "settings",
    "theming",
    "twofactor_backupcodes",
    "viewer",
    "workflowengine",
]
DEFAULT_ENABLED = [
    "activity",
    "app_api",
    "bruteforcesettings",
    "circles",
    "comments",
    "contactsinteraction",
    "dashboard",
    "federation",
    "files_downloadlimit",
    "files_pdfviewer",
    "files_reminders",
    "files_sharing",
    "files_trashbin",
    "files_versions",
    "firstrunwizard",
    "logreader",
    "nextcloud_announcements",
    "notifications",
    "password_policy",
    "photos",
    "privacy",
    "recommendations",
    "related_resources",
    "serverinfo",
    "sharebymail",
    "support",
    "survey_client",
    "systemtags",
    "text",
    "twofactor_totp",
    "updatenotification",
    "user_status",
    "weather_status",
    "webhook_listeners",
]
ON_REQUEST = [
    "admin_audit",
    "encryption",
    "files_external",
    "suspicious_login",
    "twofactor_nextcloud_notification",
    "user_ldap",
]
MTIME = 1767225600  # 2026-01-01: any fixed time does


def version_php(version: str) -> str:
    """The file every tool reads to learn what a tree is."""
    numbers = [int(part) for part in version.split(".")]
    major = numbers[0]
    low, below = PHP_RANGES.get(major, PHP_RANGES[max(PHP_RANGES)])
    listed = ", ".join(str(number) for number in [*numbers, 1])
    return f"""<?php
// SPDX-License-Identifier: AGPL-3.0-or-later
// Made by tests/standin/build.py: a stand-in, not Nextcloud.
$OC_Version = [{listed}];
$OC_VersionString = '{version}';
$OC_VersionCanBeUpgradedFrom = ['nextcloud' => ['{major - 1}.0' => true, '{major}.0' => true]];
$OC_Channel = 'stable';
$OC_Build = 'standin';
$vendor = 'archipel-standin';
$STANDIN_PHP = ['min' => {low}, 'below' => {below}];
"""


def merge_php(major: int) -> str:
    """How lists of several configuration files become one, under the path of Nextcloud's own."""
    function = "array_replace_recursive" if major >= FIRST_DEEP_MERGE else "array_merge"
    return f"""<?php
// SPDX-License-Identifier: AGPL-3.0-or-later
// Made by tests/standin/build.py.
return '{function}';
"""


def info_xml(app: str, major: int) -> str:
    """An application as far as the stand-in looks at it."""
    return f"""<?xml version="1.0"?>
<info>
    <id>{app}</id>
    <name>{app}</name>
    <version>{major}.0.0</version>
    <dependencies><nextcloud min-version="{major}" max-version="{major}"/></dependencies>
</info>
"""


def contents(version: str, fails_to_upgrade: bool = False) -> dict[str, bytes]:
    """Every file of the release, by path below its top folder."""
    major = int(version.split(".", 1)[0])
    files = {
        path.relative_to(TREE).as_posix(): path.read_bytes()
        for path in sorted(TREE.rglob("*"))
        if path.is_file()
    }
    files["version.php"] = version_php(version).encode()
    files["lib/private/Config.php"] = merge_php(major).encode()
    shipped = {
        "shippedApps": sorted([*ALWAYS_ENABLED, *DEFAULT_ENABLED, *ON_REQUEST]),
        "defaultEnabled": DEFAULT_ENABLED,
        "alwaysEnabled": ALWAYS_ENABLED,
    }
    files["core/shipped.json"] = json.dumps(shipped, indent=2).encode()
    for app in shipped["shippedApps"]:
        files[f"apps/{app}/appinfo/info.xml"] = info_xml(app, major).encode()
    if fails_to_upgrade:
        files["core/FAILS_TO_UPGRADE"] = b""
    hashes = {
        path: hashlib.sha512(data).hexdigest()
        for path, data in sorted(files.items())
        if not path.startswith("apps/")
    }
    files["core/signature.json"] = json.dumps({"hashes": hashes}, indent=1).encode()
    return files


def folders(paths: list[str]) -> list[str]:
    """All folders above these paths, parents first."""
    return sorted({parent.as_posix() for path in paths for parent in Path(path).parents})


def member(name: str, mode: int, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode, info.size, info.type, info.mtime = mode, size, kind, MTIME
    info.uname = info.gname = "root"
    return info


def pack(files: dict[str, bytes], target: Path) -> None:
    """Writes the archive beside its place and moves it there whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    named = {f"nextcloud/{path}": data for path, data in files.items()}
    with tarfile.open(part, "w:bz2", format=tarfile.PAX_FORMAT) as archive:
        for folder in folders(list(named)):
            if folder != ".":
                archive.addfile(member(folder, 0o755, kind=tarfile.DIRTYPE))
        for name, data in sorted(named.items()):
            archive.addfile(
                member(name, 0o755 if name == "nextcloud/occ" else 0o644, len(data)),
                io.BytesIO(data),
            )
    part.replace(target)


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--version", action="append", required=True, help="as 33.0.9; may be repeated"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default: build/standin")
    parser.add_argument(
        "--fails-to-upgrade",
        action="store_true",
        help="its occ upgrade fails, to test rolling back",
    )
    options = parser.parse_args(arguments)
    for version in options.version:
        if not re.fullmatch(r"\d+\.\d+\.\d+", version):
            parser.error(f"--version: found {version!r}, expected three numbers such as 33.0.9")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = read_arguments(arguments)
    for version in options.version:
        target = options.output / f"nextcloud-{version}.tar.bz2"
        pack(contents(version, options.fails_to_upgrade), target)
        print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
