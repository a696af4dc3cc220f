# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""From the entries of the registry to everything a node must hold: pure functions.

Nothing here reads a machine or writes a file, apart from loading the templates once.
Ansible's templating is not involved: a value that people wrote is data and comes out
literally, whatever it looks like.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ansible_collections.archipel.spaces.plugins.module_utils import _spaces
from ansible_collections.archipel.spaces.plugins.plugin_utils import (
    _applications,
    _connectors,
    _locales,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._secrets import derive

Space = t.Mapping[str, t.Any]
Settings = t.Mapping[str, t.Any]

HOSTNAME = re.compile(
    r"^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$"
)
# As archipel-spaces.conf takes it apart.
LANGUAGE = re.compile(r"[A-Za-z_]+")
# Where the role puts the authority of the mail relay; a space sees it.
MAIL_CA = "/etc/ssl/archipel-mail-relay.pem"
# A gigabyte as Nextcloud counts it.
GIGABYTE = 1024**3
# The server of the spaces' own domains.
DOMAINS = "/etc/nginx/conf.d/archipel-domains.conf"
MANAGED = "Ansible managed by Archipel: changes made here are overwritten"

# Languages in which new accounts find a first file: folders of the application archipel.
SKELETONS = ("en", "fr")

# What a status asks of the node. A suspended space keeps everything and runs nothing;
# a closed one only keeps what it has.
RUNNING = frozenset({"approved"})
PRESENT = frozenset({"approved", "suspended"})


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


class Expression(str):
    """A piece of PHP that is written as it is. Never made from the registry's values."""

    __slots__ = ()


def php_literal(value: t.Any, indent: int = 0) -> str:
    """Return the PHP literal of a value made of dicts, lists, strings, numbers and booleans.

    Raises:
        TypeError: the value holds something PHP has no literal for.

    """
    if isinstance(value, Expression):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    pad, end = "  " * (indent + 1), "  " * indent
    if isinstance(value, t.Mapping):
        rows = [f"{pad}{php_key(k)} => {php_literal(v, indent + 1)},\n" for k, v in value.items()]
        return "[\n" + "".join(rows) + end + "]"
    if isinstance(value, (list, tuple)):
        rows = [f"{pad}{php_literal(v, indent + 1)},\n" for v in value]
        return "[\n" + "".join(rows) + end + "]"
    raise TypeError(f"no PHP literal for a {type(value).__name__}")


def php_key(key: object) -> str:
    """Return a key of a PHP array: an expression as it is, anything else quoted."""
    # str() would make a plain string out of an expression.
    return php_literal(key if isinstance(key, str) else str(key))


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
    language = _locales.language(locale)
    if not LANGUAGE.fullmatch(language):
        raise ValueError(f"{language!r} is no language that nginx's map takes")
    return language


def own_address(space: Space, settings: Settings) -> str:
    """Return the address at which a space reaches itself, and nobody else does."""
    first = ipaddress.ip_network(settings["own_network"])[0]
    return str(first + (space["id"] - _spaces.IDS.start))


def home(space: Space, settings: Settings) -> str:
    """Return the root directory of a space."""
    return f"{settings['root']}/{space['slug']}"


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


def users(spaces: t.Iterable[Space]) -> list[dict[str, t.Any]]:
    """Return the unix users of the spaces that are present on the node."""
    return [
        {"space": s["slug"], "name": f"space-{s['slug']}", "id": s["id"]}
        for s in spaces
        if s["status"] in PRESENT
    ]


def directories(spaces: t.Iterable[Space], settings: Settings) -> list[Directory]:
    """Return the directories of the spaces that are present on the node.

    `config` is sticky and root's: the space's own user can write its state file there
    (through occ alone, the web side sees it read-only), and cannot replace ours.
    """
    wanted: list[Directory] = []
    for space in spaces:
        if space["status"] not in PRESENT:
            continue
        slug, own, base = space["slug"], space["id"], home(space, settings)
        wanted.append(Directory(slug, base, 0, 0, 0o755))
        wanted.append(Directory(slug, f"{base}/config", 0, own, 0o1770))
        wanted.append(Directory(slug, f"{base}/data", own, own, 0o750))
        wanted.extend(
            Directory(slug, f"{base}/{name}", own, own, 0o700)
            for name in ("log", "sessions", "tmp")
        )
        wanted.append(Directory(slug, f"{settings['redis_run']}/{slug}", own, own, 0o700))
    return wanted


def sysusers_lines(spaces: t.Iterable[Space], settings: Settings) -> dict[str, str]:
    """Return the sysusers.d line of each space of a node."""
    return {
        u["space"]: f'u {u["name"]} {u["id"]} "Nextcloud space" {settings["root"]}/{u["space"]} -'
        for u in users(spaces)
    }


def tmpfiles_conf(wanted: t.Iterable[Directory]) -> str:
    """Return the tmpfiles.d file that makes these directories."""
    rows = [f"d {d.path} {d.mode:04o} {d.uid} {d.gid}" for d in wanted]
    return "\n".join([f"# {MANAGED}", *rows]) + "\n"


def database(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return the database and its account, the password only where one is needed."""
    wanted: dict[str, t.Any] = {
        **database_account(space, settings),
        "name": f"space_{space['slug']}",
        "max_user_connections": settings["database_connections"],
        "password": None,
    }
    if space["db"] != space["web"]:
        wanted["password"] = derive(
            settings["master_key"], "database", space["slug"], settings.get("rotation", 0)
        )
    return wanted


def database_account(space: Space, settings: Settings) -> dict[str, str]:
    """Return who a space is at its database server, and from where."""
    local = space["db"] == space["web"]
    return {
        "space": space["slug"],
        "user": f"space-{space['slug']}",
        "host": "localhost" if local else address("database_client_hosts", "web", space, settings),
    }


def database_host(space: Space, settings: Settings) -> str:
    """Return where a space finds its database, as Nextcloud writes it."""
    if space["db"] == space["web"]:
        return f"localhost:{settings['database_socket']}"
    return address("database_hosts", "db", space, settings)


def address(setting: str, part: str, space: Space, settings: Settings) -> str:
    """Return where a machine of another part finds the one that a space lives on.

    Raises:
        ValueError: the operator has not said it.

    """
    node = space[part]
    if node not in settings[setting]:
        raise ValueError(
            f"{space['slug']} has its files on {space['web']} and its database on {space['db']}: "
            f"spaces_{setting} must name an address for {node}, or placement.yml one for both"
        )
    return str(settings[setting][node])


def managed_config(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return every key of a space's configuration that belongs to the operator.

    What follows from the space wins over what the policy says for all.
    """
    return {
        **settings["nextcloud_config"],
        **place_config(space, settings),
        **database_config(space, settings),
        **people_config(space, settings),
        **cache_config(space, settings),
        **mail_config(settings["mail_relay"], space),
        **office_wiring(space, settings)[0],
    }


def office_wiring(space: Space, settings: Settings) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Return the keys of config.php and the settings of applications for the office suites."""
    return _connectors.configure(space, settings["office_suites"], settings["master_key"])


def skeleton(space: Space) -> Expression:
    """Return where the first files of new accounts are, in the space's language."""
    language = _locales.language(space["locale"]).partition("_")[0]
    folder = language if language in SKELETONS else SKELETONS[0]
    return Expression(f"OC::$SERVERROOT . '/apps-extra/archipel/skeleton/{folder}'")


def place_config(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return where a space's files and applications are."""
    base = home(space, settings)
    return {
        "datadirectory": f"{base}/data",
        "tempdirectory": f"{base}/tmp",
        "logfile": f"{base}/log/nextcloud.log",
        "skeletondirectory": skeleton(space),
        "serverid": space["id"] % 512,
        # Nextcloud sets the mode of each file by its own mask, not by the process's.
        "localstorage.umask": 0o027,
        # The release's own: no application is ever put into a space.
        "apps_paths": [
            {"path": Expression(f"OC::$SERVERROOT . '{folder}'"), "url": folder, "writable": False}
            for folder in ("/apps", "/apps-extra")
        ],
    }


def database_config(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return how a space reaches its database."""
    account = database(space, settings)
    config: dict[str, t.Any] = {
        "dbtype": "mysql",
        "dbhost": database_host(space, settings),
        "dbname": account["name"],
        "dbuser": account["user"],
        "dbpassword": account["password"] or "",
        "mysql.utf8mb4": True,
    }
    if account["password"] is not None:
        config["dbdriveroptions"] = {
            Expression("PDO::MYSQL_ATTR_SSL_CA"): settings["database_ca"],
            Expression("PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT"): True,
        }
    return config


def people_config(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return what the people of a space meet: names, language, limits, retention."""
    days = settings["retention"]
    return {
        "trusted_domains": list(space["domains"]),
        "overwriteprotocol": "https",
        "overwrite.cli.url": space["url"],
        "default_language": _locales.language(space["locale"]),
        "default_locale": _locales.formats(space["locale"]),
        "default_phone_region": space["phone_region"],
        "default_timezone": space["timezone"],
        "one-click-instance": True,
        "one-click-instance.user-limit": space["accounts"],
        "trashbin_retention_obligation": f"auto, {days['trash_days']}",
        "versions_retention_obligation": f"auto, {days['versions_days']}",
    }


def cache_config(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return the caches: one of the PHP service, one of the space."""
    socket = f"{settings['redis_run']}/{space['slug']}/redis.sock"
    return {
        "memcache.local": "\\OC\\Memcache\\APCu",
        "memcache.distributed": "\\OC\\Memcache\\Redis",
        "memcache.locking": "\\OC\\Memcache\\Redis",
        "redis": {"host": socket, "port": 0, "timeout": 1.5},
    }


def mail_config(relay: t.Mapping[str, t.Any], space: Space) -> dict[str, t.Any]:
    """Return the keys of outgoing mail; without a relay nothing is ever sent."""
    if not relay:
        return {"mail_smtpmode": "null"}
    # Each space may have an address of its own: the operator's {slug}@spaces.example.org.
    sender = str(relay["from"]).replace("{slug}", space["slug"])
    local, _, domain = sender.partition("@")
    config: dict[str, t.Any] = {
        "mail_smtpmode": "smtp",
        "mail_smtphost": relay["host"],
        "mail_smtpport": relay.get("port", 25),
        "mail_smtpsecure": relay.get("secure", ""),
        "mail_from_address": local,
        "mail_domain": domain,
    }
    if options := mail_tls(relay):
        config["mail_smtpstreamoptions"] = {"ssl": options}
    if relay.get("user"):
        config |= {
            "mail_smtpauth": True,
            "mail_smtpname": relay["user"],
            "mail_smtppassword": relay["password"],
        }
    return config


def mail_tls(relay: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return how the relay's certificate is looked at, where that is not as usual.

    Nextcloud takes STARTTLS wherever it is offered, and has no setting against it: a relay with a
    certificate of its own is reached by naming its authority, its name, or by not looking.
    """
    options: dict[str, t.Any] = {}
    if relay.get("ca"):
        options["cafile"] = MAIL_CA
    if relay.get("certificate_name"):
        options["peer_name"] = relay["certificate_name"]
    if not relay.get("verify", True):
        options |= {"verify_peer": False, "verify_peer_name": False, "allow_self_signed": True}
    return options


def managed_config_file(space: Space, settings: Settings) -> str:
    """Return the text of a space's managed.config.php."""
    rows = managed_config(space, settings).items()
    body = "".join(f"  {php_key(key)} => {php_literal(value, 1)},\n" for key, value in rows)
    return f"<?php\n\n// {MANAGED}\n$CONFIG = [\n{body}];\n"


def quotas(spaces: t.Iterable[Space], settings: Settings) -> list[dict[str, t.Any]]:
    """Return the storage limits of the spaces that are present on the node.

    Files are limited with the bytes: an ext4 file system has a fixed number of them, and a
    space could use them up, empty, and leave the others without any. What PHP keeps of uploads
    in `tmp` counts like what is stored, and moves from there into `data` by its name alone.
    """
    wanted = []
    for space in spaces:
        if space["status"] in PRESENT:
            limit, base = space["storage_gb"] * GIGABYTE, home(space, settings)
            wanted.append(
                {
                    "space": space["slug"],
                    "id": space["id"],
                    "paths": [f"{base}/data", f"{base}/tmp"],
                    "bytes": limit,
                    "files": limit // settings["quotas"]["bytes_per_file"],
                }
            )
    return wanted


def limits(
    spaces: t.Iterable[Space], settings: Settings, known: t.Iterable[Space]
) -> dict[str, t.Any]:
    """Return what `_quotas.converge` is told, for the spaces of a node.

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


def files(spaces: t.Iterable[Space], settings: Settings, environment: Environment) -> list[File]:
    """Return the files of all the spaces of a node; held spaces are left alone."""
    vhost, php = environment.get_template("vhost.conf.j2"), environment.get_template("php.conf.j2")
    wanted: list[File] = []
    for space in spaces:
        slug, own, base = space["slug"], space["id"], home(space, settings)
        values = {"space": space, "settings": settings, "home": base, "managed": MANAGED}
        values["own_address"] = own_address(space, settings)
        text = vhost.render(values)
        wanted.append(
            File(slug, "vhost", f"{settings['vhost_directory']}/{slug}.conf", text, 0, 0, 0o644)
        )
        if space["status"] not in PRESENT:
            continue
        text = php.render(values)
        wanted.append(
            File(slug, "php", f"{settings['php_directory']}/{slug}.conf", text, 0, own, 0o640)
        )
        text = managed_config_file(space, settings)
        wanted.append(
            File(slug, "config", f"{base}/config/managed.config.php", text, 0, own, 0o640)
        )
    return wanted


def names(known: t.Iterable[Space], settings: Settings) -> dict[str, t.Any]:
    """Return what the names on a node are compared with, whichever spaces a run converges.

    A space is kept as it is on hold, or while its file is wrong: then nothing is known of it.
    """
    return {
        "directory": settings["vhost_directory"],
        "path": DOMAINS,
        "header": f"# {MANAGED}",
        "served": list(settings["server_names"]),
        "server": settings["domains_server"],
        "known": {
            space["slug"]: {
                "domains": list(space.get("domains", ())),
                "kept": "skipped" if "hold" not in space else "hold" if space["hold"] else "",
            }
            for space in known
        },
    }


def units(spaces: t.Iterable[Space]) -> list[dict[str, t.Any]]:
    """Return which units of each space are enabled and which must be stopped."""
    return [{"space": s["slug"], "running": s["status"] in RUNNING} for s in spaces]


def state_of(space: t.Mapping[str, t.Any]) -> str:
    """Return the state that says what a space must and may have. Pure.

    A space that was left out because its file is wrong has no status to rely on.
    """
    return str(space["status"]) if "hold" in space and not space["hold"] else "kept"


def expected(known: t.Iterable[Space], settings: Settings) -> dict[str, t.Any]:
    """Return what the node is compared with, to find what is in no file."""
    spaces = list(known)
    return {
        "known": {space["slug"]: state_of(space) for space in spaces},
        "ids": {space["slug"]: space["id"] for space in spaces},
        "places": {
            "root": settings["root"],
            "vhosts": settings["vhost_directory"],
            "php": settings["php_directory"],
        },
    }


def theme(space: Space) -> dict[str, t.Any]:
    """Return a space's colour and slogan as Nextcloud's theming keeps them; null: its own."""
    wanted = space.get("theme") or {}
    color = wanted.get("color")
    # Nextcloud 29 and older read "color", newer ones "primary_color".
    return {"color": color, "primary_color": color, "slogan": wanted.get("slogan")}


def storage_config(space: Space, settings: Settings) -> dict[str, dict[str, t.Any]]:
    """Return what makes Nextcloud and its clients show a space's limit, and give room back.

    The limit holds without it. An account's own quota is the whole space's storage: desktop
    clients then show what is left of it, and Nextcloud the lesser of that and what the file
    system has left.
    """
    percent = settings["retention"]["trash_percent"]
    trash = str(space["storage_gb"] * GIGABYTE * percent // 100) if percent else None
    return {
        "files": {"default_quota": f"{space['storage_gb']} GB"},
        "files_trashbin": {"trashbin_size": trash},
    }


def application_set(settings: Settings) -> dict[str, list[str]]:
    """Return the applications that are on and off in every space."""
    applications = settings["applications"]
    return {
        "enable": list(applications.get("enabled", ())),
        "disable": list(applications.get("disabled", ())),
    }


def applied_state(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return what only Nextcloud itself can be told, as `occ archipel:apply` takes it."""
    policy, everywhere = settings["applied_state"], application_set(settings)
    registration = _applications.registration(space, settings["registration"])
    return {
        **policy,
        "apps": {
            "enable": [*everywhere["enable"], *registration["enable"]],
            "disable": [*everywhere["disable"], *registration["disable"]],
        },
        "app_config": _applications.merged(
            policy["app_config"],
            settings["applications"].get("settings", {}),
            registration["settings"],
            storage_config(space, settings),
            office_wiring(space, settings)[1],
            {"archipel": about(space, settings)},
        ),
        # Given, not imposed: the space's administrators may change their theme.
        "app_defaults": {
            "theming": {"name": space["name"], "url": space["url"], **theme(space)},
        },
        "logo": logo(space, settings),
        "office": _applications.office(space, settings["office_suites"], settings["offices"]),
        "admin": administrator(space, settings),
        "invite_by_mail": bool(settings["mail_relay"]),
    }


def logo(space: Space, settings: Settings) -> dict[str, str] | None:
    """Return where a space finds its logo on the node, and which one it is."""
    wanted = (space.get("theme") or {}).get("logo")
    if not wanted:
        return None
    return {"file": f"{home(space, settings)}/logo", "sha256": wanted["sha256"]}


def about(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return what the page "My space" shows and the warnings compare with."""
    return {
        "operator": dict(settings["operator"]),
        "storage": space["storage_gb"] * GIGABYTE,
    }


def administrator(space: Space, settings: Settings) -> dict[str, t.Any]:
    """Return the first administrator of a space: who runs its accounts, never the server."""
    return {
        "uid": settings["administrator"],
        "display_name": space["contact"]["name"],
        "email": space["contact"]["email"],
        "language": _locales.language(space["locale"]),
        "locale": _locales.formats(space["locale"]),
        "groups": ["members", "space-admins"],
        "subadmin_of": ["members"],
    }


def invitations(
    spaces: t.Iterable[Space], settings: Settings, *, again: bool
) -> list[dict[str, t.Any]]:
    """Return what each space needs to know to invite its first administrator.

    Args:
        spaces: those that are to.
        settings: the node and the policy.
        again: whether one who has logged in already is invited all the same.

    """
    return [
        {
            "space": space["slug"],
            "release": space["release"],
            "admin": administrator(space, settings),
            "by_mail": bool(settings["mail_relay"]),
            "again": again,
        }
        for space in spaces
    ]


def installations(spaces: t.Iterable[Space], settings: Settings) -> list[dict[str, t.Any]]:
    """Return what the installer needs to know of each space."""
    rows = []
    for space in spaces:
        account = {**database(space, settings), "address": database_host(space, settings)}
        rows.append(
            {
                "space": space["slug"],
                "id": space["id"],
                "running": space["status"] in RUNNING,
                "release": space["release"],
                "url": space["url"],
                "database": account,
                "applied": applied_state(space, settings),
                # What all spaces have in common: a release's template is made of it.
                "template": {"apps": application_set(settings)},
                "logo": (space.get("theme") or {}).get("logo"),
                "managed": sorted(str(key) for key in managed_config(space, settings)),
            }
        )
    return rows


def plain(wanted: t.Iterable[t.Any]) -> list[dict[str, t.Any]]:
    """Return dataclasses as dicts, for the journey to the node."""
    return [asdict(item) for item in wanted]


def template_directory(collection_root: Path) -> str:
    """Return where the per-space templates are."""
    return str(collection_root / "roles" / "spaces" / "templates" / "space")
