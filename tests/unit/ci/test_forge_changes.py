# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The CI files for forges: each command that they name is run, on a clone as an operator has it.

What only a runner can do (`uses`, artifacts, rules) is not tried here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import typing as t
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from tests.unit.environment import ROOT

EXAMPLES = ROOT / "docs/examples/forge/changes"
FILES = {"gitlab": "gitlab-ci.yml", "github": "github.yml", "forgejo": "forgejo.yml"}
# What an operator's clone has of the project.
PARTS = (
    "plugins",
    "playbooks",
    "roles",
    "collections",
    "meta",
    "group_vars",
    "docs/examples/forge",
)
MARK = "<!-- archipel-changes demo -->"
USER = "archipel-bot"
TOKEN = "token-of-the-test"
GIT = ("git", "-c", "user.name=Nadia", "-c", "user.email=nadia@example.org")


def load(forge: str) -> dict[str, t.Any]:
    found: dict[str, t.Any] = yaml.safe_load((EXAMPLES / FILES[forge]).read_text(encoding="utf-8"))
    return found


class Script(t.NamedTuple):
    lines: str
    environment: dict[str, str]


def scripts(forge: str, job: str) -> list[Script]:
    """Return what a job runs, in order, each with the environment that it is given."""
    content = load(forge)
    if forge == "gitlab":
        return [Script("\n".join(content[job]["script"]), content[job]["variables"])]
    steps = content["jobs"][job]["steps"]
    return [Script(one["run"], one.get("env", {})) for one in steps if "run" in one]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A clone in which somebody proposes an association on a branch of their own."""
    folder = tmp_path / "project"
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, symlinks=True)
    for part in ("inventories", "registry"):
        shutil.copytree(ROOT / part / "demo", folder / part / "demo", symlinks=True)
    for name in ("ansible.cfg", "galaxy.yml", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    # As `make venv` leaves it; git ignores it.
    (folder / ".venv").symlink_to(sys.prefix)
    bare = tmp_path / "origin.git"
    for command in (
        ["git", "init", "-qb", "main", "."],
        ["git", "add", "-A"],
        [*GIT, "commit", "-qm", "a base"],
        ["git", "clone", "-q", "--bare", ".", str(bare)],
        ["git", "remote", "add", "origin", str(bare)],
        ["git", "fetch", "-q", "origin"],
        ["git", "checkout", "-qb", "proposal"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    text = "name: Chorale\nstatus: requested\ncontact: {email: bureau@chorale.example}\n"
    (folder / "registry/demo/spaces/chorale-des-halles.yml").write_text(text, encoding="utf-8")
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "-qm", "a proposal"], cwd=folder, check=True)
    return folder


def run(script: Script, folder: Path, **values: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a runner does: with bash, which ends at the first error."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "LANG": "C.UTF-8"}
    given = {**kept, **script.environment, "ARCHIPEL_ENVIRONMENT": "demo", **values}
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script.lines],
        cwd=folder,
        env=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("forge", FILES)
def test_the_check_says_what_is_proposed(forge: str, project: Path):
    script = scripts(forge, "check")[-1]
    summary = project.parent / "summary"
    values = {
        "gitlab": {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"},
        "github": {"TARGET": "origin/main", "GITHUB_STEP_SUMMARY": str(summary)},
        "forgejo": {"TARGET": "origin/main"},
    }[forge]
    done = run(script, project, **values)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (project / "build/demo/changes/changes.md").read_text(encoding="utf-8")
    assert "one space: chorale-des-halles, new, requested, 50/40" in text
    assert text.startswith(MARK)
    if forge == "github":
        assert summary.read_text(encoding="utf-8") == text


class Fake(HTTPServer):
    """A forge's comments, as its API gives and takes them."""

    def __init__(self, forge: str, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        super().__init__(address, Handler)
        self.forge = forge
        self.comments: list[dict[str, t.Any]] = []
        self.calls: list[tuple[str, str]] = []

    def comment(self, body: str, user: str) -> dict[str, t.Any]:
        author = {"author": {"username": user}, "user": {"login": user}}
        made = {"id": len(self.comments) + 7, "body": body, **author}
        self.comments.append(made)
        return made


class Handler(BaseHTTPRequestHandler):
    server: Fake

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: pytest shows what fails."""

    def answer(self, content: object, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def handle_one(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        server = self.server
        server.calls.append((self.command, address.path))
        headers = {
            "gitlab": ("PRIVATE-TOKEN", TOKEN),
            "github": ("Authorization", f"Bearer {TOKEN}"),
        }
        name, value = headers.get(server.forge, ("Authorization", f"token {TOKEN}"))
        if self.headers.get(name) != value:
            self.answer({"message": "no"}, 401)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "GET":
            query = urllib.parse.parse_qs(address.query)
            size, page = int(query["per_page"][0]), int(query["page"][0])
            whole = server.forge == "forgejo"
            self.answer(server.comments if whole else server.comments[(page - 1) * size :][:size])
        elif self.command == "POST":
            self.answer(server.comment(json.loads(body)["body"], USER), 201)
        else:
            number = int(address.path.rpartition("/")[2])
            (one,) = [one for one in server.comments if one["id"] == number]
            one["body"] = json.loads(body)["body"]
            self.answer(one)

    do_GET = do_POST = do_PUT = do_PATCH = handle_one  # noqa: N815


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Fake]:
    fake = Fake(request.param)
    thread = threading.Thread(target=fake.serve_forever, daemon=True)
    thread.start()
    yield fake
    fake.shutdown()
    fake.server_close()


each = pytest.mark.parametrize("server", FILES, indirect=True)
COMMENTS = {
    "gitlab": "/projects/associations%2Fregistry/merge_requests/12/notes",
    "github": "/repos/associations/registry/issues/12/comments",
    "forgejo": "/repos/associations/registry/issues/12/comments",
}


def place(fake: Fake) -> dict[str, str]:
    """Return what each forge's own variables are."""
    api, project = f"http://127.0.0.1:{fake.server_port}", "associations/registry"
    if fake.forge == "gitlab":
        return {
            "CI_API_V4_URL": api,
            "CI_PROJECT_ID": project,
            "CI_MERGE_REQUEST_IID": "12",
            "ARCHIPEL_FORGE_USER": USER,
            "ARCHIPEL_FORGE_TOKEN": TOKEN,
        }
    return {
        "FORGE": fake.forge,
        "FORGE_API": api,
        "FORGE_PROJECT": project,
        "FORGE_NUMBER": "12",
        "FORGE_USER": USER,
        "FORGE_TOKEN": TOKEN,
    }


def comment(fake: Fake, project: Path, body: str = f"{MARK}\n- one\n", **values: str) -> t.Any:
    """Run the job that comments, where a runner has put what the check left."""
    forge = fake.forge
    folder = project / ("build/demo/changes" if forge == "gitlab" else "changes")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "changes.md").write_text(body, encoding="utf-8")
    base = subprocess.run(
        ["git", "rev-parse", "origin/main"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.strip()
    (script,) = scripts(forge, "comment")
    # Where a test may write: two tests at a time run here.
    lines = script.lines.replace("/tmp/comment.py", str(project.parent / "comment.py"))
    given = {**place(fake), "CI_MERGE_REQUEST_DIFF_BASE_SHA": base, **values}
    return run(Script(lines, script.environment), project, **given)


@each
def test_the_comment_is_written_once_and_then_kept_up_to_date(server: Fake, project: Path):
    assert comment(server, project).returncode == 0
    (one,) = server.comments
    assert one["body"] == f"{MARK}\n- one\n"
    assert comment(server, project, f"{MARK}\n- two\n").returncode == 0
    assert [one["body"] for one in server.comments] == [f"{MARK}\n- two\n"]
    paths = {path for _, path in server.calls}
    assert COMMENTS[server.forge] in paths


@each
def test_nobody_elses_comment_is_touched(server: Fake, project: Path):
    """Neither one with our mark, nor one of ours about something else, nor page 2 forgotten."""
    server.comment(f"{MARK}\n- mine", "stranger")
    server.comment("<!-- archipel-changes other -->\n", USER)
    server.comment(f"said {MARK}", USER)
    server.comment("", USER)
    for number in range(120):
        server.comment(f"talk {number}", "nadia")
    before = [dict(one) for one in server.comments]
    assert comment(server, project).returncode == 0
    assert comment(server, project, f"{MARK}\n- two\n").returncode == 0
    assert server.comments[:-1] == before
    assert server.comments[-1]["body"] == f"{MARK}\n- two\n"


@each
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"FORGE_TOKEN": "wrong", "ARCHIPEL_FORGE_TOKEN": "wrong"}, "401 Unauthorized; may the"),
        ({"FORGE_NUMBER": "12/../13", "CI_MERGE_REQUEST_IID": "x"}, "allowed is the number of a"),
        ({"FORGE_API": "file:///etc", "CI_API_V4_URL": "file:///etc"}, "allowed is an address"),
        ({"FORGE_API": "http://127.0.0.1:1", "CI_API_V4_URL": "http://127.0.0.1:1"}, "refused"),
        ({"FORGE_USER": "", "ARCHIPEL_FORGE_USER": ""}, "not set: FORGE_USER; see the beginning"),
    ],
)
def test_what_fails_is_said(server: Fake, project: Path, values: dict[str, str], sentence: str):
    done = comment(server, project, **values)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert server.comments == []
    assert TOKEN not in done.stderr


