# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Nextcloud's config.php, as Nextcloud itself writes it.

Source: lib/private/Config.php, writeData(): one `var_export` of an array, whose keys of
the first level stand at the start of a line, indented by two spaces.
"""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import Json

ENTRY = re.compile(r"^(?=  '[^'\n]+' => )", re.MULTILINE)
INSTALLED = re.compile(r"^\s*'installed'\s*=>\s*true\s*,", re.MULTILINE)
VERSION = re.compile(r"^\s*'version'\s*=>\s*'([0-9.]+)'", re.MULTILINE)
MAINTENANCE = re.compile(r"^\s*'maintenance'\s*=>\s*true", re.MULTILINE)
KEY = re.compile(r"^  '([^'\n]+)' => ", re.MULTILINE)
# As Archipel writes them into managed.config.php: one key on a line.
DATABASE = re.compile(r"^  'db(host|name|user|password)' => '((?:[^'\\]|\\.)*)',$", re.MULTILINE)
END = re.compile(r"^\);\s*\Z", re.MULTILINE)


def is_installed(text: str) -> bool:
    """Tell whether a state file is that of an installed Nextcloud."""
    return bool(INSTALLED.search(text))


def database(text: str) -> dict[str, str]:
    """Return where a managed.config.php has its database: name, host, port, user, password.

    Without a password it is on this node, and the unix user is the account. A database elsewhere
    has all five.
    """
    found = {key: re.sub(r"\\(.)", r"\1", value) for key, value in DATABASE.findall(text)}
    if "host" in found:
        found["host"], found["port"] = split_address(found["host"])
    return found


def split_address(address: str) -> tuple[str, str]:
    """Return host and port of a server as Nextcloud writes them; no port is an empty one. Pure.

    An IPv6 address stands between brackets, or alone.
    """
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        return host, rest.removeprefix(":")
    if address.count(":") > 1 and "/" not in address:
        return address, ""
    host, _, port = address.partition(":")
    return host, port


def client_options(account: Json, authorities: str) -> str:
    """Return a MariaDB client's file of options for a server on another node.

    Args:
        account: host, port, user and password.
        authorities: those that the server's certificate must come from.

    """
    lines = [
        "[client]",
        f"host={account['host']}",
        f"port={account['port'] or 3306}",
        f"user={account['user']}",
        # In quotes, or a number sign would end it.
        f'password="{account["password"]}"',
        f"ssl-ca={authorities}",
        "ssl-verify-server-cert",
    ]
    return "\n".join(lines) + "\n"


def text_of(content: str, key: str) -> str:
    """Return a text of the first level of a state file; empty if there is none."""
    entry = rf"^  '{re.escape(key)}' => '((?:[^'\\]|\\.)*)',$"
    found = re.search(entry, content, re.MULTILINE)
    return re.sub(r"\\(['\\])", r"\1", found[1]) if found else ""


def keys(text: str) -> set[str]:
    """Return the keys of the first level."""
    return set(KEY.findall(text))


def with_text(text: str, key: str, value: str) -> str:
    """Return the file with a text of the first level, as Nextcloud would write it. Pure.

    Args:
        text: of a state file; one that is none stays as it is.
        key: of the first level.
        value: without a quote or a backslash.

    """
    others = without(text, {key})
    end = END.search(others)
    if end is None:
        return text
    return f"{others[: end.start()]}  '{key}' => '{value}',\n{others[end.start() :]}"


def without(text: str, unwanted: set[str]) -> str:
    """Return the file without some keys of the first level; all else stays as it was."""
    end = END.search(text)
    if end is None:
        return text
    head, *entries = ENTRY.split(text[: end.start()])
    kept = [entry for entry in entries if KEY.match(entry)[1] not in unwanted]  # type: ignore[index]
    return head + "".join(kept) + text[end.start() :]
