#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Makes a package shaped like the vendor's Document Server, for machines that cannot reach it.

The same name, file layout, units, users and questions, and the same manners when it is
installed and upgraded; see onlyoffice/postinst. Its programs answer other servers, not browsers.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from tests.support.aptrepo import build_package

NAME = "onlyoffice-documentserver"
SOURCE = Path(__file__).resolve().parent / "onlyoffice"
HOME = "/var/www/onlyoffice/documentserver"
CONF = "/etc/onlyoffice/documentserver"
PARTS = {"docservice": "DocService", "converter": "FileConverter", "metrics": "Metrics"}
CONTROL = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: The Archipel contributors <noreply@example.org>
Depends: {depends}
Description: {description}
"""
DEPENDS = (
    "adduser, curl, debconf, logrotate, nginx-extras | nginx, postgresql-client, python3, "
    "ttf-mscorefonts-installer"
)
FONTS = "ttf-mscorefonts-installer"


def keys() -> dict[str, t.Any]:
    """Return the vendor's settings: every key, and no value."""
    found: dict[str, t.Any] = {}
    for line in (SOURCE / "keys.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        path, anything, _ = line.partition(" {}")
        *parents, last = path.split(".")
        place = found
        for name in parents:
            place = place.setdefault(name, {})
        place.setdefault(last, {} if anything else None)
    return found


def defaults() -> dict[str, t.Any]:
    """Return the settings with those values the stand-in's own programs read unchanged."""
    found = keys()
    found["tenants"] |= {"filenameSecret": "secret.key", "baseDir": "", "baseDomain": ""}
    found["services"]["CoAuthoring"]["server"]["port"] = 8000
    found["services"]["CoAuthoring"]["token"]["enable"]["request"]["inbox"] = False
    return found


def tree(version: str) -> dict[str, tuple[str, int]]:
    """Return every file of the package: path → (content, mode)."""
    control = CONTROL.format(
        name=NAME, version=version, depends=DEPENDS, description="stand-in for tests"
    )
    files = {
        "DEBIAN/control": (control, 0o644),
        **{f"DEBIAN/{name}": (text(name), 0o755) for name in ("postinst", "prerm")},
        "DEBIAN/templates": (text("templates"), 0o644),
        f"{CONF}/default.json": (json.dumps(defaults(), indent=2) + "\n", 0o640),
        f"{CONF}/production-linux.json": ("{}\n", 0o640),
        f"{CONF}/log4js/production.json": ("{}\n", 0o644),
        f"{CONF}/nginx/ds.conf.tmpl": (text("ds.conf.tmpl"), 0o644),
        f"{HOME}/server/schema/postgresql/createdb.sql": (text("createdb.sql"), 0o644),
        f"{HOME}/server/schema/postgresql/removetbl.sql": (
            "DROP TABLE IF EXISTS doc_changes, task_result;\n",
            0o644,
        ),
        f"{HOME}/web-apps/apps/api/documents/api.js": (f"// stand-in {version}\n", 0o644),
        f"{HOME}/sdkjs/common/sdk.js": ("// stand-in\n", 0o644),
    }
    for part, folder in PARTS.items():
        unit = text("unit.service").replace("{part}", part).replace("{folder}", folder)
        place = f"{HOME}/server/{folder}"
        files[f"/usr/lib/systemd/system/ds-{part}.service"] = (unit, 0o644)
        files[f"{place}/version"] = (f"{version}\n", 0o644)
        files[f"{place}/{part}"] = (text("converter" if part == "metrics" else part), 0o755)
        files |= {f"{place}/{name}": (text(name), 0o644) for name in ("amqp.py", "settings.py")}
    return files


def text(name: str) -> str:
    return (SOURCE / name).read_text(encoding="utf-8")


def build(version: str, folder: Path) -> Path:
    """Build the package of one version; return its file."""
    return build_package(tree(version), folder / f"{NAME}_{version}_all.deb")


def build_fonts(folder: Path) -> Path:
    """Build an empty package of the fonts' name: the real one downloads them."""
    control = CONTROL.format(name=FONTS, version="3.8.1", depends="debconf", description="empty")
    return build_package({"DEBIAN/control": (control, 0o644)}, folder / f"{FONTS}_3.8.1_all.deb")
