# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every locale that a file may name works, from the check to the files of a node."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _locales
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import (
    _render_common,
    _render_config,
    _render_files,
    _render_nextcloud,
)
from tests.render.samples import SETTINGS, space
from tests.unit.environment import ROOT, Environment

LOCALES = sorted(_locales.list_locales())
LANGUAGES = sorted({_locales.find_language(locale) for locale in LOCALES})
# What the map of the spaces takes apart, as it stands in nginx's configuration.
CONFIGURATION = (
    ROOT / "roles/spaces/templates/etc/nginx/conf.d/archipel-spaces.conf.j2"
).read_text()


def map_of(variable: str) -> list[tuple[str, str]]:
    """The expressions of one of nginx's maps, and what each gives."""
    body = CONFIGURATION.split(f" ${variable} {{")[1].split("\n}")[0]
    return re.findall(r'"~([^"]+)" (\S+);', body)


def test_there_are_as_many_as_nextcloud_has():
    assert len(LANGUAGES) >= 58
    assert {"fr", "en", "en_GB", "pt_BR", "zh_CN", "oc"} <= set(LANGUAGES)
    assert {"fr_CA", "fr_RE", "de_AT", "es_419", "sr_Cyrl_RS"} <= set(LOCALES)


def test_each_is_accepted():
    for locale in LOCALES:
        assert _locales.check_locale(locale) == ""
        assert _locales.find_language(_locales.find_language(locale)) == _locales.find_language(
            locale
        )
        assert _locales.find_formats(_locales.find_formats(locale)) == _locales.find_formats(locale)


@pytest.mark.parametrize("status", ["approved", "suspended", "closed"])
def test_each_is_understood_by_the_map_of_nginx(status: str):
    template = _render_files.load_templates(_render_files.find_templates(ROOT)).get_template(
        "vhost.conf.j2"
    )
    for locale in LOCALES:
        space = {"slug": "velo", "status": status, "locale": locale, "redirect": True}
        space["domains"] = ["a.example", "b.example"]
        values = {"space": space, "managed": _render_common.MANAGED, "own_address": "127.112.0.3"}
        *_, line = template.render(values).splitlines()
        entry = line.removesuffix(";").partition(" ")[2]
        for variable, group, value in (
            ("archipel_space", "archipel_slug", "velo"),
            ("archipel_status", "archipel_word", status),
        ):
            ((expression, _result),) = map_of(variable)
            # nginx writes a named group as PCRE does.
            found = re.match(expression.replace("?<", "?P<"), entry)
            assert found is not None, locale
            assert found[group] == value


def test_no_language_gets_past_what_nginx_takes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_locales, "find_language", lambda locale: locale)
    for wrong in ("es_419", "sr@latin", "fr;", "", "fr\n"):
        with pytest.raises(ValueError, match="no language that nginx's map takes"):
            _render_files.check_language(wrong)


def test_an_environment_with_all_of_them_is_right(environment: Environment):
    for number, locale in enumerate(LOCALES):
        environment.space(f"space-{number}", locale=locale)
    assert environment.problems() == []


@pytest.mark.parametrize(
    ("locale", "language", "formats"),
    [
        ("fr", "fr", "fr"),
        ("fr_CA", "fr", "fr_CA"),
        ("pt_BR", "pt_BR", "pt_BR"),
        ("pt_AO", "pt_PT", "pt_AO"),
        ("en_GB", "en_GB", "en_GB"),
        ("en_US", "en", "en_US"),
        ("es_419", "es", "es_419"),
        ("es_MX", "es_MX", "es_MX"),
        ("et", "et_EE", "et"),
        ("zh_CN", "zh_CN", "zh_Hans_CN"),
        ("zh_Hant_MO", "zh_HK", "zh_Hant_MO"),
        ("oc", "oc", "fr_FR"),
    ],
)
def test_languages_and_formats_are_two_things(locale: str, language: str, formats: str):
    one = space(locale=locale)
    config = _render_config.configure_people(one, SETTINGS)
    assert (config["default_language"], config["default_locale"]) == (language, formats)
    account = _render_nextcloud.describe_administrator(one, SETTINGS)
    assert (account["language"], account["locale"]) == (language, formats)


@pytest.mark.parametrize(
    ("locale", "region"),
    [
        ("pt_BR", "BR"),
        ("fr_CA", "CA"),
        ("fr_RE", "RE"),
        ("en_GB", "GB"),
        ("es_IC", "ES"),
        ("sr_Cyrl_RS", "RS"),
        ("zh_CN", "CN"),
        ("oc", "FR"),
        # A part of the world is no country.
        ("es_419", ""),
        ("en_150", ""),
        # What is spoken where the platform is at home.
        ("fr", "BE"),
        # The language of one country, and of many.
        ("de", "DE"),
        ("pl", "PL"),
        ("en", "BE"),
        ("ar", "BE"),
    ],
)
def test_telephone_numbers_are_those_of_the_country(locale: str, region: str):
    assert _locales.find_phone_region(locale, "fr", "BE") == region


def test_the_country_reaches_the_space(environment: Environment):
    environment.policy(archipel_default_phone_region="BE")
    for slug, locale in (("amap", "pt_BR"), ("cine", "de"), ("velo-ecole", None)):
        environment.space(slug, locale=locale)
    entries = environment.load().hosts["node1"].vars["archipel_spaces"]
    assert [entry["phone_region"] for entry in entries] == ["BR", "DE", "BE"]
    configured: dict[str, t.Any] = yaml.safe_load(
        Path(ROOT / "group_vars/all/spaces.yml").read_text()
    )["spaces_nextcloud_config"]
    assert "default_phone_region" not in configured


def test_each_country_is_one():
    regions = {_locales.find_phone_region(locale, "eo", "") for locale in LOCALES}
    assert all(re.fullmatch(r"[A-Z]{2}|", region) for region in regions)


def test_time_zones_are_places_and_utc():
    zones = _locales.list_timezones()
    assert {"UTC", "Europe/Paris", "Indian/Reunion", "America/Argentina/Ushuaia"} <= zones
    areas = {name.partition("/")[0] for name in zones}
    assert areas == {
        *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia"),
        *("Europe", "Indian", "Pacific", "UTC"),
    }
