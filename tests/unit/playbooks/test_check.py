# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What check.yml says, and what it ends with."""

from __future__ import annotations

import datetime
import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.filter.registry_summary import registry_summary
from tests.unit.environment import ROOT, Environment

DECIDED = {"by": "moderation", "on": "2024-05-30", "reason": "why"}
PLACED = "velo-ecole: {id: 70000, web: node1, db: node1}"


@pytest.fixture
def whole(environment: Environment) -> Environment:
    """An environment with the policy that the project ships."""
    (environment.root / "group_vars/all/00-baseline").symlink_to(ROOT / "group_vars/all")
    environment.policy(archipel_release=None, archipel_releases=None, archipel_offices=None)
    environment.placement(PLACED)
    return environment


def check(environment: Environment, *options: str) -> tuple[int, str]:
    """Run check.yml from elsewhere; return how it ended and what it said, in one line."""
    done = environment.command("ansible-playbook", str(ROOT / "playbooks/check.yml"), *options)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def built(environment: Environment) -> Path:
    return environment.root.parent.parent / "build/lab"


class TestASummary:
    def test_of_a_registry_where_nothing_waits(self, whole: Environment):
        code, said = check(whole)
        assert code == 0, said
        assert "lab: 1 file, 1 approved." in said
        for word in ("New (", "Waiting", "Without", "Passed over", "Wrong"):
            assert word not in said

    def test_is_in_french_where_the_policy_says_so(self, whole: Environment):
        """The tasks that say it are processes of their own."""
        whole.policy(
            archipel_release=None,
            archipel_releases=None,
            archipel_offices=None,
            archipel_language="fr",
        )
        whole.space("amap", status="requested", decision=None, name="AMAP du Val")
        code, said = check(whole)
        assert code == 0, said
        assert "lab : 2 fichiers, 1 requested, 1 approved." in said
        assert "En attente d’une décision (1) : amap (AMAP du Val)." in said
        assert "Enregistrements DNS de " in said or "aucune adresse de node1" in said
        code, said = check(whole, "-e", "base=main", "--limit", "node1")
        assert code != 0
        assert "base=main compare ce que feraient toutes les machines" in said
        code, said = check(whole, "-e", "only=velo-ecole")
        assert code != 0
        assert "only=velo-ecole : ce playbook n’accepte pas de sélection" in said
        code, said = check(whole, "--limit", "velo-ecole")
        assert code != 0
        assert "--limit velo-ecole nomme des espaces, et attend des machines" in said
        assert "avec -e only=velo-ecole." in said

    def test_of_one_where_much_does(self, whole: Environment):
        whole.space("amap", status="requested", decision=None, name="AMAP du Val")
        whole.space("quai", status="suspended", decision=DECIDED, hold=True)
        whole.registry.joinpath("velo-ecole.yml").rename(whole.registry / "velo-montreuil.yml")
        whole.write("spaces/contacts.txt", "")
        code, said = check(whole)
        assert code == 0, said
        for sentence in (
            "lab: 3 files, 1 requested, 1 approved, 1 suspended.",
            "Waiting for a decision (1): amap (AMAP du Val).",
            "On hold, and left as they are (1): quai.",
            "New (2): quai on node1, number 70100, velo-montreuil on node1, number 70101.",
            "Without a file, and left as they are (1): velo-ecole.",
            "To rename a file is to make another space",
            "Passed over: neither a file of an association nor its logo (1): contacts.txt.",
        ):
            assert sentence in said, sentence

    def test_a_line_that_was_lost_in_the_lock_file_is_a_new_space(self, whole: Environment):
        whole.placement(next_id=70_006)
        assert "New (1): velo-ecole on node1, number 70006." in check(whole)[1]

    @pytest.mark.parametrize("slug", ["velo-ecole", "cas"])
    def test_of_a_file_that_is_wrong(self, whole: Environment, slug: str):
        """Of a space that there is, or of a new one."""
        whole.options(on_invalid="skip")
        whole.write(f"spaces/{slug}.yml", "name: [\n")
        code, said = check(whole)
        assert code == 2
        assert f"Wrong, and left as they are until their file is right (1): {slug}." in said
        assert f"{slug}.yml:1: not readable as YAML" in said

    def test_is_not_without_end(self):
        lists: dict[str, t.Any] = {
            key: [] for key in ("requested", "held", "closed", "without_file", "ignored")
        }
        new = [{"slug": f"a{n}", "id": 70_000 + n, "web": "n"} for n in range(3000)]
        report: dict[str, t.Any] = {**lists, "new": new, "skipped": {}, "files": 1}
        said = registry_summary({**report, "environment": "lab", "counts": {"approved": 3000}})
        assert said[1].startswith("New (3000): a0 on n, number 70000, a1 on n")
        assert said[1].endswith("a19 on n, number 70019 and 2980 more.")


