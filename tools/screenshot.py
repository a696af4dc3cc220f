# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

r"""Take a picture of a page of a space as somebody sees it, with a headless Chromium.

    ARCHIPEL_PASSWORD=… python -m tools.screenshot \
        https://velo-ecole.archipel.localhost:8443/settings/admin/archipel \
        administration docs/images/my-space.png --width 390

Chromium sends no password unasked, so a small proxy on this machine adds it.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import os
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

DROPPED = {"connection", "transfer-encoding", "content-length", "strict-transport-security"}


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on to one space, as one account."""

    def __init__(self, *arguments: object, address: str, credentials: str) -> None:
        self.address, self.credentials = address, credentials
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer as the space does."""
        # The certificate is the lab's own; nothing secret is shown to anybody here.
        context = ssl._create_unverified_context()
        host, _, port = self.address.partition(":")
        connection = http.client.HTTPSConnection(host, int(port or 443))
        # The lab's machines are behind ports of this one; their names lead nowhere else.
        plain = socket.create_connection(("127.0.0.1", int(port or 443)), timeout=60)
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        kept = {
            key: value
            for key, value in self.headers.items()
            if key.lower() not in {"host", "cookie"}
        }
        headers = {**kept, "Host": self.address, "Authorization": f"Basic {self.credentials}"}
        connection.request("GET", self.path, headers={**headers, "Accept-Encoding": "identity"})
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in DROPPED:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The picture is the result."""


def chromium(url: str, picture: str, width: int, height: int) -> None:
    """Open a page and keep what it looks like."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                "chromium",
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                "--virtual-time-budget=8000",
                f"--screenshot={Path(picture).resolve()}",
                url,
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Take one picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("account")
    parser.add_argument("picture")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    options = parser.parse_args(arguments)
    where = urlsplit(options.url)
    pair = f"{options.account}:{os.environ['ARCHIPEL_PASSWORD']}".encode()
    credentials = base64.b64encode(pair).decode()
    handler = partial(Proxy, address=where.netloc, credentials=credentials)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = f"http://127.0.0.1:{server.server_port}{where.path}"
    chromium(page, options.picture, options.width, options.height)
    server.shutdown()


if __name__ == "__main__":
    main()
