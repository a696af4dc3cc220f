# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What an association asks for from within its space, and the copy of everything that it fetches.

The page "My space" is PHP in a real Nextcloud (scenario `real`). What that page leaves and reads is
left and read here by programs in the space's own sandbox, and by hostile ones.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from testinfra.host import Host

from tests.support.relay import Relay
from tests.support.sandbox import Programs
from tests.support.scenario import Scenario

SLUG, MAIL = "velo-ecole", "bureau@velo-ecole.example"
HOME = f"/srv/spaces/{SLUG}"
CHANGES = "/var/lib/archipel/changes"
# As PHP leaves it: whole, and never over another one.
LEAVE = """
path = f"/srv/spaces/{slug}/tmp/{name}"
with open(path + ".part", "w") as file:
    file.write(text)
left = attempt(os.link, path + ".part", path)
os.unlink(path + ".part")
print(json.dumps(left))
"""
READ = """
import hashlib
folder = f"/srv/spaces/{slug}/export"
with open(folder + "/export.tar.gz", "rb") as file:
    digest = hashlib.sha256(file.read()).hexdigest()
with open(folder + "/state.json") as file:
    print(json.dumps({"sha256": digest, **json.load(file)}))
"""
HARM = """
folder = f"/srv/spaces/{slug}/export"
print(json.dumps({
    "write": attempt(open, folder + "/export.tar.gz", "a"),
    "remove": attempt(os.unlink, folder + "/export.tar.gz"),
    "link": attempt(os.symlink, "/etc/shadow", folder + "/state"),
    "exchange": attempt(os.rename, folder, folder + ".old"),
}))
"""
# What is no request, made in place of one: each a sentence.
HOSTILE = {
    "a link to a secret of the machine": 'os.symlink("/etc/shadow", path)',
    "a pipe": "os.mkfifo(path)",
    "no JSON": 'open(path, "w").write("storage: 80")',
    "nested beyond reason": 'open(path, "w").write("[" * 9000)',
    "longer than a request": """open(path, "w").write('{"a":"' + "x" * 20000 + '"}')""",
    "a number that is none": """open(path, "w").write(
        json.dumps({"account": "a", "what": "storage", "value": [1]})
    )""",
    "nobody asks": """open(path, "w").write('{"what":"storage","value":80}')""",
}


@pytest.fixture(scope="module")
def programs(scenario: Scenario) -> Programs:
    return Programs(scenario.machine)


@pytest.fixture(scope="module", autouse=True)
def letters(relay: Relay) -> None:
    assert relay


@pytest.fixture(autouse=True)
def many(node: Host) -> None:
    """Let the day begin anew: five requests are taken in one."""
    node.check_output(f"rm -f {CHANGES}/.counts")


def look(node: Host, what: str) -> None:
    """Have the node look, as its timer does; so often that systemd would stop doing it."""
    unit = f"archipel-{what}.service"
    node.check_output(f"systemctl reset-failed {unit}; timeout 120 systemctl start {unit}")


def leave(programs: Programs, name: str, text: str = "") -> str:
    return str(programs.inside(SLUG, LEAVE, name=name, text=text))


def ask(programs: Programs, node: Host, what: str, **values: t.Any) -> None:
    """Have an administrator of the space ask for something, and the node take it."""
    text = json.dumps({"account": "administration", "what": what, **values})
    assert leave(programs, "change-wanted", text) == ""
    look(node, "changes")


def spooled(node: Host) -> list[dict[str, t.Any]]:
    said = node.check_output(f"cat {CHANGES}/*.json 2>/dev/null | sed 's/}}{{/}}\\n{{/g' || true")
    return [json.loads(line) for line in said.splitlines() if line]


def file_of(scenario: Scenario) -> dict[str, t.Any]:
    return dict(yaml.safe_load(scenario.registry(SLUG).read_text(encoding="utf-8")))


def moderate(scenario: Scenario, decision: str, **extra: str) -> None:
    values = {"only": SLUG, "decision": decision, "by": "nadia", **extra}
    scenario.converge("moderate.yml", "-e", json.dumps(values))


