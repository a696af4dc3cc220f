# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Users, directories, files and limits that spaces have on a node.

Ansible's templating is not involved: a value that people wrote is data and comes out
literally, whatever it looks like.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ansible_collections.archipel.spaces.plugins.module_utils import _layout, _spaces
from ansible_collections.archipel.spaces.plugins.plugin_utils import _locales
from ansible_collections.archipel.spaces.plugins.plugin_utils._render_common import (
    GIGABYTE,
    MANAGED,
    PRESENT,
    Settings,
    Space,
    layout_of,
    present,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render_config import (
    managed_config_file,
)

HOSTNAME = re.compile(
    r"^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$"
)
# As archipel-spaces.conf takes it apart.
LANGUAGE = re.compile(r"[A-Za-z_]+")


@dataclass(frozen=True)
class File:
    """One file of one space: numeric owner and group, permission bits."""

    space: str
    kind: str
    path: str
    content: str
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True)
class Directory:
    """One directory of one space, as tmpfiles.d makes it."""

    space: str
    path: str
    uid: int
    gid: int
    mode: int


def nginx_name(value: str) -> str:
    """Return a host name as nginx may read it.

    Raises:
        ValueError: it is no plain host name; the registry's schema lets none through.

    """
    if not HOSTNAME.match(value):
        raise ValueError(f"{value!r} is no host name")
    return value


def nginx_language(locale: str) -> str:
    """Return the language of a locale as nginx's map of the spaces takes it.

    Raises:
        ValueError: the language has other characters; no language of Nextcloud has.

    """
    language = _locales.find_language(locale)
    if not LANGUAGE.fullmatch(language):
        raise ValueError(f"{language!r} is no language that nginx's map takes")
    return language


def own_address(space: Space, settings: Settings) -> str:
    """Return the address at which a space reaches itself, and nobody else does."""
    first = ipaddress.ip_network(settings["own_network"])[0]
    return str(first + (space["id"] - _spaces.IDS.start))


def templates(directory: str) -> Environment:
    """Return the compiled-once templates of a folder."""
    environment = Environment(
        loader=FileSystemLoader(directory),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["nginx"] = nginx_name
    environment.filters["nginx_language"] = nginx_language
    return environment


def template_directory(collection_root: Path) -> str:
    """Return where the per-space templates are."""
    return str(collection_root / "roles" / "spaces" / "templates" / "space")


def users(spaces: t.Iterable[Space]) -> list[dict[str, t.Any]]:
    """Return the unix users of the spaces that are present on the node."""
    return [
        {"space": s["slug"], "name": _layout.Layout(s["slug"]).user, "id": s["id"]}
        for s in present(spaces)
    ]


def directories(spaces: t.Iterable[Space], settings: Settings) -> list[Directory]:
    """Return the directories of the spaces that are present on the node.

    `config` is sticky and root's: the space's own user can write its state file there
    (through occ alone, the web side sees it read-only), and cannot replace ours.
    """
    wanted: list[Directory] = []
    for space in present(spaces):
        slug, own, layout = space["slug"], space["id"], layout_of(space, settings)
        wanted.append(Directory(slug, layout.home, 0, 0, 0o755))
        wanted.append(Directory(slug, layout.config, 0, own, 0o1770))
        wanted.append(Directory(slug, layout.data, own, own, 0o750))
        private = (layout.log, layout.sessions, layout.temporary, layout.redis)
        wanted.extend(Directory(slug, path, own, own, 0o700) for path in private)
    return wanted


def sysusers_lines(spaces: t.Iterable[Space], settings: Settings) -> dict[str, str]:
    """Return the sysusers.d line of each space of a node."""
    return {
        layout.slug: f'u {layout.user} {space["id"]} "Nextcloud space" {layout.home} -'
        for space in present(spaces)
        if (layout := layout_of(space, settings))
    }


def tmpfiles_conf(wanted: t.Iterable[Directory]) -> str:
    """Return the tmpfiles.d file that makes these directories."""
    rows = [f"d {d.path} {d.mode:04o} {d.uid} {d.gid}" for d in wanted]
    return "\n".join([f"# {MANAGED}", *rows]) + "\n"


def files(spaces: t.Iterable[Space], settings: Settings, environment: Environment) -> list[File]:
    """Return the files of all the spaces of a node; held spaces are left alone."""
    vhost, php = environment.get_template("vhost.conf.j2"), environment.get_template("php.conf.j2")
    wanted: list[File] = []
    for space in spaces:
        slug, own, layout = space["slug"], space["id"], layout_of(space, settings)
        values = {"space": space, "settings": settings, "layout": layout, "managed": MANAGED}
        values["own_address"] = own_address(space, settings)
        text = vhost.render(values)
        wanted.append(File(slug, "vhost", layout.vhost, text, 0, 0, 0o644))
        if space["status"] not in PRESENT:
            continue
        text = php.render(values)
        wanted.append(File(slug, "php", layout.php, text, 0, own, 0o640))
        text = managed_config_file(space, settings)
        wanted.append(File(slug, "config", layout.managed_config, text, 0, own, 0o640))
    return wanted


def names(known: t.Iterable[Space], settings: Settings) -> dict[str, t.Any]:
    """Return what the names on a node are compared with, whichever spaces a run converges.

    A space is exempt on hold, and while its file is wrong: then nothing is known of it.
    """
    return {
        "directory": settings["vhost_directory"],
        "path": _layout.OWN_DOMAINS,
        "header": f"# {MANAGED}",
        "served": list(settings["server_names"]),
        "server": settings["domains_server"],
        "known": {
            space["slug"]: {
                "domains": list(space.get("domains", ())),
                "exempt": "skipped" if "hold" not in space else "hold" if space["hold"] else "",
            }
            for space in known
        },
    }


def quotas(spaces: t.Iterable[Space], settings: Settings) -> list[dict[str, t.Any]]:
    """Return the storage limits of the spaces that are present on the node.

    Files are limited with the bytes: an ext4 file system has a fixed number of them, and a
    space could use them up, empty, and leave the others without any. What PHP keeps of uploads
    in `tmp` counts like what is stored, and moves from there into `data` by its name alone.
    """
    wanted = []
    for space in present(spaces):
        limit, layout = space["storage_gb"] * GIGABYTE, layout_of(space, settings)
        wanted.append(
            {
                "space": space["slug"],
                "id": space["id"],
                "paths": [layout.data, layout.temporary],
                "bytes": limit,
                "files": limit // settings["quotas"]["bytes_per_file"],
            }
        )
    return wanted


def limits(
    spaces: t.Iterable[Space], settings: Settings, known: t.Iterable[Space]
) -> dict[str, t.Any]:
    """Return what `_quotas.converge` takes, for the spaces of a node.

    Args:
        spaces: those that this run converges.
        settings: the node and the policy.
        known: also those left out: an id must have one owner.

    """
    policy = settings["quotas"]
    return {
        "wanted": quotas(spaces, settings),
        "ids": [space["id"] for space in known],
        "root": settings["root"],
        "backend": policy["backend"],
        "allow_over": policy["allow_over"],
        "verify": policy["verify"],
    }