def test_a_check_that_left_nothing_is_said(tmp_path: Path):
    program = [sys.executable, str(EXAMPLES / "comment.py"), str(tmp_path / "no.md")]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert "No such file or directory; did check.yml run with -e base=…?" in done.stderr


def runs(forge: str) -> list[str]:
    content = load(forge)
    jobs = content if forge == "gitlab" else content["jobs"]
    return [one.lines for job in ("check", "comment") if job in jobs for one in scripts(forge, job)]


@pytest.mark.parametrize("forge", FILES)
def test_nothing_that_strangers_wrote_becomes_a_command(forge: str):
    """Forges put `${{ … }}` into a script as text: names of branches could be commands."""
    for lines in runs(forge):
        assert "${{" not in lines
        # Every variable is quoted.
        assert re.findall(r'(?<!["\w=/:-])\$\w+', lines.replace('"$', '"')) == []


@pytest.mark.parametrize("forge", FILES)
def test_the_check_is_given_no_secret(forge: str):
    text = json.dumps(load(forge)["check"] if forge == "gitlab" else load(forge)["jobs"]["check"])
    assert "secrets" not in text
    assert "TOKEN" not in text
    assert "token" not in text.lower()


@pytest.mark.parametrize("forge", ["github", "forgejo"])
def test_the_comment_runs_nothing_that_is_proposed(forge: str):
    checkout = load(forge)["jobs"]["comment"]["steps"][0]
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