def last_letter(scenario: Scenario, vault: str, relay: Relay) -> tuple[str, str]:
    """Send what is due; return subject and text of the newest letter to the association."""
    assert set(scenario.attempt("letters.yml", vault)["Send letters that are due"]["spaces"]) == {
        SLUG
    }
    letter = relay.letters(MAIL)[-1]
    return str(letter.message["Subject"]), letter.part("plain")


@pytest.mark.parametrize("unit", ["archipel-changes.timer", "archipel-exports.timer"])
def test_nobody_has_to_start_it(node: Host, unit: str):
    assert node.service(unit).is_enabled
    assert node.service(unit).is_running


class TestAChange:
    def test_goes_from_the_space_into_its_file(
        self, scenario: Scenario, node: Host, programs: Programs, vault: str
    ):
        ask(programs, node, "storage", value=60, text="Nos vidéos d’atelier")
        (request,) = spooled(node)
        assert request["space"] == SLUG
        assert not node.file(f"{HOME}/tmp/change-wanted").exists
        scenario.converge("intake.yml", vault)
        assert spooled(node) == []
        change = file_of(scenario)["change"]
        assert (change["what"], change["value"], change["by"]) == ("storage", 60, "administration")
        # With vaulted contacts, what people write is in the vault as well.
        assert "vidéos" not in scenario.registry(SLUG).read_text(encoding="utf-8")
        assert scenario.converge("intake.yml", vault) == []

    def test_waits_until_somebody_decides(self, scenario: Scenario, vault: str):
        assert scenario.converge("spaces.yml", vault) == []
        assert "limits" not in file_of(scenario)

    def test_is_granted(self, scenario: Scenario, node: Host, vault: str, relay: Relay):
        moderate(scenario, "approve")
        assert file_of(scenario)["limits"]["storage_gb"] == 60
        assert file_of(scenario)["change"]["decided"]["by"] == "nadia"
        assert scenario.converge("spaces.yml", vault) != []
        assert scenario.spaces[SLUG]["storage_gb"] == 60
        subject, text = last_letter(scenario, vault, relay)
        assert subject.endswith("est acceptée")
        assert "60\u00a0Go de stockage" in text

    def test_is_declined(
        self, scenario: Scenario, node: Host, programs: Programs, vault: str, relay: Relay
    ):
        ask(programs, node, "accounts", value=500)
        scenario.converge("intake.yml", vault)
        moderate(scenario, "refuse", reason="Un espace a 50 comptes au plus.")
        assert "accounts" not in file_of(scenario)["limits"]
        subject, text = last_letter(scenario, vault, relay)
        assert subject.startswith("Votre demande pour l’espace")
        assert "500\u00a0comptes" in text
        assert "Un espace a 50 comptes au plus." in text

    def test_of_an_end_is_the_end_that_moderators_know(
        self, scenario: Scenario, node: Host, programs: Programs, vault: str, relay: Relay
    ):
        ask(programs, node, "suspend")
        scenario.converge("intake.yml", vault)
        moderate(scenario, "approve")
        file = file_of(scenario)
        assert (file["status"], file["decision"]["reason"]) == ("suspended", "on-request")
        scenario.converge("spaces.yml", vault)
        assert scenario.browser.get(f"{SLUG}.archipel.localhost", "/status.php").status == 503
        assert "Rien n’a été supprimé" in last_letter(scenario, vault, relay)[1]
        moderate(scenario, "approve")
        scenario.converge("spaces.yml", vault)
        assert scenario.browser.get(f"{SLUG}.archipel.localhost", "/status.php").status == 200
        last_letter(scenario, vault, relay)

    def test_cannot_be_asked_for_in_anothers_name(
        self, scenario: Scenario, node: Host, programs: Programs, vault: str
    ):
        ask(programs, node, "accounts", value=51, space="chorale", via="form", kind="space", id="x")
        (request,) = spooled(node)
        assert (request["space"], request["via"], request["kind"]) == (SLUG, "space", "change")
        node.check_output(f"rm {CHANGES}/*.json")

    @pytest.mark.parametrize("harm", HOSTILE.values(), ids=HOSTILE)
    def test_that_is_none_is_thrown_away(self, node: Host, programs: Programs, harm: str):
        program = f"""
path = f"/srv/spaces/{{slug}}/tmp/change-wanted"
{harm}
print(json.dumps(os.path.lexists(path)))
"""
        assert programs.inside(SLUG, program) is True
        look(node, "changes")
        assert spooled(node) == []
        assert node.run(f"test -L {HOME}/tmp/change-wanted -o -e {HOME}/tmp/change-wanted").rc != 0
        assert node.check_output("stat -c %a /etc/shadow") == "640"

    def test_is_taken_five_times_a_day(self, node: Host, programs: Programs):
        for number in range(5):
            ask(programs, node, "storage", value=61 + number)
        ask(programs, node, "storage", value=99)
        assert sorted(one["value"] for one in spooled(node)) == [61, 62, 63, 64, 65]
        # It waits, and keeps the place: the next one has none.
        assert leave(programs, "change-wanted", "{}") == "EEXIST"
        node.check_output(f"rm {CHANGES}/*.json {HOME}/tmp/change-wanted")


