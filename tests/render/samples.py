# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space and a node's settings, with everything that people could write into them."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _render_files
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "{{ lookup('pipe','id') }} '; DROP TABLE x; -- \\' \"$(id)\" 🐙 \u202egnp.exe ?> <script>"
KEY = "0123456789abcdef0123456789abcdef"
SETTINGS: Context = {
    "root": "/srv/spaces",
    "vhost_directory": "/etc/nginx/archipel",
    "own_network": "127.112.0.0/17",
    "server_names": ["*.example.org"],
    "domains_server": {
        "listen": "/etc/nginx/snippets/listen.conf",
        "answers": "/etc/nginx/snippets/spaces.conf",
        "certificates": [("/etc/archipel/tls/domains/chain.pem", "/etc/archipel/tls/domains/key")],
    },
    "sysusers_directory": "/etc/sysusers.d",
    "tmpfiles_directory": "/etc/tmpfiles.d",
    "php_directory": "/etc/archipel/php",
    "redis_run": "/run/archipel/redis",
    "master_key": KEY,
    "database_socket": "/run/mysqld/mysqld.sock",
    "database_connections": 20,
    "database_seconds": 5,
    "database_hosts": {"db1": "db1.example.org"},
    "database_client_hosts": {"web1": "192.0.2.10"},
    "database_ca": "/etc/ssl/certs/ca-certificates.crt",
    "php_children": 8,
    "php_memory": "512M",
    "php_prepended": "/usr/local/libexec/archipel/unavailable.php",
    "nextcloud_config": {"appstoreenabled": False},
    "mail_relay": {},
    "applied_state": {"app_config": {"core": {"backgroundjobs_mode": "cron"}}},
    "applications": {
        "enabled": ["calendar"],
        "disabled": ["survey_client"],
        "settings": {"core": {"shareapi_allow_links": "yes"}},
    },
    "office_suites": {
        "collabora": {"name": "Collabora Online", "application": "richdocuments"},
        "onlyoffice": {"name": "ONLYOFFICE Docs", "application": "onlyoffice"},
        "other": {"name": "Other", "application": "other"},
    },
    "offices": ["collabora", "onlyoffice"],
    "registration": {"application": "registration", "settings": {"approval": True}},
    "copies": {"disabled": ["mail"], "config": {"has_internet_connection": False}},
    "operator": {"name": "Us", "url": "https://us.example", "email": "us@us.example"},
    "administrator": "administration",
    "quotas": {"backend": "auto", "bytes_per_file": 16384, "allow_over": False, "verify": False},
    "retention": {"trash_days": 30, "versions_days": 90, "trash_percent": 25},
    "install_parallel": 2,
    "installer": {
        "root": "/srv/spaces",
        "releases": "/srv/nextcloud/releases",
        "php": "/usr/bin/php8.4",
        "spool": "/var/spool/archipel/invitations",
        "seed_images": "/srv/nextcloud/seed-images",
        "database_socket": "/run/mysqld/mysqld.sock",
        "database_ca": "/etc/ssl/certs/ca-certificates.crt",
        "without": {},
    },
    "upgrade": {
        "closed": "/var/lib/archipel/closed",
        "port": 443,
        "jobs_seconds": 60,
        "occ_seconds": 3600,
        "database_ca": "/etc/ssl/certs/ca-certificates.crt",
        "pages": ["/login"],
        "requests": ["client"],
        "first_visits": {},
    },
    "services": {
        "own": "/etc/archipel/php",
        "restart": ["/etc/systemd/system/space-php@.service"],
        "binaries": ["/usr/sbin/php-fpm8.4"],
        "reload": ["/etc/php/8.4/fpm/conf.d"],
    },
    "nginx": {"paths": ["/etc/nginx"]},
}
SPACE: SpaceEntry = {
    "slug": "velo-ecole",
    "id": 100003,
    "name": HOSTILE,
    "status": "approved",
    "contact": {"name": HOSTILE, "email": "bureau@velo-ecole.example"},
    "decision": {"by": HOSTILE, "on": "2026-05-30", "reason": HOSTILE},
    "office": "collabora",
    "office_pinned": False,
    "registration": False,
    "ring": "stable",
    "release": "33.0.9",
    "accounts": 50,
    "storage_gb": 40,
    "domains": ["velo-ecole.example.org", "cloud.velo-ecole.example"],
    "url": "https://velo-ecole.example.org",
    "redirect": False,
    "locale": "fr",
    "phone_region": "FR",
    "timezone": "Europe/Paris",
    "theme": {"color": None, "slogan": HOSTILE, "logo": None},
    "closed_on": None,
    "dormancy": {"exempt": False, "since": None, "letters": 0},
    "hold": False,
    "web": "web1",
    "db": "web1",
    "file": "spaces/velo-ecole.yml",
    "office_servers": {},
}
ENVIRONMENT = _render_files.load_templates(_render_files.find_templates(ROOT))


def space(**changes: t.Any) -> SpaceEntry:
    """The space, with some of its values changed."""
    return t.cast("SpaceEntry", {**SPACE, **changes})


def context(**changes: t.Any) -> Context:
    """The settings of the node, with some of them changed."""
    return t.cast("Context", {**SETTINGS, **changes})
