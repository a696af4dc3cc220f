#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Give each space somebody with an app password and a file: ``people.py TARGET DOMAIN SLUG …``.

Runs on the node. Writes a line for each space: its host, the account, and the account with its app
password as HTTP's basic authentication wants it.
"""

from __future__ import annotations

import base64
import http.client
import os
import secrets
import socket
import ssl
import subprocess
import sys
from pathlib import Path

NAME = "load"
# Bytes of the file that clients fetch.
READ = 100_000


def occ(slug: str, password: str, *arguments: str) -> str:
    """Run occ as the space's user; return what it says.

    Raises:
        RuntimeError: it failed.

    """
    user = [f"--reuid=space-{slug}", f"--regid=space-{slug}", f"--groups=space-{slug},archipel-db"]
    php = ["php", "-d", "apc.enable_cli=1", "-d", "memory_limit=512M", "occ"]
    added = {
        "OC_PASS": password,
        "NC_PASS": password,
        "NEXTCLOUD_CONFIG_DIR": f"/srv/spaces/{slug}/config",
    }
    done = subprocess.run(
        ["setpriv", *user, *php, *arguments],
        cwd=f"/srv/spaces/{slug}/release",
        env={**os.environ, **added},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{slug}: occ {' '.join(arguments)}: {done.stdout}")
    return done.stdout


def is_known(slug: str) -> bool:
    """Tell whether a space has the account."""
    try:
        occ(slug, "", "user:info", NAME)
    except RuntimeError:
        return False
    return True


def put(host: str, credentials: str) -> None:
    """Store the file that is fetched.

    Raises:
        RuntimeError: the space does not take it.

    """
    plain = socket.create_connection(("127.0.0.1", 443), timeout=120)
    web = http.client.HTTPConnection(host)
    # It is this very machine, whose certificate nobody knows.
    web.sock = ssl._create_unverified_context().wrap_socket(plain, server_hostname=host)
    headers = {"Authorization": f"Basic {credentials}"}
    web.request("PUT", f"/remote.php/dav/files/{NAME}/read.bin", os.urandom(READ), headers)
    answer = web.getresponse()
    if answer.status not in {201, 204}:
        raise RuntimeError(f"{host}: PUT answers {answer.status} {answer.read()[:500]!r}")


def welcome(slug: str, host: str) -> str:
    """Make the account; return its line."""
    password, unit = secrets.token_urlsafe(18), f"space-occ@{slug}.target"
    subprocess.run(["systemctl", "start", unit], check=True)
    # A node that was kept has the account.
    command = "user:resetpassword" if is_known(slug) else "user:add"
    occ(slug, password, command, "--password-from-env", NAME)
    said = occ(slug, password, "user:add-app-password", "--password-from-env", NAME)
    subprocess.run(["systemctl", "stop", unit], check=True)
    token = said.split()[-1]
    credentials = base64.b64encode(f"{NAME}:{token}".encode()).decode()
    put(host, credentials)
    return f"{host} {NAME} {credentials}\n"


def main() -> None:
    """Do it for all."""
    target, domain, *slugs = sys.argv[1:]
    lines = [welcome(slug, f"{slug}.{domain}") for slug in slugs]
    Path(target).write_text("".join(lines), encoding="utf-8")
    # wrk asks for names.
    hosts = Path("/etc/hosts")
    there = hosts.read_text(encoding="utf-8").splitlines()
    wanted = [f"127.0.0.1 {slug}.{domain}" for slug in slugs]
    with hosts.open("a", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in wanted if line not in there))


if __name__ == "__main__":
    main()
