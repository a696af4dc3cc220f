# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Names of a machine that two spaces ask for, and domains that move: nginx always starts again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
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
def skipping(scenario: Scenario, as_it_was: None) -> Iterator[None]:
    """An environment that leaves spaces with errors alone."""
    path = scenario.environment / "spaces.yml"
    kept = path.read_text(encoding="utf-8")
    text = {**yaml.safe_load(kept), "on_invalid": "skip"}
    path.write_text(json.dumps(text), encoding="utf-8")
    yield as_it_was
    path.write_text(kept, encoding="utf-8")


@pytest.fixture
def answers(scenario: Scenario, node: Host) -> Callable[[], str]:
    """Whose login page the domain shows, to a browser that checks its certificate."""
    names = {space["name"]: slug for slug, space in scenario.spaces.items()}

    def ask() -> str:
        # The authority's file changes with the own domains.
        chain = node.file("/etc/archipel/tls/domains/chain.pem").content_string
        browser = Browser(port=scenario.machine.port(443), authority=chain)
        shown = title(browser.get(DOMAIN, "/index.php/login").text)
        return next((slug for name, slug in names.items() if name in shown), shown)

    return ask


def own_domains(node: Host) -> set[str]:
    """Return the names of the server of own domains."""
    text = node.file("/etc/nginx/conf.d/archipel-domains.conf").content_string
    return set(text.partition("server_name ")[2].partition(";")[0].split())


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
    assert f"{WANTS}: {DOMAIN} is answered by {HAS}, which is on this node and in no" in said
    node.check_output("nginx -t -q")
    assert DOMAIN not in node.file(f"{FOLDER}/{WANTS}.conf").content_string
    assert "cloud.amap.example" in node.file(f"{FOLDER}/amap-du-val.conf").content_string
    assert answers() == HAS
    # In TLS too: its name is in the registry for somebody else, or for nobody.
    assert own_domains(node) >= {DOMAIN, "cloud.amap.example"}
    node.check_output("systemctl restart nginx.service")
    assert answers() == HAS


def missing(path: Path) -> None:
    path.unlink()


def wrong(path: Path) -> None:
    path.write_text("name: [", encoding="utf-8")


@pytest.mark.usefixtures("skipping")
@pytest.mark.parametrize("fault", [missing, wrong])
def test_a_space_that_the_registry_does_not_know_keeps_its_domain(
    scenario: Scenario, node: Host, answers: Callable[[], str], fault: Callable[[Path], None]
):
    """Without a file, or skipped for its errors: nginx answers for it after a restart too."""
    fault(scenario.registry(HAS))
    scenario.converge("spaces.yml")
    assert DOMAIN in own_domains(node)
    node.check_output("nginx -t -q")
    node.check_output("systemctl restart nginx.service")
    assert answers() == HAS


@pytest.mark.usefixtures("skipping")
def test_a_skipped_space_keeps_its_domain_from_others(
    scenario: Scenario, node: Host, wants: Association, answers: Callable[[], str]
):
    wrong(scenario.registry(HAS))
    wants.write(**domains(DOMAIN))
    said = scenario.refusal("spaces.yml")
    assert f"{WANTS}: {DOMAIN} is answered by {HAS}, whose file has errors" in said
    assert DOMAIN not in node.file(f"{FOLDER}/{WANTS}.conf").content_string
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
    repair = "cloud.repair.example"
    wants.write(**domains(repair), canonical=repair, redirect=True)
    scenario.converge("spaces.yml", "-e", f"only={WANTS}")
    wants.write(**domains(DOMAIN), canonical=DOMAIN)
    Association(scenario, HAS, ("", "")).write(**domains(repair))
    scenario.converge("spaces.yml", "-e", f"only={WANTS},{HAS}")
    assert answers() == WANTS
    # Nobody is led to a name that is another's by now, and the new owner's people are led here.
    assert f">{DOMAIN};" in node.file(f"{FOLDER}/{WANTS}.conf").content_string
    theirs = node.file(f"{FOLDER}/{HAS}.conf").content_string
    assert f"\n{repair} " in theirs
    assert ">" not in theirs


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
