#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The usual layout beside ours, on the same node.

``usual.py up DOMAIN SLUG …``, ``usual.py down``.

One php-fpm master with a pool for each space, one Redis, and a server block for each space, after
Nextcloud's own sample (admin manual, "NGINX configuration"). It serves the same release, databases
and files as ours, with the same settings of PHP, as many children, and the same certificate, on
port 8443. What differs is what is measured: no sandbox, no service of its own for each space, no
map. With ``separate`` in place of ``up`` each pool has a master of its own, and so compiled code in
a memory of its own, as ours: what then is left of a difference are sandbox, Redis and map.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

ROOT, PORT = Path("/srv/usual"), 8443
SOCKETS = Path("/run/usual")
POOLS = Path("/etc/archipel/php")
# Who may reach the database's socket.
GROUP = "archipel-db"
REDIS = f"""\
port 0
unixsocket {SOCKETS}/redis.sock
unixsocketperm 777
save ""
appendonly no
io-threads 1
maxmemory 512mb
maxmemory-policy allkeys-lru
dir /tmp
"""
CONFIG = f"""\
<?php
$CONFIG = ['redis' => ['host' => '{SOCKETS}/redis.sock', 'port' => 0, 'timeout' => 1.5]];
"""
NGINX = f"""\
user www-data;
worker_processes auto;
worker_rlimit_nofile 8192;
pid {SOCKETS}/nginx.pid;
error_log {ROOT}/error.log error;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    include /etc/nginx/mime.types;
    types {{ text/javascript mjs; }}
    default_type application/octet-stream;
    charset utf-8;
    server_tokens off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 65s;
    types_hash_max_size 2048;
    server_names_hash_max_size 65536;
    server_names_hash_bucket_size 256;
    include /etc/nginx/snippets/archipel-tls.conf;
    include /etc/nginx/snippets/archipel-gzip.conf;
    access_log {ROOT}/access.log combined;
    include {ROOT}/servers/*.conf;
}}
"""
# All else is for index.php.
SCRIPTS = (
    r"index|remote|public|cron|core\/ajax\/update|status|ocs\/v[12]|updater\/.+|ocs-provider\/.+"
    r"|.+\/richdocumentscode(_arm64)?\/proxy"
)
SERVER = """\
upstream php-SLUG { server unix:SOCKETS/SLUG.sock; }
server {
    listen PORT ssl;
    HTTP2
    server_name SLUG.DOMAIN;
    ssl_certificate /etc/archipel/tls/wildcard/fullchain.pem;
    ssl_certificate_key /etc/archipel/tls/wildcard/privkey.pem;
    root /srv/spaces/SLUG/release;
    index index.php index.html /index.php$request_uri;
    client_max_body_size 512M;
    client_body_timeout 300s;
    client_body_buffer_size 512k;
    fastcgi_buffers 64 4K;
    add_header Strict-Transport-Security "max-age=15768000; includeSubDomains" always;
    add_header Referrer-Policy "no-referrer" always;
    add_header X-Content-Type-Options "nosniff" always;
    add_header X-Frame-Options "SAMEORIGIN" always;
    add_header X-Permitted-Cross-Domain-Policies "none" always;
    add_header X-Robots-Tag "noindex, nofollow" always;
    fastcgi_hide_header X-Powered-By;
    location = / {
        if ($http_user_agent ~ ^DavClnt) { return 302 /remote.php/webdav/$is_args$args; }
    }
    location = /robots.txt { allow all; log_not_found off; access_log off; }
    location ^~ /.well-known {
        location = /.well-known/carddav { return 301 /remote.php/dav/; }
        location = /.well-known/caldav { return 301 /remote.php/dav/; }
        return 301 /index.php$request_uri;
    }
    location ~ ^/(?:build|tests|config|lib|3rdparty|templates|data)(?:$|/) { return 404; }
    location ~ ^/(?:\\.|autotest|occ|issue|indie|db_|console) { return 404; }
    location ~ \\.php(?:$|/) {
        rewrite ^/(?!SCRIPTS) /index.php$request_uri;
        fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
        set $path_info $fastcgi_path_info;
        try_files $fastcgi_script_name =404;
        include /etc/nginx/fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;
        fastcgi_param DOCUMENT_ROOT $realpath_root;
        fastcgi_param PATH_INFO $path_info;
        fastcgi_param HTTPS on;
        fastcgi_param modHeadersAvailable true;
        fastcgi_param front_controller_active true;
        fastcgi_pass php-SLUG;
        fastcgi_intercept_errors on;
        fastcgi_request_buffering on;
        fastcgi_max_temp_file_size 0;
    }
    location ~ \\.(?:css|js|mjs|svg|gif|ico|jpg|png|webp|wasm|tflite|map|ogg|flac)$ {
        try_files $uri /index.php$request_uri;
        add_header Cache-Control "public, max-age=15778463";
        access_log off;
    }
    location ~ \\.(?:otf|woff2?)$ {
        try_files $uri /index.php$request_uri;
        expires 7d;
        access_log off;
    }
    location /remote { return 301 /remote.php$request_uri; }
    location / { try_files $uri $uri/ /index.php$request_uri; }
}
"""


