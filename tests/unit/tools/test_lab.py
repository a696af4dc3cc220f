# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the lab decides, without making any machine."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools.lab import LabError, disk, host, image, networks, transplant, vm
from tools.lab.machine import Machine


class TestAptSources:
    def test_mirrors_of_this_host_are_used_for_another_suite(self, monkeypatch: pytest.MonkeyPatch):
        configured = [
            ("http://mirror.example/debian", "bookworm"),
            ("http://mirror.example/debian", "bookworm-updates"),
            ("http://mirror.example/security", "bookworm-security"),
            ("http://packages.example/nothing-of-debian", "stable"),
        ]
        monkeypatch.setattr(image, "_codename", lambda: "bookworm")
        monkeypatch.setattr(image, "_configured_sources", lambda: configured)
        assert image.apt_sources("trixie").splitlines() == [
            "deb http://mirror.example/debian trixie main",
            "deb http://mirror.example/debian trixie-updates main",
            "deb http://mirror.example/security trixie-security main",
        ]

    def test_a_host_that_is_not_debian_uses_the_public_mirrors(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(image, "_codename", lambda: "")
        monkeypatch.setattr(
            image, "_configured_sources", lambda: [("http://mirror.example/ubuntu", "noble")]
        )
        assert image.PUBLIC_MIRROR in image.apt_sources("trixie")
        assert "mirror.example" not in image.apt_sources("trixie")

    def test_another_mirror_or_package_is_another_image(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(image, "apt_options", list)
        one = image._digest("deb http://one.example trixie main\n")
        assert one != image._digest("deb http://two.example trixie main\n")
        monkeypatch.setattr(image, "PACKAGES", (*image.PACKAGES, "vim"))
        assert one != image._digest("deb http://one.example trixie main\n")


class TestImage:
    @pytest.fixture
    def podman(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """What podman was asked; a machine of another copy of the project uses one image."""
        asked: list[list[str]] = []

        def run(command: list[str], **_options: Any) -> str:
            words = command[1:]
            asked.append(words)
            if words[0] == "ps":
                return "localhost/archipel-lab:trixie-used\n"
            lab = "localhost/archipel-lab:trixie-"
            return f"{lab}used\n{lab}old\ndocker.io/x:1\n"

        monkeypatch.setattr(image, "podman", lambda: ["podman"])
        monkeypatch.setattr(image, "run", run)
        return asked

    def test_an_image_that_a_machine_uses_stays(self, podman: list[list[str]]):
        """Of another copy of the project: podman would refuse, and nothing else be cleaned."""
        assert image.remove_all() == ["localhost/archipel-lab:trixie-old"]
        removed = [words for words in podman if words[0] == "rmi"]
        assert removed == [["rmi", "localhost/archipel-lab:trixie-old"]]

    def test_an_image_has_its_name_when_it_is_whole(
        self, podman: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ):
        """Killed in the middle, the next run finds no image that looks complete."""
        imported = tmp_path / "imported"
        monkeypatch.setattr(image, "require", lambda *_programs: None)
        monkeypatch.setattr(image, "_bootstrap_command", lambda _suite: ["true"])
        monkeypatch.setattr(
            image, "podman", lambda: ["sh", "-c", f'echo "$@" >{imported}', "podman"]
        )
        image._build("trixie", "", "localhost/archipel-lab:trixie-new")
        given = imported.read_text().split()[-1]
        assert given == "localhost/archipel-lab:trixie-new-part"
        words = [one[-3:] for one in podman]
        assert ["tag", given, "localhost/archipel-lab:trixie-new"] in words
        # Without the second the podman of Debian 12 takes every name of the image away.
        assert ["untag", given, given] in words


class TestHost:
    @pytest.mark.parametrize(
        ("unified", "options", "words"),
        [
            (True, ["podman"], []),
            (False, ["podman", "--runtime", "runc"], ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]),
        ],
    )
    def test_cgroups_decide_the_runtime_and_what_systemd_gets(
        self,
        monkeypatch: pytest.MonkeyPatch,
        unified: bool,
        options: list[str],
        words: list[str],
    ):
        monkeypatch.setattr(host, "unified_cgroups", lambda: unified)
        monkeypatch.setattr(host, "require", lambda *_programs: None)
        assert (host.podman(), host.init_arguments()) == (options, words)

    def test_limits_are_named_only_where_the_host_refuses_more(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _limit: (1024, 50000))
        monkeypatch.setattr(host, "_can_raise", lambda _limit: True)
        assert host.limit_options() == []
        monkeypatch.setattr(host, "_can_raise", lambda _limit: False)
        assert host.limit_options() == [
            "--ulimit",
            "nofile=50000:50000",
            "--ulimit",
            "nproc=32768:32768",
        ]

    def test_trying_a_limit_leaves_our_own_as_it_is(self):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        host._can_raise(resource.RLIMIT_NOFILE)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == before

    def test_a_rootless_podman_without_enough_ids_is_refused_with_a_remedy(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        monkeypatch.setattr(host, "require", lambda *_programs: None)
        monkeypatch.setattr(host, "run", lambda _command: "  0 1000 1\n  1 100000 65536\n")
        with pytest.raises(LabError, match=r"up to 65536 here.*/etc/subuid"):
            host.check_id_range()

    def test_a_missing_program_is_named_with_its_remedy(self):
        with pytest.raises(LabError, match=r"no-such-program.*make host"):
            host.require("no-such-program")

    def test_a_command_that_fails_says_what_it_said(self):
        with pytest.raises(LabError, match=r"exit code 3: sh -c[\s\S]*on purpose"):
            host.run(["sh", "-c", "echo on purpose >&2; exit 3"])

    def test_a_command_that_hangs_is_ended(self):
        with pytest.raises(LabError, match="no answer in 0 s"):
            host.run(["sleep", "5"], timeout=0.1)


def test_each_copy_of_the_project_has_machines_of_its_own(tmp_path: Path):
    """A machine that another copy left behind is neither taken over nor in the way."""
    one, other = Machine("archipel-demo", tmp_path / "one"), Machine("archipel-demo", tmp_path)
    assert one.container != other.container
    assert one.container == Machine("archipel-demo", tmp_path / "x/../one").container


def test_a_machine_that_no_longer_knows_our_key_gets_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The folder of the keys was removed, the container was not."""
    asked: list[str] = []
    monkeypatch.setattr(Machine, "_inspect", lambda _self: {"State": {"Running": True}})
    monkeypatch.setattr(Machine, "_await_boot", lambda _self: asked.append("booted"))
    monkeypatch.setattr(Machine, "_write_ssh_files", lambda _self: asked.append("keys"))
    monkeypatch.setattr(host, "require", lambda *_programs: None)
    monkeypatch.setattr(host, "check_id_range", lambda: None)
    assert Machine("archipel-demo", tmp_path).up("trixie", [])
    assert asked == ["booted", "keys"]


def test_a_machine_that_is_too_busy_to_answer_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever waits for it goes on waiting, as long as it was said."""

    def hang(command: list[str], **_options: Any) -> None:
        raise subprocess.TimeoutExpired(command, 30)

    monkeypatch.setattr(host, "podman", lambda: ["podman"])
    monkeypatch.setattr(subprocess, "run", hang)
    machine = Machine("archipel-demo", tmp_path)
    assert not machine.answers()
    assert machine._system_state() == ""


class TestNetworks:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """What podman was asked; it knows one network, in which is one machine."""
        asked: list[list[str]] = []

        def run(command: list[str]) -> str:
            words = command[len(host.podman()) :]
            asked.append(words)
            if words[:2] == ["network", "ls"]:
                return "podman\narchipel-known\n"
            return "other\n" if words[0] == "ps" and "archipel-known" in words[2] else ""

        monkeypatch.setattr(networks, "podman", host.podman)
        monkeypatch.setattr(networks, "run", run)
        return asked

    def test_a_machine_has_an_address_of_its_own(self, asked: list[list[str]]):
        joined = networks.ensure("archipel-new=10.89.77.11")
        assert joined == ["--network=archipel-new", "--ip=10.89.77.11"]
        made = ["network", "create", "--disable-dns", "--subnet=10.89.77.0/24", "archipel-new"]
        assert made in asked

    def test_a_network_is_made_once(self, asked: list[list[str]]):
        networks.ensure("archipel-known=10.89.77.12")
        assert [words[1] for words in asked] == ["ls"]

    def test_most_machines_need_none(self, asked: list[list[str]]):
        assert (networks.ensure(""), asked) == ([], [])

    @pytest.mark.parametrize(
        "wanted", ["archipel-x", "archipel-x=here", "archipel-x=192.0.3.1", "podman=10.0.0.1"]
    )
    def test_what_makes_no_sense_is_refused(self, wanted: str):
        with pytest.raises(LabError, match=f"--network: found {wanted}; allowed: "):
            networks.parse(wanted)

    def test_it_goes_with_its_last_machine(self, asked: list[list[str]], monkeypatch):
        networks.remove_unused(["podman", "archipel-gone", "archipel-known"])
        assert not [words for words in asked if words[:2] == ["network", "rm"]]
        monkeypatch.setattr(networks, "_members", lambda _name: [])
        networks.remove_unused(["podman", "archipel-known"])
        assert asked[-1] == ["network", "rm", "archipel-known"]


class TestDisk:
    def test_drivers_come_after_what_they_need(self):
        dependencies = (
            "kernel/virtio_blk.ko.xz: kernel/virtio_ring.ko.xz kernel/virtio.ko.xz\n"
            "kernel/virtio_pci.ko.xz: kernel/modern.ko.xz kernel/virtio_ring.ko.xz\n"
            "kernel/virtio.ko.xz:\n"
            "kernel/other.ko.xz: kernel/virtio.ko.xz\n"
        )
        assert disk.drivers(dependencies) == [
            "kernel/virtio.ko.xz",
            "kernel/virtio_ring.ko.xz",
            "kernel/virtio_blk.ko.xz",
            "kernel/modern.ko.xz",
            "kernel/virtio_pci.ko.xz",
        ]

    def test_the_first_files_are_an_archive_that_cpio_reads(self, tmp_path: Path):
        """Read back by another implementation than the one that wrote it."""
        files = [("bin", b"", 0o040755), ("bin/init", b"#!/bin/sh\nodd", 0o100755)]
        data = disk.archive(files)
        assert len(data) % 4 == 0
        names: list[str] = []
        place = 0
        while not names or names[-1] != "TRAILER!!!":
            head = data[place : place + 110]
            assert head[:6] == b"070701"
            fields = [int(head[6 + 8 * n : 14 + 8 * n], 16) for n in range(13)]
            size, length = fields[6], fields[11]
            name = data[place + 110 : place + 110 + length]
            assert name.endswith(b"\0")
            names.append(name[:-1].decode())
            start = place + (110 + length + 3) // 4 * 4
            if names[-1] == "bin/init":
                assert (data[start : start + size], fields[1]) == (files[1][1], 0o100755)
            place = start + (size + 3) // 4 * 4
        assert names == ["bin", "bin/init", "TRAILER!!!"]
        assert place == len(data)


class TestAccelerator:
    @pytest.fixture
    def boot(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> disk.Disk:
        monkeypatch.delenv(vm.ACCELERATOR, raising=False)
        monkeypatch.setattr(os, "access", lambda *_arguments: True)
        return disk.Disk(tmp_path)

    @pytest.mark.parametrize(("works", "chosen"), [(True, "kvm"), (False, "tcg")])
    def test_it_is_tried_once_per_boot_of_the_host(
        self, boot: disk.Disk, monkeypatch: pytest.MonkeyPatch, works: bool, chosen: str
    ):
        tried: list[disk.Disk] = []

        def trial(boot: disk.Disk) -> bool:
            tried.append(boot)
            return works

        monkeypatch.setattr(vm, "_kvm_works", trial)
        assert [vm.accelerator(boot), vm.accelerator(boot)] == [chosen, chosen]
        assert len(tried) == 1

    def test_a_trial_that_was_killed_is_made_again(
        self, boot: disk.Disk, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(vm, "_kvm_works", lambda _boot: True)
        vm.accelerator(boot)
        known = next(boot.folder.glob("accelerator-*"))
        known.write_text("")
        assert vm.accelerator(boot) == "kvm"

    def test_without_the_device_nothing_is_tried(
        self, boot: disk.Disk, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(os, "access", lambda *_arguments: False)
        assert vm.accelerator(boot) == "tcg"

    def test_a_kernel_that_hangs_under_kvm_means_software(
        self, boot: disk.Disk, monkeypatch: pytest.MonkeyPatch
    ):
        def hang(command: list[str], **_options: Any) -> None:
            raise subprocess.TimeoutExpired(command, 12)

        monkeypatch.setattr(subprocess, "run", hang)
        assert vm.accelerator(boot) == "tcg"

    def test_whoever_knows_better_is_believed(
        self, boot: disk.Disk, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv(vm.ACCELERATOR, "kvm")
        assert vm.accelerator(boot) == "kvm"
        monkeypatch.setenv(vm.ACCELERATOR, "fast")
        with pytest.raises(LabError, match="allowed: kvm, tcg"):
            vm.accelerator(boot)


def test_a_virtual_machine_knows_its_own_process(tmp_path: Path):
    """A number that another program has by now is left alone."""
    machine = vm.VirtualMachine("archipel-x", tmp_path)
    assert not machine.running()
    machine.process.write_text(str(os.getpid()))
    assert not machine.running()


def test_a_virtual_machine_has_the_memory_that_it_was_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Started again, it has what it had: qemu forgets."""
    asked: list[list[str]] = []
    monkeypatch.setattr(vm, "run", lambda command, **_options: asked.append(command))
    monkeypatch.setattr(vm, "accelerator", lambda _boot: "tcg")
    machine = vm.VirtualMachine("archipel-x", tmp_path)
    machine.facts.write_text('{"ports": {"22": 2222}, "disks": ["srv"], "memory": 4096}')
    machine._start(disk.Disk(tmp_path))
    (command,) = asked
    assert command[command.index("-m") + 1] == "4096"
    assert "virtio-blk-pci,drive=srv,serial=srv" in command


class TestTransplant:
    @pytest.fixture
    def tree(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """What was in a container: names and a resolver that podman gave it."""
        tree = tmp_path / "tree"
        (tree / "etc/systemd").mkdir(parents=True)
        (tree / "usr/lib").mkdir(parents=True)
        (tree / "etc/resolv.conf").write_text("nameserver 10.89.0.1\n")
        return tree

    def test_a_tree_gets_what_a_container_has_from_outside(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch
    ):
        asked: list[list[str]] = []

        def run(command: list[str], **_options: Any) -> str:
            asked.append([str(word) for word in command])
            if command[0] == "debugfs":
                modules = tree / "usr/lib/modules/6.12"
                modules.mkdir(parents=True)
                (modules / "modules.dep").touch()
            return ""

        monkeypatch.setattr(transplant, "run", run)
        transplant._adapt(tree, "archipel-x", disk.Disk(tree))
        assert (tree / "etc/hostname").read_text() == "archipel-x\n"
        assert (tree / "etc/resolv.conf").read_text() == disk.RESOLVER
        assert (tree / "etc/systemd/network/10-lab.network").read_text() == disk.NETWORK
        changed = [command[2] for command in asked if command[0] == "systemctl"]
        assert changed == ["enable", "mask"]
        assert all(f"--root={tree}" in command for command in asked if command[0] == "systemctl")

    def test_a_disk_without_the_modules_of_its_kernel_is_named(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """The machine would boot, and have no scheduler and no firewall."""
        monkeypatch.setattr(transplant, "run", lambda *_words, **_options: "")
        with pytest.raises(LabError, match=r"root\.img has no modules of its kernel"):
            transplant._adapt(tree, "archipel-x", disk.Disk(tree))
