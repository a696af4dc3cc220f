# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Names of a machine that two spaces ask for, and domains that move: nginx always starts again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from testinfra.host import Host

from tests.support.association import Association
from tests.support.browser import Browser
from tests.support.scenario import Scenario, title

HAS, WANTS = "velo-ecole", "repair-cafe-brest"
DOMAIN = "cloud.velo-ecole.example"
FOLDER = "/etc/nginx/archipel"
FILES = "archipel.spaces.spaces : files | Ensure "


@pytest.fixture
def wants(scenario: Scenario) -> Association:
    return Association(scenario, WANTS, ("", ""))


@pytest.fixture(autouse=True)
def as_it_was(scenario: Scenario, node: Host) -> Iterator[None]:
    """The registry, and the machine, as they were; whatever happened nginx starts again."""
    folder = scenario.registry(HAS).parent
    kept = {path: path.read_bytes() for path in folder.glob("*.yml")}
    yield
    node.check_output("nginx -t -q")
    node.check_output("systemctl restart nginx.service")
    for path in set(folder.glob("*.yml")) - kept.keys():
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    scenario.converge("spaces.yml")
    assert scenario.converge("spaces.yml") == []


@pytest.fixture
def answers(scenario: Scenario, browser: Browser) -> Callable[[], str]:
    """Whose login page the domain shows."""
    names = {space["name"]: slug for slug, space in scenario.spaces.items()}
    host = scenario.spaces[HAS]["domains"][0]

    def ask() -> str:
        shown = title(browser.get(host, "/index.php/login", Host=DOMAIN).text)
        return next((slug for name, slug in names.items() if name in shown), shown)

    return ask


def domains(*names: str) -> dict[str, list[str]]:
    return {"domains": list(names)}


def test_the_name_of_a_space_without_a_file_is_not_given_away(
    scenario: Scenario, node: Host, wants: Association, answers: Callable[[], str]
):
    """Nobody knows yet whether its file was deleted by mistake. The others converge."""
    scenario.registry(HAS).unlink()
    wants.write(**domains(DOMAIN))
    Association(scenario, "amap-du-val", ("", "")).write(**domains("cloud.amap.example"))
    said = scenario.refusal("spaces.yml")
    assert f"{WANTS}: {DOMAIN} is answered by {HAS}, which is on this machine and in no" in said
    node.check_output("nginx -t -q")
    assert DOMAIN not in node.file(f"{FOLDER}/{WANTS}.conf").content_string
    assert "cloud.amap.example" in node.file(f"{FOLDER}/amap-du-val.conf").content_string
    assert answers() == HAS
    # In TLS too: its name is no longer in the registry.
    assert DOMAIN in node.file(f"{FOLDER}/names.inc").content_string
    node.check_output("systemctl restart nginx.service")
    assert answers() == HAS


@pytest.mark.parametrize("first", [WANTS, HAS])
def test_a_domain_moves_in_one_run_whichever_space_is_named(
    scenario: Scenario, node: Host, wants: Association, answers: Callable[[], str], first: str
):
    Association(scenario, HAS, ("", "")).write(domains=None)
    wants.write(**domains(DOMAIN))
    scenario.converge("spaces.yml", "-e", f"only={first}")
    node.check_output("nginx -t -q")
    if first == HAS:
        scenario.converge("spaces.yml", "-e", f"only={WANTS}")
    assert answers() == WANTS
    assert DOMAIN not in node.file(f"{FOLDER}/{HAS}.conf").content_string


def test_two_spaces_exchange_a_domain(
    scenario: Scenario, node: Host, wants: Association, answers: Callable[[], str]
):
    wants.write(**domains("cloud.repair.example"))
    scenario.converge("spaces.yml", "-e", f"only={WANTS}")
    wants.write(**domains(DOMAIN))
    Association(scenario, HAS, ("", "")).write(**domains("cloud.repair.example"))
    scenario.converge("spaces.yml", "-e", f"only={WANTS},{HAS}")
    assert answers() == WANTS
    assert "cloud.repair.example" in node.file(f"{FOLDER}/{HAS}.conf").content_string


def test_what_nginx_would_refuse_is_not_put_in_place(scenario: Scenario, node: Host):
    """Of whatever kind it is, and whoever writes it."""
    path = "/etc/nginx/conf.d/zz-test.conf"
    file = {"dest": path, "content": "nonsense here;\n"}
    said = scenario.module("archipel.spaces.templates", files=[file])
    assert said["failed"]
    assert "nginx would refuse" in said["msg"]
    assert "unknown directive" in said["msg"]
    assert not node.file(path).exists
    assert node.run("ls -A /etc/archipel | grep nginx").stdout == ""
