# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the collection knows of languages, countries and time zones is what real releases have.

Run like the other files here, on a scenario with a real release.
"""

from __future__ import annotations

import json

from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import _locales
from tests.support.scenario import Scenario

RELEASES = "/srv/nextcloud/releases"
SLUG = "amap-du-val"


def trees(scenario: Scenario) -> list[str]:
    """The releases of the machine."""
    beside = scenario.node.file(RELEASES).listdir()
    found = [name.removesuffix(".json") for name in beside if name.endswith(".json")]
    assert found
    return [f"{RELEASES}/{name}" for name in found]


def test_every_release_has_every_language_and_locale(scenario: Scenario):
    for tree in trees(scenario):
        files = scenario.node.file(f"{tree}/core/l10n").listdir()
        translated = {name.removesuffix(".json") for name in files} | {"en"}
        known = json.loads(scenario.node.file(f"{tree}/resources/locales.json").content_string)
        written = {one["code"] for one in known}
        for locale in _locales.list_locales():
            assert _locales.find_language(locale) in translated, (tree, locale)
            assert _locales.find_formats(locale) in written, (tree, locale)


def test_every_country_has_telephone_numbers(scenario: Scenario):
    regions = {
        _locales.find_phone_region(locale, "eo", "") for locale in _locales.list_locales()
    } - {""}
    program = (
        "require $argv[1] . '/3rdparty/autoload.php'; "
        "$numbers = libphonenumber\\PhoneNumberUtil::getInstance(); "
        "foreach (explode(',', $argv[2]) as $region) "
        "{ if (!$numbers->getCountryCodeForRegion($region)) { echo $region, ' '; } }"
    )
    for tree in trees(scenario):
        line = f"php -r %s {tree} {','.join(sorted(regions))}"
        assert scenario.node.check_output(line, program) == ""


def test_php_knows_every_time_zone(scenario: Scenario):
    program = "echo json_encode(timezone_identifiers_list(DateTimeZone::ALL_WITH_BC));"
    known = set(json.loads(scenario.node.check_output("php -r %s", program)))
    assert _locales.list_timezones() <= known


def test_a_space_in_another_language_says_so(scenario: Scenario):
    """From the file to the page: a language of two parts, and its country's telephone numbers."""
    path = scenario.registry(SLUG)
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}locale: pt_BR\n", encoding="utf-8")
    try:
        scenario.converge("spaces")
        answer = scenario.browser.request(
            "GET", scenario.spaces[SLUG]["domains"][0], "/login", headers={"Accept-Language": ""}
        )
        assert answer.status == 200
        assert 'lang="pt-BR"' in answer.text or 'lang="pt_BR"' in answer.text
        for key, value in (
            ("default_language", "pt_BR"),
            ("default_locale", "pt_BR"),
            ("default_phone_region", "BR"),
        ):
            assert scenario.occ(SLUG, f"config:system:get {key}").strip() == value
    finally:
        path.write_text(before, encoding="utf-8")
        scenario.converge("spaces")