class TestACopyOfEverything:
    def test_is_made_without_waking_anybody(self, node: Host, programs: Programs):
        node.check_output(f"systemctl stop space-php@{SLUG}.service")
        assert leave(programs, "export-wanted") == ""
        look(node, "exports")
        assert node.run(f"systemctl is-active space-php@{SLUG}.service").rc != 0
        assert not node.file(f"{HOME}/tmp/export-wanted").exists
        assert node.check_output("ls -A /srv/spaces/.exports") == ""

    def test_is_read_in_the_sandbox_of_the_space(
        self, scenario: Scenario, node: Host, programs: Programs, tmp_path: Path
    ):
        said = programs.inside(SLUG, READ)
        assert said["state"] == "ready"
        assert said["until"] - time.time() == pytest.approx(7 * 24 * 3600, abs=3600)
        archive = tmp_path / "export.tar.gz"
        packed = scenario.machine.execute("base64", "-w0", f"{HOME}/export/export.tar.gz")
        archive.write_bytes(base64.b64decode(packed))
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == said["sha256"]
        assert archive.stat().st_size == said["size"]
        with tarfile.open(archive) as found:
            assert {"README.txt", "database.sql"} <= set(found.getnames())

    def test_cannot_be_changed_by_it(self, programs: Programs):
        said = programs.inside(SLUG, HARM)
        assert set(said) == {"write", "remove", "link", "exchange"}
        assert set(said.values()) <= {"EACCES", "EPERM", "EROFS", "EBUSY", "EXDEV"}, said

    def test_is_nobody_elses(self, node: Host):
        command = f"runuser -u nobody -- cat {HOME}/export/export.tar.gz"
        assert "Permission denied" in node.run(command).stderr

    def test_is_no_change_of_the_space(self, scenario: Scenario, vault: str):
        assert scenario.converge("spaces.yml", vault) == []

    def test_is_made_once_a_day(self, node: Host, programs: Programs):
        before = programs.inside(SLUG, READ)
        assert leave(programs, "export-wanted") == ""
        look(node, "exports")
        assert programs.inside(SLUG, READ) == before
        assert not node.file(f"{HOME}/tmp/export-wanted").exists

    def test_goes_on_after_it_was_killed(self, node: Host, programs: Programs):
        node.check_output(f"rm {HOME}/export/export.tar.gz {HOME}/export/state.json")
        assert leave(programs, "export-wanted") == ""
        node.check_output("systemctl start --no-block archipel-exports.service")
        node.run(
            f"timeout 20 sh -c 'until [ -f {HOME}/export/state.json ]; do sleep 0.02; done'; "
            "systemctl kill --signal=KILL archipel-exports.service"
        )
        node.run("timeout 20 systemctl stop archipel-exports.service")
        look(node, "exports")
        assert programs.inside(SLUG, READ)["state"] == "ready"
        assert node.check_output("ls -A /srv/spaces/.exports") == ""

    def test_is_gone_after_a_week(self, node: Host, programs: Programs):
        node.check_output(f"touch -d '8 days ago' {HOME}/export/export.tar.gz")
        look(node, "exports")
        assert node.check_output(f"ls -A {HOME}/export") == ""