def pool(slug: str) -> str:
    """Return the space's pool: ours, with a socket and a user of the usual kind."""
    text = (POOLS / f"{slug}.conf").read_text(encoding="utf-8").split(f"[{slug}]\n")[1]
    kept = [line for line in text.splitlines() if not line.startswith("listen =")]
    config = f"env[NEXTCLOUD_CONFIG_DIR] = {ROOT}/config/{slug}"
    kept = [config if "NEXTCLOUD_CONFIG_DIR" in line else line for line in kept]
    head = (
        f"[{slug}]\nuser = space-{slug}\ngroup = {GROUP}\n"
        f"listen = {SOCKETS}/{slug}.sock\nlisten.owner = www-data\n"
    )
    return head + "\n".join(kept) + "\n"


def configure(slug: str, domain: str, directive: str) -> None:
    """Write what the usual layout has of a space."""
    target = ROOT / "config" / slug
    subprocess.run(["cp", "-a", f"/srv/spaces/{slug}/config", target], check=True)
    # Read after the managed one.
    (target / "usual.config.php").write_text(CONFIG, encoding="utf-8")
    # Its pool runs with the group that reaches the database.
    owner = f"space-{slug}:{GROUP}"
    subprocess.run(["chown", "--recursive", owner, target], check=True)
    (ROOT / "pools" / f"{slug}.conf").write_text(pool(slug), encoding="utf-8")
    words = {"HTTP2": directive, "SCRIPTS": SCRIPTS, "DOMAIN": domain, "SLUG": slug}
    text = SERVER
    for word, value in {**words, "SOCKETS": str(SOCKETS), "PORT": str(PORT)}.items():
        text = text.replace(word, value)
    (ROOT / "servers" / f"{slug}.conf").write_text(text, encoding="utf-8")


def start(unit: str, *command: str) -> None:
    """Start one of the three services; systemd keeps it until `down`."""
    limit = "--property=LimitNOFILE=65536"
    subprocess.run(["systemd-run", "--quiet", f"--unit={unit}", limit, "--", *command], check=True)


def start_php(slugs: list[str], separate: bool) -> None:
    """Start one master for all pools, or one for each."""
    (program,) = Path("/usr/sbin").glob("php-fpm8.*")
    groups = {f"usual-php-{slug}": f"{slug}.conf" for slug in slugs} if separate else {}
    for unit, pools in (groups or {"usual-php": "*.conf"}).items():
        config = ROOT / f"{unit}.conf"
        text = f"[global]\nerror_log = {ROOT}/php.log\ninclude = {ROOT}/pools/{pools}\n"
        config.write_text(text, encoding="utf-8")
        start(unit, str(program), "--nodaemonize", "--fpm-config", str(config))


def up(domain: str, slugs: list[str], separate: bool) -> None:
    """Write and start all of it.

    Raises:
        RuntimeError: a socket of it does not come.

    """
    down()
    for name in ("config", "pools", "servers"):
        (ROOT / name).mkdir(parents=True)
    SOCKETS.mkdir(mode=0o755)
    # Before 1.25.1 nginx says it in another way; neither layout is asked over HTTP/2 here.
    listen = Path("/etc/nginx/snippets/archipel-listen.conf").read_text(encoding="utf-8")
    for slug in slugs:
        configure(slug, domain, "http2 on;" if "http2 on;" in listen else "")
    (ROOT / "redis.conf").write_text(REDIS, encoding="utf-8")
    (ROOT / "nginx.conf").write_text(NGINX, encoding="utf-8")
    start("usual-redis", "/usr/bin/redis-server", f"{ROOT}/redis.conf")
    start_php(slugs, separate)
    start("usual-nginx", "/usr/sbin/nginx", "-c", f"{ROOT}/nginx.conf", "-g", "daemon off;")
    for path in [SOCKETS / "redis.sock", *(SOCKETS / f"{slug}.sock" for slug in slugs)]:
        wait(path)
    for slug in slugs:
        ask(f"{slug}.{domain}")


def wait(path: Path) -> None:
    """Wait until a socket is there.

    Raises:
        RuntimeError: it does not come within a minute.

    """
    end = time.monotonic() + 60
    while not path.exists():
        if time.monotonic() > end:
            raise RuntimeError(f"{path} does not come: journalctl -u 'usual-*', {ROOT}/php.log")
        time.sleep(0.1)


def ask(host: str) -> None:
    """See that a space answers as itself: an error page would look fast.

    Raises:
        RuntimeError: it does not.

    """
    plain = socket.create_connection(("127.0.0.1", PORT), timeout=120)
    web = http.client.HTTPConnection(host)
    # It is this very machine, whose certificate nobody knows.
    web.sock = ssl._create_unverified_context().wrap_socket(plain, server_hostname=host)
    web.request("GET", "/status.php")
    answer = web.getresponse()
    text = answer.read().decode()
    if answer.status != 200 or '"installed":true' not in text.replace(" ", ""):
        raise RuntimeError(f"{host}:{PORT} answers {answer.status} {text[:500]}")


def down() -> None:
    """Stop it, and leave nothing of it."""
    # Patterns: a master for each pool has the space's name behind it.
    for action in ("stop", "reset-failed"):
        subprocess.run(["systemctl", action, "usual-*.service"], check=False, capture_output=True)
    for folder in (ROOT, SOCKETS):
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Do what is asked."""
    action, *rest = sys.argv[1:]
    if action == "down":
        down()
    else:
        up(rest[0], rest[1:], separate=action == "separate")


if __name__ == "__main__":
    main()
