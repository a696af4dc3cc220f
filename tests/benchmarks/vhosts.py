#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Start an nginx with many vhosts on this node, measure it, stop it: ``vhosts.py KIND NUMBER``.

``server``: each space has a server block with all that the shared one has; ``map``: ours.
Prints JSON.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path("/tmp/vhosts")
OURS = Path("/etc/nginx/conf.d/archipel-spaces.conf")
# The spaces' own server is on 443 of the same machine.
PORT = 8443
MAIN = """\
user www-data;
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    map_hash_max_size 65536;
    map_hash_bucket_size 256;
    server_names_hash_max_size 65536;
    server_names_hash_bucket_size 256;
    include {root}/spaces.conf;
}}
"""


def split_ours() -> tuple[str, str]:
    """Return our maps, and our one server block."""
    text = OURS.read_text(encoding="utf-8")
    text = re.sub(r"include (\S*archipel-listen\.conf);", f"listen {PORT} ssl;", text)
    maps, _, server = text.partition("server {")
    return maps, "server {" + server


def write(kind: str, number: int) -> None:
    """Write the configuration of a separate nginx."""
    shutil.rmtree(ROOT, ignore_errors=True)
    (ROOT / "vhosts").mkdir(parents=True)
    # Included beside the main file, whichever that is.
    (ROOT / "fastcgi_params").symlink_to("/etc/nginx/fastcgi_params")
    (ROOT / "nginx.conf").write_text(MAIN.format(root=ROOT))
    maps, server = split_ours()
    slugs = [f"asso-{n}" for n in range(number)]
    if kind == "map":
        for slug in slugs:
            (ROOT / "vhosts" / f"{slug}.conf").write_text(
                f"{slug}.bench.localhost approved/fr/{slug}@127.112.0.1;\n"
            )
        text = re.sub(r"include /etc/nginx/archipel/", f"include {ROOT}/vhosts/", maps) + server
    else:
        for slug in slugs:
            own = re.sub(r"server_name [^;]+;", f"server_name {slug}.bench.localhost;", server)
            (ROOT / "vhosts" / f"{slug}.conf").write_text(own)
        text = maps + f"include {ROOT}/vhosts/*.conf;\n"
    (ROOT / "spaces.conf").write_text(text)


def nginx(*arguments: str) -> None:
    """Run nginx on that configuration."""
    subprocess.run(["nginx", "-c", f"{ROOT}/nginx.conf", *arguments], check=True)


def workers() -> set[str]:
    """Return the process ids of its workers."""
    master = (ROOT / "nginx.pid").read_text().strip()
    return set(Path(f"/proc/{master}/task/{master}/children").read_text().split())


def reload() -> float:
    """Reload it; return the seconds until other workers have taken over."""
    before, start = workers(), time.perf_counter()
    nginx("-s", "reload")
    while not workers() - before:
        time.sleep(0.005)
    return time.perf_counter() - start


def main() -> None:
    """Measure one configuration."""
    kind, number = sys.argv[1], int(sys.argv[2])
    write(kind, number)
    start = time.perf_counter()
    nginx("-t", "-q")
    checked = time.perf_counter() - start
    nginx()
    try:
        seconds = sorted(reload() for _ in range(3))[1]
        memory = Path(f"/proc/{next(iter(workers()))}/smaps_rollup").read_text()
        resident = int(re.search(r"^Rss: +(\d+)", memory, re.MULTILINE).group(1))  # type: ignore[union-attr]
    finally:
        nginx("-s", "stop")
    result = {"kind": kind, "spaces": number, "check": checked, "reload": seconds}
    print(json.dumps({**result, "mib": resident / 1024}))


if __name__ == "__main__":
    main()
