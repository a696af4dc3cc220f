# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Nothing that was acknowledged is lost: the receiver is killed, its disk is full, the run dies."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from testinfra.host import Host

from tests.support.form import REQUESTS, SOCKET, UNIT, Answer, Form, address, body
from tests.support.scenario import Scenario


def post(number: int, **changes: str) -> dict[str, t.Any]:
    """Return a form of a stranger of its own."""
    fields = {
        "name": f"Association {number}",
        "contact_email": f"n{number}@lost.example",
        "language": "en",
        "charter": "yes",
        **changes,
    }
    return {"body": body(fields), "from": address(5000 + number)}


def emails(form: Form) -> set[str]:
    return {str(one["contact_email"]) for one in form.kept().values()}


def thanked(answers: list[Answer], first: int) -> set[str]:
    """Return who was told that the request was received."""
    return {
        f"n{number}@lost.example"
        for number, answer in enumerate(answers, start=first)
        if answer.thanked
    }


@pytest.fixture(scope="module", autouse=True)
def clean(form: Form) -> t.Iterator[None]:
    form.clear()
    yield
    form.clear()


def test_killed_again_and_again(form: Form, node: Host):
    """SIGKILL while forms come; systemd starts it with the next one."""
    answers: list[Answer] = []

    def send() -> None:
        answers.extend(form.send(*(post(number) for number in range(45)), workers=3))

    sender = threading.Thread(target=send)
    sender.start()
    kills = 0
    while sender.is_alive():
        kills += node.run("systemctl kill --signal=KILL %s", UNIT).succeeded
        time.sleep(1.5)
    sender.join()
    assert kills > 3
    acknowledged = thanked(answers, 0)
    assert acknowledged <= emails(form)
    assert len(acknowledged) > 5
    # Who was not thanked was told so, or to confirm: no answer is half of one.
    assert {answer.status for answer in answers} <= {200, 429, 502, 504}
    names = node.check_output(f"ls -A {REQUESTS}").split()
    assert all(len(name) == 37 and name.endswith(".json") for name in names if name[0] != ".")
    time.sleep(6)
    (answer,) = form.send(post(99))
    assert answer.thanked
    # What it was writing when it died is gone with its next start.
    assert not [n for n in node.check_output(f"ls -A {REQUESTS}").split() if n.startswith(".")]
    assert node.check_output("systemctl is-active %s", SOCKET) == "active"


def test_a_full_disk(form: Form, node: Host):
    """What does not fit is not acknowledged; what was acknowledged is whole; room helps at once."""
    form.clear()
    node.check_output("systemctl stop %s", UNIT)
    owner = node.check_output("stat --format=uid=%%u,gid=%%g %s", REQUESTS)
    node.check_output(f"mount -t tmpfs -o size=48k,mode=0750,{owner} tmpfs {REQUESTS}")
    try:
        posts = [post(100 + n, about="x" * 1900) for n in range(20)]
        answers = form.send(*posts, pause=0.2)
        assert {answer.status for answer in answers} == {200, 507}
        assert "yours was not kept" in answers[-1].page
        acknowledged = thanked(answers, 100)
        assert 2 < len(acknowledged) < 20
        assert emails(form) == acknowledged
        assert not [n for n in node.check_output(f"ls -A {REQUESTS}").split() if n.startswith(".")]
        assert "No space left on device" in node.check_output(
            "journalctl --unit=%s --since=-2min --no-pager", UNIT
        )
        node.check_output(f"mount -o remount,size=1m {REQUESTS}")
        (answer,) = form.send(post(150))
        assert answer.thanked
    finally:
        node.check_output("systemctl stop %s", UNIT)
        node.check_output(f"umount {REQUESTS}")
    (answer,) = form.send(post(151))
    assert answer.thanked


def test_a_reboot_in_between_loses_nothing(form: Form, node: Host):
    """The page of before the stop is asked to confirm, and the files are there."""
    form.clear()
    (first,) = form.send(post(200))
    node.check_output("systemctl stop %s %s", UNIT, SOCKET)
    (nobody,) = form.send(post(201))
    assert nobody.status in {502, 503}
    node.check_output("systemctl start %s", SOCKET)
    (second,) = form.send(post(202))
    assert (first.thanked, second.thanked) == (True, True)
    assert emails(form) == {"n200@lost.example", "n202@lost.example"}


def test_more_than_may_wait(scenario: Scenario, form: Form, node: Host):
    form.clear()
    scenario.converge("platform.yml", "--tags=intake", "-e", "intake_requests_most=2")
    try:
        answers = form.send(*(post(300 + n) for n in range(4)))
        assert [answer.status for answer in answers] == [200, 200, 507, 507]
        assert len(form.kept()) == 2
    finally:
        scenario.converge("platform.yml", "--tags=intake")
    (answer,) = form.send(post(310))
    assert answer.thanked


def test_what_a_run_has_not_taken_in_stays_on_the_machine(
    scenario: Scenario, form: Form, node: Host
):
    """The registry cannot be written: the run fails, and both copies are there for the next one."""
    waiting = form.kept()
    assert waiting
    spaces = scenario.registry_folder / "spaces"
    kept = scenario.registry_folder / "spaces.kept"
    spaces.rename(kept)
    spaces.write_text("no folder")
    try:
        scenario.refusal("intake.yml")
    finally:
        spaces.unlink()
        kept.rename(spaces)
    assert form.kept() == waiting
    # A check shows what would come of them, and takes nothing.
    shown = scenario.attempt("intake.yml", "--check")
    assert len(shown["Ensure submissions are in the registry"]["spaces"]) == len(waiting)
    assert form.kept() == waiting
    scenario.converge("intake.yml", "-e", f"discard={','.join(waiting)}")
    assert form.kept() == {}
    assert list(form.inbox.iterdir()) == []
    assert [path.stem for path in spaces.iterdir()] == ["velo-ecole"]
