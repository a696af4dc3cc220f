# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A mail relay on the machine's own loopback address, and the letters that it was given."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import re
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.support import mailsink
from tests.support.scenario import Scenario

UNIT = "mail-sink"
FOLDER = "/var/lib/mail-sink"
PROGRAM = f"{FOLDER}.py"
PORT = 2525
NAME = "relay.archipel.example"
# The name of its certificate is not its address: it says so, as a relay of an operator's would.
AUTHORITY = rf"""
set -e
mkdir -p {FOLDER}.tls
cd {FOLDER}.tls
chmod 700 .
if [ ! -f both.pem ]; then
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Authority of a relay' \
    -keyout ca.key -out ca.pem
  openssl req -newkey rsa:2048 -nodes -subj '/CN={NAME}' -keyout key.pem -out request.pem
  printf 'subjectAltName=DNS:{NAME}\n' >names
  openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
    -extfile names -out cert.pem
  cat cert.pem key.pem >both.pem
fi
"""


@dataclass(frozen=True)
class Letter:
    """One letter as the relay got it."""

    sender: str
    recipients: list[str]
    encrypted: bool
    account: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The letter, read."""
        found = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        assert not found.defects, found.defects
        return found

    def part(self, kind: str) -> str:
        """Return its text in one of its forms, plain or html."""
        found = self.message.get_body((kind,))
        assert isinstance(found, EmailMessage), kind
        return str(found.get_content()).replace("\r\n", "\n")

    @property
    def link(self) -> str:
        """The one address in it under which a password is chosen."""
        found = re.findall(r"https?://\S+/lostpassword/\S+", self.part("plain"))
        assert len(found) == 1, found
        return str(found[0])


class Relay:
    """The relay, on the machine of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.node = scenario.node

    def start(self) -> None:
        """Have it listen, with a certificate of an authority of its own."""
        program = base64.b64encode(Path(mailsink.__file__).read_bytes()).decode()
        self.node.check_output(f"echo {program} | base64 -d >{PROGRAM}")
        self.node.check_output(AUTHORITY)
        self.stop()
        self.node.check_output(
            f"systemd-run --unit={UNIT} --collect python3 {PROGRAM} {FOLDER} --port={PORT} "
            f"--certificate={FOLDER}.tls/both.pem"
        )
        self.node.check_output(
            f"timeout 20 sh -c 'until ss -tln | grep -q 127.0.0.1:{PORT}; do sleep 0.2; done'"
        )

    def stop(self) -> None:
        """Have nobody listen there."""
        self.node.run(f"systemctl stop {UNIT}.service")
        self.node.run(f"systemctl reset-failed {UNIT}.service")

    def behave(self, how: str) -> None:
        """Say what becomes of the next letters: see mailsink."""
        self.node.check_output(f"echo {how} >{FOLDER}/behaviour")

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Return what archipel_mail_relay says of it."""
        authority = self.node.file(f"{FOLDER}.tls/ca.pem").content_string
        settings = {
            "host": "127.0.0.1",
            "port": PORT,
            "from": "{slug}@spaces.example",
            "user": "archipel",
            "password": "secret of the relay",
            "ca": authority,
            "certificate_name": NAME,
            **changes,
        }
        return {key: value for key, value in settings.items() if value is not None}

    def use(self, **changes: Any) -> None:
        """Write it into the scenario's policy, for the next run."""
        path = self.scenario.environment / "group_vars/all/zz-relay.yml"
        text = json.dumps({"archipel_mail_relay": self.settings(**changes)})
        path.write_text(text, encoding="utf-8")

    def letters(self, recipient: str) -> list[Letter]:
        """Return what it got for somebody, in the order of arrival."""
        said = self.node.check_output(
            f"for f in {FOLDER}/*.json; do [ -f $f ] && cat $f; echo; done"
        )
        found = [json.loads(line) for line in said.splitlines() if line]
        return [
            Letter(
                one["from"],
                one["to"],
                one["encrypted"],
                one["account"],
                base64.b64decode(one["letter"]),
            )
            for one in found
            if recipient in one["to"]
        ]
