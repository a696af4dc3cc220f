#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Refuse a coolwsd.xml that coolwsd would misread: coolwsd-check FILE."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

HOST = re.compile(r"https://[a-z0-9.-]+:[0-9]+")
PASSWORD = re.compile(r"pbkdf2\.sha512\.[1-9][0-9]{3,}\.([0-9a-f]{2}){20,}\.([0-9a-f]{2}){20,}")


def problems(root: ElementTree.Element) -> list[str]:
    """Return what is wrong, in sentences."""
    found = []
    groups = root.find("storage/wopi/alias_groups")
    hosts = [host.text or "" for host in root.findall("storage/wopi/alias_groups/group/host")]
    if groups is None or groups.get("mode") != "groups":
        found.append('storage.wopi.alias_groups: mode is not "groups": the first host is let in')
    if not hosts:
        found.append("storage.wopi.alias_groups: without a group the first host is let in")
    found += [
        f"storage.wopi.alias_groups: {host!r} is not https://name:port, and would count for nothing"
        for host in hosts
        if not HOST.fullmatch(host)
    ]
    remote = root.findtext("remote_config/remote_url") or ""
    if not remote.startswith("https://"):
        found.append(f"remote_config.remote_url: {remote!r} is not https, and would never be read")
    if not PASSWORD.fullmatch(root.findtext("admin_console/secure_password") or ""):
        allowed = "pbkdf2.sha512.iterations.salt.hash in lower case"
        found.append(f"admin_console.secure_password: not {allowed}")
    if root.find("admin_console/password") is not None:
        found.append("admin_console.password: a password in the clear; remove it")
    return found


def main() -> int:
    """Check the file named."""
    try:
        found = problems(ElementTree.parse(sys.argv[1]).getroot())
    except ElementTree.ParseError as error:
        found = [f"no XML: {error}"]
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