class TestTheEndOfSupport:
    @pytest.mark.parametrize(("days", "said"), [(59, True), (61, False)])
    def test_is_said_before_it_comes(self, whole: Environment, days: int, said: bool):
        end = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)
        old = {"version": "33.0.9", "end_of_life": str(end)}
        releases = {"33.0.9": old, "34.0.4": {"version": "34.0.4"}}
        whole.policy(archipel_release="33.0.9", archipel_releases=releases, archipel_offices=None)
        code, text = check(whole)
        assert code == 0, text
        assert ("Next in the catalogue: 34.0.4" in text) is said
        assert (f"Support of release 33.0.9 ends on {end}" in text) is said


VAULTED_RELAY = """\
archipel_mail_relay:
  host: mail.example.org
  from: "{slug}@example.org"
  user: lab
  password: !vault |
    $ANSIBLE_VAULT;1.1;AES256
    34666462616530306661356632663037666236396638383138356637336266343366353063313162
    6533353336333932643335303336666532663865616133300a363139303862313735613737313663
    39653834656231616631393364613164396335313937343337326231396132323736396638383430
    3733386565663131370a396339336433656537313636643331643666626632633239646539386263
    3434
"""


class TestWhatItRenders:
    def test_needs_no_password_of_a_vault(self, whole: Environment):
        """The relay's is encrypted, as its description asks for; contributors do not have it."""
        mail = whole.root / "group_vars/all/mail.yml"
        mail.write_text(VAULTED_RELAY, encoding="utf-8")
        code, said = check(whole)
        assert code == 0, said
        written = (built(whole) / "node1/config/velo-ecole.php").read_text(encoding="utf-8")
        assert "'mail_smtphost' => 'mail.example.org'" in written
        assert "'mail_smtppassword'" in written

    def test_lies_beside_the_inventory(self, whole: Environment):
        """An installed collection may lie where nobody may write."""
        assert check(whole)[0] == 0
        assert (built(whole) / "node1/vhost/velo-ecole.conf").is_file()

    def test_lies_where_one_says(self, whole: Environment, tmp_path: Path):
        assert check(whole, "-e", f"archipel_build={tmp_path}/mine")[0] == 0
        assert (tmp_path / "mine/node1/vhost/velo-ecole.conf").is_file()
        assert not built(whole).exists()

    def test_is_compared_with_the_last_time(self, whole: Environment):
        check(whole)
        whole.space("velo-ecole", domains=["velo.example"])
        _code, said = check(whole, "--diff", "--check")
        assert "+++ after: vhost/velo-ecole.conf" in said
        assert "velo.example" in said
        (whole.registry / "velo-ecole.yml").unlink()
        whole.space("zoo")
        assert "+++ after: vhost/velo-ecole.conf removed" in check(whole, "--diff")[1]

    @pytest.mark.parametrize("only", ["nonsense", "velo-ecole"])
    def test_is_the_whole(self, whole: Environment, only: str):
        code, said = check(whole, "-e", f"only={only}")
        assert code == 2
        assert f"only={only}: this playbook takes no selection" in said

    def test_is_that_of_a_node_with_a_limit(self, whole: Environment):
        code, said = check(whole, "--limit", "node1")
        assert code == 0
        assert "lab: 1 file" in said


@pytest.fixture
def proposal(whole: Environment) -> Environment:
    """A registry in git, and a branch on which something is proposed."""
    whole.placement(PLACED, "amap: {id: 70001, web: node1, db: node1}", next_id=70_002)
    for slug in ("velo-ecole", "amap"):
        whole.space(slug)
    project = whole.root.parent.parent
    git(project, "init", "-qb", "main")
    git(project, "add", "inventories", "registry")
    git(project, "commit", "-qm", "a base")
    git(project, "checkout", "-qb", "proposal")
    return whole


def git(folder: Path, *arguments: str) -> None:
    names = ("-c", "user.name=Nadia", "-c", "user.email=nadia@example.org")
    subprocess.run(["git", "-C", str(folder), *names, *arguments], check=True)


def changes(environment: Environment) -> dict[str, t.Any]:
    text = (built(environment) / "changes/changes.json").read_text(encoding="utf-8")
    found: dict[str, t.Any] = json.loads(text)
    return found


