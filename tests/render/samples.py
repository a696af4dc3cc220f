# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space and a node's settings, with everything that people could write into them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.archipel.spaces.plugins.plugin_utils import _render_files

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "{{ lookup('pipe','id') }} '; DROP TABLE x; -- \\' \"$(id)\" 🐙 \u202egnp.exe ?> <script>"
KEY = "0123456789abcdef0123456789abcdef"
SETTINGS: dict[str, Any] = {
    "root": "/srv/spaces",
    "vhost_directory": "/etc/nginx/archipel",
    "own_network": "127.112.0.0/17",
    "php_directory": "/etc/archipel/php",
    "redis_run": "/run/archipel/redis",
    "master_key": KEY,
    "database_socket": "/run/mysqld/mysqld.sock",
    "database_connections": 20,
    "database_hosts": {"db1": "db1.example.org"},
    "database_client_hosts": {"web1": "192.0.2.10"},
    "database_ca": "/etc/ssl/certs/ca-certificates.crt",
    "php_children": 8,
    "php_memory": "512M",
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
    "operator": {"name": "Us", "url": "https://us.example", "email": "us@us.example"},
    "administrator": "administration",
    "quotas": {"backend": "auto", "bytes_per_file": 16384, "allow_over": False, "verify": False},
    "retention": {"trash_days": 30, "versions_days": 90, "trash_percent": 25},
}
SPACE: dict[str, Any] = {
    "slug": "velo-ecole",
    "id": 100003,
    "name": HOSTILE,
    "status": "approved",
    "contact": {"name": HOSTILE, "email": "bureau@velo-ecole.example"},
    "office": "collabora",
    "office_pinned": False,
    "registration": False,
    "ring": "stable",
    "release": "33.0.9",
    "accounts": 50,
    "storage_gb": 40,
    "domains": ["velo-ecole.example.org", "cloud.velo-ecole.example"],
    "url": "https://velo-ecole.example.org",
    "locale": "fr",
    "phone_region": "FR",
    "timezone": "Europe/Paris",
    "theme": {"slogan": HOSTILE},
    "hold": False,
    "web": "web1",
    "db": "web1",
}
ENVIRONMENT = _render_files.templates(_render_files.template_directory(ROOT))
