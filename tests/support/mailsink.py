# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A mail relay that keeps what it is given. Runs on a machine of the lab, with Python alone.

Each letter becomes a JSON file: the envelope, whether it came encrypted and who logged in, and the
letter itself, byte by byte. The file `behaviour` in the folder says what becomes of the next ones.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import ssl
import sys
import time
from pathlib import Path

# What `behaviour` may say: take letters; refuse every recipient; take a letter and never say so.
ACCEPT, REFUSE, VANISH = "accept", "refuse", "vanish"


class Session:
    """One client."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        folder: Path,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.reader, self.writer, self.folder, self.tls = reader, writer, folder, tls
        self.encrypted = False
        self.account = ""
        self.sender = ""
        self.recipients: list[str] = []

    def behaviour(self) -> str:
        """Return what is to become of letters."""
        path = self.folder / "behaviour"
        return path.read_text(encoding="ascii").strip() if path.exists() else ACCEPT

    async def say(self, *lines: str) -> None:
        """Answer; `-` before all lines but the last is what SMTP wants."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def serve(self) -> None:
        """Answer until the client leaves."""
        await self.say("220 sink.invalid ESMTP")
        while line := (await self.reader.readline()).decode("ascii", "replace").strip():
            verb = line.partition(" ")[0].upper()
            if verb == "QUIT":
                await self.say("221 bye")
                break
            if not await self.obey(verb, line):
                break
        self.writer.close()

    async def obey(self, verb: str, line: str) -> bool:
        """Do one command; tell whether the client may go on."""
        argument = line.partition(":")[2].strip().partition(" ")[0].strip("<>")
        if verb == "EHLO":
            offered = ["250-STARTTLS"] if self.tls and not self.encrypted else []
            await self.say("250-sink.invalid", *offered, "250-AUTH PLAIN", "250 SMTPUTF8")
        elif verb == "STARTTLS" and self.tls:
            await self.say("220 go on")
            await self.writer.start_tls(self.tls)
            self.encrypted = True
        elif verb == "AUTH":
            secret = base64.b64decode(line.split(" ")[2]).decode()
            self.account = secret.split("\0")[1]
            await self.say("235 welcome")
        elif verb == "RCPT" and self.behaviour() == REFUSE:
            await self.say("550 no such mailbox here")
        elif verb == "DATA":
            await self.say("354 end with a dot")
            return await self.take()
        else:
            if verb == "MAIL":
                self.sender, self.recipients = argument, []
            if verb == "RCPT":
                self.recipients.append(argument)
            await self.say("250 ok")
        return True

    async def take(self) -> bool:
        """Keep a letter; tell whether the client may go on."""
        lines = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                # Whoever left in the middle has sent nothing.
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        letter = {
            "from": self.sender,
            "to": self.recipients,
            "encrypted": self.encrypted,
            "account": self.account,
            "letter": base64.b64encode(b"".join(lines)).decode(),
        }
        path = self.folder / f"{time.time_ns()}.json"
        path.with_suffix(".new").write_text(json.dumps(letter), encoding="ascii")
        path.with_suffix(".new").rename(path)
        if self.behaviour() == VANISH:
            return False
        await self.say("250 kept")
        return True


async def main() -> None:
    """Listen on the loopback address."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", help="with its key; none: STARTTLS is not offered")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Session(reader, writer, options.folder, tls).serve()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError) as error:
            # A client that does not trust the certificate leaves like this.
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", options.port, limit=1 << 24)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
