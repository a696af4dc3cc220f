# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Background jobs of hundreds of spaces begin one after the other, and late ones are counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.support.layout import Units
from tests.support.scenario import Scenario

SLUG = "velo-ecole"
TIMER = "/etc/systemd/system/space-cron@.timer"
# Timers of the same kind, which begin nothing: those of spaces that are not there would fail.
COPY, PLACE = "spread-test@", "/run/systemd/system"
NUMBER, INTERVAL = 300, 900
TABLE = f"`space_{SLUG}`.oc_appconfig"
WHERE = "WHERE appid = 'core' AND configkey = 'lastcron'"
METRICS = "/var/lib/prometheus/node-exporter/archipel_jobs.prom"


@pytest.fixture
def copies(node: Host) -> Iterator[str]:
    """A copy of the timer's template, and names of many of its timers for a shell."""
    names = " ".join(f"{COPY}asso-{number}.timer" for number in range(NUMBER))
    node.check_output(f"cp {TIMER} {PLACE}/{COPY}.timer")
    service = "[Service]\\nType=oneshot\\nExecStart=/bin/true\\n"
    node.check_output(f"printf '{service}' > {PLACE}/{COPY}.service && systemctl daemon-reload")
    yield names
    node.check_output(f"systemctl stop {names}; rm {PLACE}/{COPY}.*; systemctl daemon-reload")


def next_times(node: Host, names: str) -> dict[str, int]:
    """Start timers anew, as a boot does; return when each will elapse, in seconds since 1970."""
    node.check_output(f"systemctl restart {names}")
    shown = node.check_output(f"systemctl list-timers --output=json '{COPY}*'")
    return {one["unit"]: one["next"] // 1_000_000 for one in json.loads(shown)}


def test_hundreds_of_spaces_are_spread_over_the_interval_also_after_a_boot(node: Host, copies: str):
    before = int(node.check_output("date +%s"))
    times = next_times(node, copies)
    assert len(times) == NUMBER
    # Nothing is made up for, and all of them have begun within two intervals.
    assert before <= min(times.values()) and max(times.values()) <= before + 2 * INTERVAL + 60
    offsets = {name: moment % INTERVAL for name, moment in times.items()}
    # Twenty a minute on average; by chance never none, and hardly ever twice as many.
    minutes = Counter(offset // 60 for offset in offsets.values())
    assert set(minutes) == set(range(INTERVAL // 60))
    assert max(minutes.values()) <= 2 * NUMBER * 60 / INTERVAL, minutes
    # The same place each time: a boot, or a run that starts timers, brings no two together.
    again = next_times(node, copies)
    assert {name: moment % INTERVAL for name, moment in again.items()} == offsets


@pytest.fixture
def forgotten(node: Host, scenario: Scenario) -> Iterator[str]:
    """A space whose timer was enabled three hours ago, and whose jobs ended a year before."""
    node.check_output(f"systemctl start {Units(SLUG).jobs}")
    link = f"/etc/systemd/system/timers.target.wants/{Units(SLUG).jobs_timer}"
    enabled = node.check_output(f"stat --format=%Y {link}")
    ((ended,),) = scenario.sql(f"SELECT configvalue FROM {TABLE} {WHERE}")
    node.check_output(f"touch --no-dereference --date='3 hours ago' {link}")
    write_end(scenario, "1000000000")
    yield SLUG
    write_end(scenario, ended)
    node.check_output(f"touch --no-dereference --date=@{enabled} {link}")
    node.check_output("systemctl start archipel-late-jobs.service")


def write_end(scenario: Scenario, moment: str) -> None:
    """Have a space's database say that its jobs ended then."""
    scenario.sql(f"UPDATE {TABLE} SET configvalue = '{moment}' {WHERE}")


def look(node: Host) -> tuple[int, str, str]:
    """Count jobs that are late since a minute; return exit code, what was said, and the metrics."""
    node.check_output("systemctl start archipel-accounts.service")
    done = node.run(
        "/usr/local/libexec/archipel/late --accounts /var/lib/archipel/accounts.json "
        f"--metrics {METRICS.rpartition('/')[0]} --after 60"
    )
    return done.rc, done.stderr, node.file(METRICS).content_string


def test_late_jobs_are_counted_and_named(node: Host, scenario: Scenario, forgotten: str):
    code, said, metrics = look(node)
    assert (code, said.startswith("<3>jobs of ")) == (1, True)
    assert forgotten in said
    assert f'archipel_space_jobs_late{{space="{forgotten}"}} 1\n' in metrics
    write_end(scenario, node.check_output("date +%s"))
    _code, said, metrics = look(node)
    assert forgotten not in said
    assert f'archipel_space_jobs_late{{space="{forgotten}"}} 0\n' in metrics


def test_nothing_is_late_on_a_node_that_works(node: Host):
    """The unit reads a report that is being written just now, and finds nothing to tell."""
    node.check_output("systemctl start archipel-late-jobs.service")
    assert "\narchipel_jobs_late 0\n" in node.file(METRICS).content_string
    assert node.service("archipel-late-jobs.timer").is_running
    assert node.service("archipel-late-jobs.timer").is_enabled
