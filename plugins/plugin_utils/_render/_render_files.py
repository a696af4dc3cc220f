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
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ansible_collections.archipel.spaces.plugins.module_utils._core import _layout, _spaces
from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import (
    Directory,
    File,
    Limit,
    Names,
    Quotas,
    User,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
    KnownSpace,
    SpaceEntry,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _locales
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_common import (
    GIGABYTE,
    MANAGED,
    PRESENT,
    find_exemption,
    find_layout,
    select_present,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_config import (
    render_managed,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_database import (
    find_stream,
)

HOSTNAME = re.compile(
    r"^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$"
)
# As archipel-spaces.conf takes it apart.
LANGUAGE = re.compile(r"[A-Za-z_]+")


def check_name(value: str) -> str:
    """Return a host name as nginx may read it.

    Raises:
        ValueError: it is no plain host name; the registry's schema lets none through.

    """
    if not HOSTNAME.match(value):
        raise ValueError(f"{value!r} is no host name")
    return value


def check_language(locale: str) -> str:
    """Return the language of a locale as nginx's map of the spaces takes it.

    Raises:
        ValueError: the language has other characters; no language of Nextcloud has.

    """
    language = _locales.find_language(locale)
    if not LANGUAGE.fullmatch(language):
        raise ValueError(f"{language!r} is no language that nginx's map takes")
    return language


def find_own_address(space: SpaceEntry, context: Context) -> str:
    """Return the address at which a space reaches itself, and nobody else does."""
    first = ipaddress.ip_network(context["own_network"])[0]
    return str(first + (space["id"] - _spaces.IDS.start))


def load_templates(directory: str) -> Environment:
    """Return the compiled-once templates of a folder."""
    environment = Environment(
        loader=FileSystemLoader(directory),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["nginx"] = check_name
    environment.filters["nginx_language"] = check_language
    return environment


def find_templates(collection_root: Path) -> str:
    """Return where the per-space templates are."""
    return str(collection_root / "roles" / "spaces" / "templates" / "space")


def list_users(spaces: t.Iterable[SpaceEntry]) -> list[User]:
    """Return the unix users of the spaces that are present on the node."""
    return [
        {"space": s["slug"], "name": _layout.Layout(s["slug"]).user, "id": s["id"]}
        for s in select_present(spaces)
    ]


def make_directory(space: str, path: str, uid: int, gid: int, mode: int) -> Directory:
    """Return one directory of one space."""
    return {"space": space, "path": path, "uid": uid, "gid": gid, "mode": mode}


def list_directories(spaces: t.Iterable[KnownSpace], context: Context) -> list[Directory]:
    """Return the directories of the spaces that are present on the node.

    `config` is sticky and root's: the space's own user can write its state file there
    (through occ alone, the web side sees it read-only), and cannot replace ours.
    """
    wanted: list[Directory] = []
    for space in select_present(spaces):
        slug, own, layout = space["slug"], space["id"], find_layout(space, context)
        wanted.append(make_directory(slug, layout.home, 0, 0, 0o755))
        wanted.append(make_directory(slug, layout.config, 0, own, 0o1770))
        wanted.append(make_directory(slug, layout.data, own, own, 0o750))
        private = (layout.log, layout.sessions, layout.temporary, layout.redis)
        wanted.extend(make_directory(slug, path, own, own, 0o700) for path in private)
    return wanted


def render_sysusers(spaces: t.Iterable[KnownSpace], context: Context) -> dict[str, str]:
    """Return the sysusers.d line of each space of a node."""
    return {
        layout.slug: f'u {layout.user} {space["id"]} "Nextcloud space" {layout.home} -'
        for space in select_present(spaces)
        if (layout := find_layout(space, context))
    }


def render_tmpfiles(wanted: t.Iterable[Directory]) -> str:
    """Return the tmpfiles.d file that makes these directories."""
    rows = [f"d {d['path']} {d['mode']:04o} {d['uid']} {d['gid']}" for d in wanted]
    return "\n".join([f"# {MANAGED}", *rows]) + "\n"


def make_file(space: str, kind: str, path: str, content: str, gid: int) -> File:
    """Return one file of root; what is of a space's group is for nobody else to read."""
    return {
        "space": space,
        "kind": kind,
        "path": path,
        "content": content,
        "uid": 0,
        "gid": gid,
        "mode": 0o640 if gid else 0o644,
    }


def render_files(
    spaces: t.Iterable[SpaceEntry], context: Context, environment: Environment
) -> list[File]:
    """Return the files of all the spaces of a node; held spaces are left alone."""
    vhost, php = environment.get_template("vhost.conf.j2"), environment.get_template("php.conf.j2")
    wanted: list[File] = []
    for space in spaces:
        slug, own, layout = space["slug"], space["id"], find_layout(space, context)
        values = {"space": space, "settings": context, "layout": layout, "managed": MANAGED}
        values["own_address"] = find_own_address(space, context)
        text = vhost.render(values)
        wanted.append(make_file(slug, "vhost", layout.vhost, text, 0))
        if space["status"] not in PRESENT:
            continue
        text = php.render({**values, "database": find_stream(space, context)})
        wanted.append(make_file(slug, "php", layout.php, text, own))
        text = render_managed(space, context)
        wanted.append(make_file(slug, "config", layout.managed_config, text, own))
    return wanted


def list_names(known: t.Iterable[KnownSpace], context: Context) -> Names:
    """Return what the names on a node are compared with, whichever spaces a run converges.

    A space is exempt on hold, and while its file is wrong: then nothing is known of it.
    """
    return {
        "directory": context["vhost_directory"],
        "path": _layout.OWN_DOMAINS,
        "header": f"# {MANAGED}",
        "served": list(context["server_names"]),
        "server": context["domains_server"],
        "known": {
            space["slug"]: {
                "domains": list(space["domains"]),
                "exempt": find_exemption(space),
            }
            for space in known
        },
    }


def list_quotas(spaces: t.Iterable[SpaceEntry], context: Context) -> list[Limit]:
    """Return the storage limits of the spaces that are present on the node.

    Files are limited with the bytes: an ext4 file system has a fixed number of them, and a
    space could use them up, empty, and leave the others without any. What PHP keeps of uploads
    in `tmp` counts like what is stored, and moves from there into `data` by its name alone.
    """
    wanted: list[Limit] = []
    for space in select_present(spaces):
        limit, layout = space["storage_gb"] * GIGABYTE, find_layout(space, context)
        wanted.append(
            {
                "space": space["slug"],
                "id": space["id"],
                "paths": [layout.data, layout.temporary],
                "bytes": limit,
                "files": limit // context["quotas"]["bytes_per_file"],
            }
        )
    return wanted


def plan_limits(
    spaces: t.Iterable[SpaceEntry], context: Context, known: t.Iterable[KnownSpace]
) -> Quotas:
    """Return what `_quotas.converge` takes, for the spaces of a node.

    Args:
        spaces: those that this run converges.
        context: the node and the policy.
        known: also those left out: an id must have one owner.

    """
    policy = context["quotas"]
    return {
        "wanted": list_quotas(spaces, context),
        "ids": [space["id"] for space in known],
        "root": context["root"],
        "backend": policy["backend"],
        "allow_over": policy["allow_over"],
        "verify": policy["verify"],
    }