class TestAProposal:
    def test_is_said_with_what_nodes_would_do(self, proposal: Environment):
        proposal.space("chorale-des-halles", name="<b>Chorale</b> @all")
        code, said = check(proposal, "-e", "base=main")
        assert code == 0, said
        assert "one space: chorale-des-halles, new, 50/40" in said
        found = changes(proposal)
        assert found["labels"] == ["one-space"]
        (node,) = found["nodes"]
        assert (node["node"], node["makes"], node["spaces"]) == ("node1", ["chorale-des-halles"], 1)
        assert node["files"]["config"] == {"added": 1}
        text = (built(proposal) / "changes/changes.md").read_text(encoding="utf-8")
        assert "- makes `chorale-des-halles`" in text
        assert check(proposal, "-e", "base=main")[0] == 0
        assert changes(proposal) == found

    def test_of_the_policy_says_whom_it_touches(self, proposal: Environment):
        """In configuration files, and in what only Nextcloud itself is given."""
        proposal.policy(
            archipel_release=None,
            archipel_releases=None,
            archipel_offices=None,
            archipel_limits_default={"accounts": 50, "storage_gb": 41},
        )
        proposal.space("amap", name="AMAP du Val")
        code, said = check(proposal, "-e", "base=main")
        assert code == 0, said
        assert "one space: amap, changed: name" in said
        assert "policy: touches 1 space" in said
        assert changes(proposal)["policy"]["variables"][0]["name"] == "archipel_limits_default"

    def test_of_a_setting_in_nextcloud_touches_all(self, proposal: Environment):
        settings = {"deck": {"x": "y"}}
        proposal.write(
            "group_vars/all/more.yml",
            json.dumps({"archipel_applications": {"enabled": [], "settings": settings}}),
        )
        code, said = check(proposal, "-e", "base=main")
        assert code == 0, said
        assert "policy: touches 2 spaces" in said

    def test_that_moves_a_space_by_hand_is_seen(self, proposal: Environment):
        proposal.placement(PLACED, "amap: {id: 70002, web: node1, db: node1}", next_id=70_003)
        code, said = check(proposal, "-e", "base=main")
        assert code == 0, said
        assert changes(proposal)["labels"] == ["placement-by-hand"]

    def test_on_a_wrong_base_is_compared_by_its_files(self, proposal: Environment):
        """Who mends what somebody broke is told what that is."""
        project = proposal.root.parent.parent
        proposal.write("spaces/amap.yml", "name: [\n")
        git(project, "commit", "-qam", "broken")
        git(project, "checkout", "-qB", "main")
        proposal.space("amap", name="AMAP du Val")
        code, said = check(proposal, "-e", "base=main")
        assert code == 0, said
        found = changes(proposal)
        assert found["nodes"] is None
        assert "amap.yml:1: not readable as YAML" in found["unknown"]
        assert found["spaces"][0]["slug"] == "amap"

    def test_of_a_new_environment_makes_all_of_it(self, proposal: Environment):
        project = proposal.root.parent.parent
        git(project, "rm", "-rq", "--cached", "inventories", "registry")
        git(project, "commit", "-qm", "without", "--allow-empty")
        git(project, "branch", "-f", "main")
        code, said = check(proposal, "-e", "base=main")
        assert code == 0, said
        assert changes(proposal)["nodes"][0]["makes"] == ["amap", "velo-ecole"]

    def test_is_not_looked_at_without_a_base(self, proposal: Environment):
        assert check(proposal)[0] == 0
        assert not (built(proposal) / "changes").exists()

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (("-e", "base=nowhere"), 'base="nowhere": no such commit; fetch it'),
            (("-e", "base=--help"), "allowed: a branch, a tag or a commit"),
            (("-e", "base=main", "--limit", "node1"), "takes no --limit. Leave it out."),
        ],
    )
    def test_with_bad_options_is_refused(
        self, proposal: Environment, options: tuple[str, ...], sentence: str
    ):
        code, said = check(proposal, *options)
        assert code == 2
        assert sentence in said

    def test_leaves_nothing_behind_but_what_it_says(
        self, proposal: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (tmp_path / "temporary").mkdir()
        monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
        before = proposal.tree()
        assert check(proposal, "-e", "base=main")[0] == 0
        assert proposal.tree() == before
        assert list((tmp_path / "temporary").glob("archipel-*")) == []
        assert {path.name for path in (built(proposal) / "changes").iterdir()} == {
            "changes.json",
            "changes.md",
        }
