# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Somebody who has a document open: as much of the editor as talks to the server.

Socket.IO over plain requests (transport ``polling``): packets are text, a digit for
their kind first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.browser import Browser
from tests.support.office import Tenant
from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine

SEPARATOR = "\x1e"
PING, PONG, JOIN, REFUSED, EVENT = "2", "3", "40", "44", "42"
UNIT = "archipel-test-editor.service"
NOTICED_SECONDS = 60


@contextmanager
def left_open(machine: Machine | VirtualMachine, url: str, *options: str) -> Iterator[None]:
    """Have a document open at a stand-in, from the machine itself, as long as the block lasts."""

    def people() -> int:
        answer = machine.execute("curl", "-sS", "-m", "9", *options, f"{url}/info/info.json")
        return int(json.loads(answer)["quota"]["edit"]["connectionsCount"])

    client = ("curl", "-sS", "-o", "/dev/null", *options, f"{url}/doc/key/c/?stay")
    machine.execute("systemd-run", "--quiet", "--collect", f"--unit={UNIT}", *client)
    try:
        _await(lambda: people() == 1)
        yield
    finally:
        machine.execute("systemctl", "stop", UNIT)
    _await(lambda: people() == 0)


def _await(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + NOTICED_SECONDS
    while not reached():
        assert time.monotonic() < until, "the number of people did not change"
        time.sleep(0.5)


class Editor:
    """One person in one document of one tenant."""

    def __init__(self, browser: Browser, tenant: Tenant, key: str, person: str) -> None:
        self.browser, self.tenant, self.key, self.person = browser, tenant, key, person
        self.address = f"/doc/{key}/c/?EIO=4&transport=polling"
        self.refused: dict[str, Any] | None = None
        (opened,) = self._poll()
        self.address += f"&sid={json.loads(opened[1:])['sid']}"

    def join(self, signer: Tenant | None = None) -> Editor:
        """Open the document with a token, which somebody else may have signed."""
        token = (signer or self.tenant).token(self._configuration())
        self._post(JOIN + json.dumps({"token": token}))
        while self.refused is None:
            said = self.receive()
            if any(message.get("type") == "license" for message in said):
                self.say("auth", **self._authentication(token))
                return self
        return self

    def say(self, kind: str, **content: Any) -> None:
        """Send one message."""
        self._post(EVENT + json.dumps(["message", {"type": kind, **content}]))

    def receive(self) -> list[dict[str, Any]]:
        """Wait for what comes next."""
        messages = []
        for packet in self._poll():
            if packet == PING:
                self._post(PONG)
            elif packet.startswith(REFUSED):
                self.refused = json.loads(packet[2:])
            elif packet.startswith(EVENT):
                messages.append(json.loads(packet[2:])[1])
        return messages

    def is_in(self) -> bool:
        """Wait until the server has let one in; the second is told to wait for the first."""
        return bool(self.hear("auth", "waitAuth"))

    def hear(self, *kinds: str) -> list[dict[str, Any]]:
        """Wait until a message of a kind comes, some ten answers at most; return all of them."""
        for _ in range(10):
            found = [message for message in self.receive() if message.get("type") in kinds]
            if found:
                return found
        return []

    def _configuration(self) -> dict[str, Any]:
        document = {
            "key": self.key,
            "fileType": "docx",
            "title": "A document",
            "url": "https://localhost/document.docx",
            "permissions": {"edit": True, "chat": True},
        }
        editor = {
            "user": {"id": self.person, "name": self.person},
            "mode": "edit",
            "lang": "en",
            "callbackUrl": "https://localhost/callback",
        }
        return {"document": document, "editorConfig": editor}

    def _authentication(self, token: str) -> dict[str, Any]:
        configuration = self._configuration()
        user = configuration["editorConfig"]["user"]
        return {
            "docid": self.key,
            "documentCallbackUrl": configuration["editorConfig"]["callbackUrl"],
            "token": "fghhfgsjdgfjs",
            "user": {**user, "username": user["name"], "indexUser": -1},
            "editorType": 0,
            "lastOtherSaveTime": -1,
            "block": [],
            "sessionId": None,
            "view": False,
            "isCloseCoAuthoring": False,
            "mode": "edit",
            "lang": "en",
            "permissions": configuration["document"]["permissions"],
            "encrypted": False,
            "coEditingMode": "fast",
            "jwtOpen": token,
        }

    def _poll(self) -> list[str]:
        answer = self.browser.get(self.tenant.host, self.address)
        assert answer.status == 200, answer.text
        return answer.text.split(SEPARATOR)

    def _post(self, packet: str) -> None:
        headers = {"Content-Type": "text/plain;charset=UTF-8"}
        answer = self.browser.request(
            "POST", self.tenant.host, self.address, headers=headers, body=packet.encode()
        )
        assert answer.status == 200, answer.text
