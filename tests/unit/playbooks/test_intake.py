# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""intake.yml and moderate.yml, as people run them."""

from __future__ import annotations

import datetime
import json
import os
import re
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _files, _intake
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _contacts, _writing
from tests.unit.environment import ROOT, Environment
from tests.unit.plugins.plugin_utils._intake.test_submission import GOOD

PLACED = "velo-ecole: {id: 70000, web: node1, db: node1}"
VAULT = VaultLib([("default", VaultSecret(b"right"))])


@pytest.fixture
def whole(environment: Environment) -> Environment:
    """An environment with the policy that the project ships, and a vault password."""
    (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
    policy(environment)
    environment.placement(PLACED)
    # The node is this host, where no space asks for anything.
    environment.write(
        "host_vars/node1.yml",
        "ansible_connection: local\nansible_become: false\n"
        "ansible_python_interpreter: '{{ ansible_playbook_python }}'\n",
    )
    environment.write("../password", "right\n")
    inbox(environment).mkdir(parents=True)
    return environment


def policy(environment: Environment, **changes: t.Any) -> None:
    own = dict.fromkeys(("archipel_release", "archipel_releases", "archipel_offices"))
    environment.policy(**own, **changes)


def inbox(environment: Environment) -> Path:
    return environment.root.parent.parent / "build/lab/intake"


def submit(environment: Environment, number: int = 0, **changes: t.Any) -> Path:
    path = inbox(environment) / f"{number}.json"
    path.write_text(json.dumps({**GOOD, "id": f"{number:032x}", **changes}))
    return path


def run(environment: Environment, playbook: str, *options: str) -> tuple[int, str]:
    done = environment.command(
        "ansible-playbook", str(ROOT / f"playbooks/{playbook}.yml"), *options
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def given(environment: Environment) -> str:
    return f"--vault-password-file={environment.root.parent / 'password'}"


def vaulted(environment: Environment) -> None:
    """Keep the contact of the one association in the vault."""
    policy(environment, archipel_contacts="vaulted")
    environment.space("velo-ecole", contact=None)
    contacts = _contacts.Contacts(str(environment.home / "contacts.yml"))
    _contacts.write(contacts, {"velo-ecole": {"email": "bureau@velo-ecole.example"}}, VAULT)


class TestIntake:
    def test_a_request_becomes_a_file_that_waits(self, whole: Environment):
        marker = whole.root / "marker"
        source = submit(whole, name=f"{{{{ lookup('pipe', 'touch {marker}') }}}} Fanfare")
        submit(whole, 1, name="Fanfare", address="velo-ecole", office="none", charter=False)
        code, said = run(whole, "intake")
        assert code == 2
        assert "1.json: - 'charter: found" in said or '1.json: - "charter: found' in said
        assert not source.exists()
        assert inbox(whole).joinpath("1.json").exists()
        assert whole.problems() == []
        (new,) = [path for path in whole.registry.iterdir() if path.name != "velo-ecole.yml"]
        assert "status: requested\n" in new.read_text()
        assert not marker.exists()
        page = (whole.root.parent.parent / "build/lab/moderation/index.html").read_text()
        assert f'<article id="{new.stem}">' in page
        (link,) = re.findall(r'<h2><a href="([^"]+)">', page)
        assert (whole.root.parent.parent / "build/lab/moderation" / link).samefile(new)

    def test_a_node_that_is_down_keeps_nobody_waiting_and_is_named(self, whole: Environment):
        node = "ansible_host: 127.0.0.1\nansible_port: 1\n"
        whole.write("host_vars/node1.yml", node)
        source = submit(whole)
        code, said = run(whole, "intake")
        assert code == 2
        assert "node1: not reached, so what spaces there ask for is still there" in said
        assert not source.exists()

    def test_check_mode_writes_nothing_and_shows_it(self, whole: Environment):
        submit(whole)
        before = whole.tree()
        code, said = run(whole, "intake", "--check", "--diff")
        assert code == 0, said
        assert "requested by form" in said
        assert "+status: requested" in said
        assert whole.tree() == before
        assert inbox(whole).joinpath("0.json").exists()

    def test_twice_is_once(self, whole: Environment):
        submit(whole)
        run(whole, "intake", "-e", "keep=true")
        before = whole.tree()
        code, said = run(whole, "intake")
        assert (code, whole.tree()) == (0, before), said
        assert list(inbox(whole).iterdir()) == []

    def test_names_that_are_taken_are_given_to_nobody(self, whole: Environment):
        for number, address in enumerate(("velo-ecole", "www", "node1", "web", "localhost")):
            submit(whole, number, address=address, name="Fanfare")
        code, said = run(whole, "intake")
        assert code == 0, said
        assert whole.problems() == []
        names = sorted(path.stem for path in whole.registry.iterdir())
        assert names == ["fanfare", "localhost-2", "node1-2", "velo-ecole", "web-2", "www-2"]

    def test_the_host_of_the_form_is_given_to_nobody(self, whole: Environment):
        form = {"host": "demande.spaces.example.org", "charter_url": "https://x.example"}
        policy(whole, archipel_intake=form)
        submit(whole, address="demande", name="Fanfare")
        code, said = run(whole, "intake", "-e", f"inbox={inbox(whole)}")
        assert code == 0, said
        assert whole.problems() == []
        assert (whole.registry / "fanfare.yml").exists()

    def test_what_is_thrown_away_is_named(self, whole: Environment):
        wrong, other = submit(whole, charter=False), submit(whole, 1, kind="root")
        code, said = run(whole, "intake")
        assert code == 2
        assert "throw it away with -e discard=name,name" in said
        assert "kind: found" in said
        code, said = run(whole, "intake", "-e", "discard=0.json,2.json")
        assert code == 2
        assert "intake has no 2.json" in said
        assert wrong.exists()
        assert run(whole, "intake", "-e", "discard=0.json,1.json")[0] == 0
        assert not wrong.exists()
        assert not other.exists()
        assert [path.stem for path in whole.registry.iterdir()] == ["velo-ecole"]

    def test_a_folder_that_is_not_there(self, whole: Environment):
        code, said = run(whole, "intake", "-e", "inbox=/nowhere")
        assert code == 2
        assert "'/nowhere' is no folder" in said


class TestRequestsThatNobodyGoesOnWith:
    def asked(self, environment: Environment, **request: str) -> str:
        """Write a request into the registry, take in nothing, and return its file."""
        path = environment.space("cine", status="requested", decision=None, request=request)
        code, said = run(environment, "intake")
        assert code == 0, said
        return path.read_text()

    def days_ago(self, days: int) -> str:
        today = datetime.datetime.now(tz=datetime.UTC).date()
        return (today - datetime.timedelta(days=days)).isoformat()

    def test_are_told_first(self, whole: Environment):
        text = self.asked(whole, on=self.days_ago(50))
        assert f'"noticed_on": "{self.days_ago(0)}"' in text
        assert '"status": "requested"' in text
        assert whole.problems() == []

    def test_end_days_later(self, whole: Environment):
        text = self.asked(whole, on=self.days_ago(80), noticed_on=self.days_ago(14))
        assert json.loads(text)["status"] == "refused"
        assert json.loads(text)["decision"] == {
            "by": "archipel",
            "on": self.days_ago(0),
            "reason": "stale",
        }
        assert whole.problems() == []

    def test_are_left_alone_while_they_are_young(self, whole: Environment):
        assert "noticed_on" not in self.asked(whole, on=self.days_ago(45))


class TestRefusedRequests:
    def test_are_erased_after_their_days_with_their_contact(self, whole: Environment):
        vaulted(whole)
        submit(whole, name="fanfare")
        assert run(whole, "intake", given(whole))[0] == 0
        options = ("-e", "only=fanfare", "-e", "decision=refuse", "-e", "reason=charter")
        assert run(whole, "moderate", *options)[0] == 0
        path = whole.registry / "fanfare.yml"
        before = path.read_text()
        year = datetime.datetime.now(tz=datetime.UTC).year
        path.write_text(before.replace(f"on: {year}", f"on: {year - 2}"))
        code, said = run(whole, "intake", given(whole), "--check", "--diff")
        assert code == 0, said
        assert "erased: it was refused long ago" in said
        assert path.exists()
        # Without the password nobody's contact would go with it.
        code, said = run(whole, "intake")
        assert (code, path.exists()) == (0, True), said
        assert run(whole, "intake", given(whole))[0] == 0
        assert not path.exists()
        assert set(_contacts.read(whole.home / "contacts.yml", VAULT).known) == {"velo-ecole"}
        assert run(whole, "check", given(whole))[0] == 0


class TestAClosing:
    def test_is_announced_and_done_on_its_day(self, whole: Environment):
        today = datetime.datetime.now(tz=datetime.UTC).date()
        later = (today + datetime.timedelta(days=30)).isoformat()
        path = whole.registry / "velo-ecole.yml"
        options = ("-e", "only=velo-ecole", "-e", "decision=close", "-e", "reason=on-request")
        code, said = run(whole, "moderate", *options, "-e", f"day={today}")
        assert code == 2
        assert f"allowed: a day after {today}" in said
        code, said = run(whole, "moderate", *options, "-e", f"day={later}")
        assert code == 0, said
        assert "to be closed on" in said
        assert whole.problems() == []
        assert run(whole, "intake")[0] == 0
        file = json.loads(path.read_text())
        assert (file["status"], file["closing"]["on"]) == ("approved", later)
        path.write_text(path.read_text().replace(later, today.isoformat()))
        assert run(whole, "intake")[0] == 0
        file = json.loads(path.read_text())
        assert (file["status"], file["closed_on"]) == ("closed", today.isoformat())
        assert "closing" not in file
        assert whole.problems() == []

    def test_is_taken_back(self, whole: Environment):
        closing = {"on": "2036-01-01", "by": "x", "noticed_on": "2026-01-01"}
        path = whole.space("velo-ecole", closing=closing)
        options = ("-e", "only=velo-ecole", "-e", "decision=approve")
        assert run(whole, "moderate", *options)[0] == 0
        assert "closing" not in json.loads(path.read_text())
        code, said = run(whole, "moderate", *options)
        assert code == 2
        assert "nobody is about to close it" in said


class TestVaultedContacts:
    def test_are_in_no_file_of_the_registry_and_no_diff(self, whole: Environment):
        vaulted(whole)
        submit(whole, about="we sing", contact_name="Zoé")
        code, said = run(whole, "intake", given(whole), "--diff")
        assert code == 0, said
        for private in ("a@b.example", "we sing", "Zoé"):
            assert private not in said
            assert not any(private.encode() in text for text in whole.tree().values())
        path = whole.home / "contacts.yml"
        assert _contacts.read(path, VAULT).known["velo-ecole-2"] == {
            "email": "a@b.example",
            "name": "Zoé",
            "about": "we sing",
        }

    def test_need_the_password_and_lose_nothing_without(self, whole: Environment):
        vaulted(whole)
        source, before = submit(whole), whole.tree()
        code, said = run(whole, "intake")
        assert code == 2
        assert "this run has no password" in said
        assert (whole.tree(), source.exists()) == (before, True)

    def test_reach_the_spaces_and_their_check_needs_no_password(self, whole: Environment):
        vaulted(whole)
        assert run(whole, "check")[0] == 0
        done = whole.command("ansible-inventory", "--host", "velo-ecole", given(whole))
        assert "bureau@velo-ecole.example" in done.stdout
        code, said = run(whole, "spaces")
        assert code == 2
        assert "contacts.yml is encrypted, and this run has no password" in said

    def test_of_a_space_that_has_none(self, whole: Environment):
        vaulted(whole)
        whole.space("fanfare", contact=None)
        code, said = run(whole, "check", given(whole))
        assert code == 4
        assert "contacts.yml has no contact of this space; add one" in said

    def test_a_contact_in_the_open_is_a_mistake_and_can_be_moved(self, whole: Environment):
        policy(whole, archipel_contacts="vaulted")
        request = {"on": "2026-01-01", "about": "we ride"}
        whole.space("amap", request=request, status="requested", decision=None)
        code, said = run(whole, "check")
        assert code == 4
        assert "found in a file that may be public" in said
        options = ("-e", "move=true", "-e", "archipel_contacts=public", given(whole))
        code, said = run(whole, "intake", *options)
        assert code == 0, said
        assert run(whole, "check", given(whole))[0] == 0
        assert not any(b"@velo" in text or b"ride" in text for text in whole.tree().values())


class TestModeration:
    def test_lists_what_waits(self, whole: Environment):
        submit(whole)
        run(whole, "intake")
        code, said = run(whole, "moderate")
        assert code == 0, said
        assert "velo-ecole-2 (Vélo-école): " in said
        assert "is called like velo-ecole (approved)" in said

    def test_several_at_once_and_comments_stay(self, whole: Environment):
        for number, name in enumerate(("fanfare", "chorale")):
            submit(whole, number, name=name, contact_email=f"{name}@b.example")
        run(whole, "intake")
        path = whole.registry / "fanfare.yml"
        path.write_text(path.read_text().replace("status: requested", "status: requested # mine"))
        options = ("-e", "only=fanfare,chorale", "-e", "decision=approve", "-e", "by=nadia")
        code, said = run(whole, "moderate", *options)
        assert code == 0, said
        assert "status: approved # mine\n" in path.read_text()
        assert "by: nadia" in (whole.registry / "chorale.yml").read_text()
        assert whole.problems() == []

    def test_all_or_none(self, whole: Environment):
        submit(whole, name="fanfare")
        run(whole, "intake")
        before = whole.tree()
        for only, said in (
            ("fanfare,velo-ecole", "is approved; allowed to refuse: requested"),
            ("fanfare,fanfares", "Did you mean"),
        ):
            options = ("-e", f"only={only}", "-e", "decision=refuse", "-e", "reason=charter")
            code, text = run(whole, "moderate", *options)
            assert code == 2
            assert said in text
            assert whole.tree() == before

    def test_what_the_schema_refuses_is_not_written(self, whole: Environment):
        submit(whole, name="fanfare")
        run(whole, "intake")
        before = whole.tree()
        values = json.dumps({"only": "fanfare", "decision": "ask", "reason": "a \u202e b"})
        code, said = run(whole, "moderate", "-e", values)
        assert code == 2
        assert "request.asked.reason: found" in said
        assert whole.tree() == before

    def test_names_without_a_decision(self, whole: Environment):
        code, said = run(whole, "moderate", "-e", "only=velo-ecole")
        assert code == 2
        assert "add -e decision=approve" in said


class KilledError(BaseException):
    """The process is no more."""


STEPS = [(_writing, "replace"), (_writing, "create"), (_writing, "sync"), (Path, "unlink")]


@pytest.mark.parametrize("when", range(12))
def test_killed_anywhere_nothing_is_lost_and_nothing_is_twice(
    whole: Environment, when: int, monkeypatch: pytest.MonkeyPatch
):
    """Before each thing that is written or removed, of three requests."""
    vaulted(whole)
    for number, name in enumerate(("fanfare", "chorale", "amap")):
        submit(whole, number, name=name, contact_email=f"{name}@b.example")
    wanted = _intake.Intake(inbox(whole), frozenset(), ["collabora"], vaulted=True)
    left = [when]

    def count(owner: t.Any, name: str) -> None:
        real = getattr(owner, name)

        def step(*arguments: t.Any, **options: t.Any) -> t.Any:
            left[0] -= 1
            if left[0] < 0:
                raise KilledError
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, step)

    for owner, name in STEPS:
        count(owner, name)
    try:
        _intake.take_in(whole.home, wanted, VAULT, write=True)
    except KilledError:
        left[0] = 1000
        _intake.take_in(whole.home, wanted, VAULT, write=True)
    monkeypatch.undo()
    folder = _files.read(whole.home, VAULT)
    slugs = {"velo-ecole", "fanfare", "chorale", "amap"}
    assert {record.slug for record in folder.records} == slugs
    assert set(folder.contacts.known) == slugs
    assert list(inbox(whole).iterdir()) == []
    assert not [path for path in whole.registry.iterdir() if path.name.startswith(".")]
    assert len(os.listdir(whole.registry)) == 4


def test_moderators_are_spoken_to_in_their_language(whole: Environment):
    policy(whole, archipel_language="fr")
    whole.space("amap", status="requested", decision=None, name="AMAP du Val")
    code, said = run(whole, "moderate", "-e", "only=amap")
    assert code != 0
    assert "only=amap et pas de décision : ajoutez -e decision=approve" in said
    code, said = run(whole, "moderate", "-e", "only=amap", "-e", "decision=refuse")
    assert code != 0
    assert "Rien n’a été décidé." in said
    assert "reason : absent ; accepté : " in said
    code, said = run(whole, "moderate")
    assert code == 0, said
    assert "En attente (1), du plus ancien au plus récent :" in said
    assert "amap (AMAP du Val) : d’âge inconnu, attend une décision" in said
    page = (whole.root.parent.parent / "build/lab/moderation/index.html").read_text()
    assert '<html lang="fr">' in page
    assert "<title>lab\u00a0: 1 demande en attente</title>" in page
