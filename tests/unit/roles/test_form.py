# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The form, as the role writes it: whole in both languages, and of use without a script."""

from __future__ import annotations

import re
import typing as t
from html.parser import HTMLParser

import jinja2
import pytest
import yaml

from tests.unit.environment import ROOT

ROLE = ROOT / "roles/intake"
HOSTILE = '<script>x</script>"'
VARIABLES = {
    "ansible_managed": "managed",
    "intake_operator": {"name": HOSTILE, "url": "https://r.example", "email": "aide@r.example"},
    "intake_limits": {"accounts": 50, "storage_gb": 40},
    "intake_charter_url": "https://r.example/charter",
    "intake_base_domain": "spaces.example.org",
    "intake_refused_days": 365,
    "intake_offices": {"collabora": "Collabora Online", "onlyoffice": "ONLYOFFICE"},
}


def render(language: str, **changes: t.Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"), undefined=jinja2.StrictUndefined
    )
    environment.filters["comment"] = lambda text, _style: f"<!-- {text} -->"
    template = environment.get_template(f"srv/www/{language}.html.j2")
    return template.render({**VARIABLES, **changes})


class Page(HTMLParser):
    """What a browser without scripts makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data

    def find(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


PAGES = [pytest.param(language, id=language) for language in ("fr", "en")]


@pytest.mark.parametrize("language", PAGES)
class TestTheForm:
    def test_sends_what_the_receiver_takes(self, language: str, load: t.Callable[[str], t.Any]):
        program = load("roles/intake/files/receiver.py")
        page = Page(render(language))
        fields = page.find("input", "textarea", "select")
        names = {one["name"]: one for one in fields}
        assert set(names) == {*program.FIELDS, program.TRAP, "task", "answer"}
        assert {name for name, one in names.items() if "required" in one} == set(program.NEEDED)
        assert names["language"]["value"] == language
        for name, one in names.items():
            if "maxlength" in one:
                assert int(one["maxlength"]) == program.FIELDS[name]
        (form,) = page.find("form")
        assert (form["method"], form["action"]) == ("post", "/request")

    def test_calls_fields_as_the_receiver_does(self, language: str, load: t.Callable[[str], t.Any]):
        program = load("roles/intake/files/receiver.py")
        page = Page(render(language))
        for key, label in program.LABELS[language].items():
            if key not in {"language", "charter"}:
                assert label in page.words

    def test_names_every_field_for_who_does_not_see_it(self, language: str):
        page = Page(render(language))
        labels = {one["for"] for one in page.find("label")}
        ids = {attributes["id"] for _tag, attributes in page.elements if "id" in attributes}
        for one in page.find("input", "textarea", "select"):
            assert one.get("type") == "hidden" or one["id"] in labels
            assert set(one.get("aria-describedby", "").split()) <= ids
        assert len(ids) == len([a for _tag, a in page.elements if "id" in a])

    def test_has_one_outline_and_says_its_language(self, language: str):
        page = Page(render(language))
        assert page.find("html") == [{"lang": language}]
        assert len(page.find("h1")) == len(page.find("main")) == 1
        other = "en" if language == "fr" else "fr"
        assert {"href": f"/{other}/", "hreflang": other, "lang": other} in page.find("a")

    def test_loads_nothing_from_elsewhere(self, language: str):
        page = Page(render(language))
        assert [one["src"] for one in page.find("script")] == ["/form.js"]
        loaded = [one for one in page.find("link") if one["rel"] == "stylesheet"]
        assert [one["href"] for one in loaded] == ["/form.css"]
        assert page.find("img", "iframe", "style") == []
        assert not any(key.startswith("on") for _tag, one in page.elements for key in one)

    def test_says_what_there_is_and_what_not(self, language: str):
        words = Page(render(language)).words
        for said in ("50", "40", "spaces.example.org", "aide@r.example", HOSTILE):
            assert said in words

    def test_promises_no_erasure_that_there_is_not(self, language: str):
        assert "365" in Page(render(language)).words
        words = Page(render(language, intake_refused_days=0)).words
        assert "effacée" not in words
        assert "erased" not in words

    def test_asks_for_a_suite_where_there_are_several(self, language: str):
        assert 'id="office"' in render(language)
        assert 'id="office"' not in render(language, intake_offices={"collabora": "Collabora"})


def test_french_is_typeset_as_french():
    wrong = re.compile(r"\w'\w| [:;?!»%](?!\w)|« ")
    page = Page(render("fr"))
    values = [value for _tag, one in page.elements for value in one.values()]
    assert wrong.findall(page.words.replace(HOSTILE, "")) == []
    assert [value for value in values if wrong.search(value)] == []


def test_french_of_the_receiver_is_typeset_as_french(load: t.Callable[[str], t.Any]):
    program = load("roles/intake/files/receiver.py")
    wrong = re.compile(r"\w'\w| [:;?!»%](?!\w)|« ")
    french = [*program.TEXTS["fr"].values(), *program.LABELS["fr"].values()]
    assert [text for text in french if wrong.search(text)] == []
    assert program.TEXTS["fr"].keys() == program.TEXTS["en"].keys()
    assert program.LABELS["fr"].keys() == program.LABELS["en"].keys()


def test_the_unit_may_do_nothing_but_receive():
    unit = (ROLE / "templates/etc/systemd/system/archipel-intake.service.j2").read_text()
    for line in (
        "User=archipel-intake",
        "PrivateNetwork=yes",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=\n",
        "RestrictAddressFamilies=AF_UNIX",
    ):
        assert line in unit


def test_what_nginx_lets_in_is_what_the_receiver_takes(load: t.Callable[[str], t.Any]):
    program = load("roles/intake/files/receiver.py")
    front = (ROLE / "templates/etc/nginx/conf.d/archipel-intake.conf.j2").read_text()
    assert f"client_max_body_size {program.LARGEST // 1024}k;" in front
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    socket = (ROLE / "templates/etc/systemd/system/archipel-intake.socket.j2").read_text()
    assert "ListenStream={{ __intake_socket }}" in socket
    assert variables["__intake_socket"].startswith("/run/")
