# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Domains change hands, are taken out, move to another node; and who reads their keys."""

from __future__ import annotations

import json

from tests.support.acme import Authority, Certificates
from tests.support.registry import Registry
from tests.support.sandbox import Programs
from tools.lab.host import until

OWN = "cloud.velo-ecole.example"
MOVED, GONE, AWAY = (f"d{number}.velo-ecole.example" for number in (0, 1, 2))
LEFT = [f"d{number}.velo-ecole.example" for number in range(4, 10)]
READ = """
found = {}
for path in paths:
    found[path] = attempt(open, path)
print(json.dumps(found))
"""


def test_a_domain_moves_to_another_space_in_one_run(
    authority: Authority, first: Certificates, registry: Registry
):
    """Nothing is ordered for it: whoever answers for it on this node, its certificate is there."""
    before = authority.shown(MOVED, first.address)
    registry.give("velo-ecole", OWN, GONE, AWAY, *LEFT)
    registry.give("repair-cafe-brest", MOVED)
    assert registry.converge() != []
    first.settle()
    assert authority.shown(MOVED, first.address) == before
    said = authority.run(f"curl -sk --resolve {MOVED}:443:{first.address} https://{MOVED}/login")
    assert "Repair Café de Brest" in said
    assert registry.converge() == []


def test_a_domain_moves_to_a_space_of_another_node(
    authority: Authority, first: Certificates, second: Certificates, registry: Registry
):
    registry.give("velo-ecole", OWN, GONE, *LEFT)
    registry.give("amap-du-val", AWAY)
    assert registry.converge() != []
    until(300, "a pass to know the name", lambda: AWAY in second.report())
    second.settle()
    # Its DNS leads to the former node still: that one has it no more, and this one says what to do.
    assert f"{AWAY} does not lead to this platform" in second.problem(AWAY)
    until(300, "a pass to know that it left", lambda: AWAY not in first.report())
    assert authority.shown(AWAY, first.address)["serial"] == ""
    authority.lead(AWAY, second.address)
    second.forget()
    assert second.run() == "success"
    assert authority.shown(AWAY, second.address)["trusted"]


def test_a_domain_that_was_taken_out_is_retired(
    authority: Authority, first: Certificates, registry: Registry
):
    registry.give("velo-ecole", OWN, *LEFT)
    assert registry.converge() != []
    until(300, "a pass to know that it left", lambda: GONE not in first.report())
    first.settle()
    assert authority.shown(GONE, first.address)["serial"] == ""
    assert f'{{name="{GONE}"}}' not in "".join(first.metrics())
    # Its key stays for a month: an authority counts what it signs.
    folder = first.folder(GONE)
    assert first.host.file(f"{folder}/privkey.pem").exists
    first.host.check_output(
        "python3 -c %s %s %s",
        "import json, sys; path, name = sys.argv[1:]; state = json.load(open(path)); "
        "state['gone'][name] -= 31 * 86400; json.dump(state, open(path, 'w'))",
        f"{first.STORE}/state.json",
        GONE,
    )
    assert first.run() == "success"
    assert not first.host.file(folder).exists
    assert first.host.run("ls -d /etc/archipel/names/.versions/%s*", GONE).rc != 0


def test_no_space_reads_a_key(first: Certificates, programs: Programs):
    keys = [f"{first.folder(name)}/privkey.pem" for name in ("wildcard", OWN)]
    # An account of the authority can revoke, and the secret of the DNS be anybody.
    others = ["/etc/archipel/certificates.env", f"{first.STORE}/state.json"]
    paths = [*keys, *others, f"{first.STORE}/accounts"]
    assert set(programs.outside("velo-ecole", READ, paths=paths).values()) == {"EACCES"}
    assert set(programs.inside("velo-ecole", READ, paths=paths).values()) <= {"EACCES", "ENOENT"}
    for key in keys:
        file = first.host.file(key)
        assert (file.user, file.mode) == ("root", 0o640)
    assert json.loads(first.host.check_output("cat /etc/archipel/certificates.json"))["group"]
