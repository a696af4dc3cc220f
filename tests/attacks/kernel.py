# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Processes of others, privileges, and what the kernel offers to whoever asks."""

from __future__ import annotations

from tests.attacks.model import OCC, WEB, Attack

# Numbers of system calls, of x86_64 and arm64.
NUMBERS = """
numbers = {
    "x86_64": {"ptrace": 101, "sched_setaffinity": 203, "personality": 135, "unshare": 272,
               "setpriority": 141},
    "aarch64": {"ptrace": 117, "sched_setaffinity": 122, "personality": 92, "unshare": 97,
                "setpriority": 140},
}[os.uname().machine]
"""

ATTACKS = (
    # --- processes of others ------------------------------------------------------------------
    Attack(
        "sees the processes of others",
        "answer = lists(f'/proc/{other_pid}')",
        ("processes hidden",),
        ways=(WEB, OCC),
    ),
    Attack(
        "reads how the operator's programs were called",
        "answer = holds(f'/proc/{root_pid}/cmdline', 'secret-word')",
        ("processes hidden",),
        ways=(WEB, OCC),
    ),
    Attack(
        "reads the environment of another space's PHP",
        "answer = reads(f'/proc/{other_pid}/environ')",
        ("one unix user each", "own user namespace"),
        ways=(OCC,),
    ),
    Attack(
        "reads the memory of another space's PHP",
        "answer = attempt(open, f'/proc/{other_pid}/mem', 'rb')",
        ("one unix user each", "own user namespace"),
        ways=(OCC,),
    ),
    Attack(
        "ends another space's PHP",
        "answer = attempt(os.kill, other_pid, 0)",
        ("one unix user each",),
        ways=(OCC,),
    ),
    # --- privileges ---------------------------------------------------------------------------
    Attack(
        "runs a setuid program as root",
        "said = subprocess.run(['/usr/local/bin/attacked-id', '-u'], capture_output=True,"
        " text=True).stdout\n"
        "answer = '' if said.strip() == '0' else ABSENT",
        ("no new privileges",),
    ),
    Attack(
        "makes a user namespace, in which it is root",
        NUMBERS + "answer = called(numbers['unshare'], 0x10000000)",
        ("no namespaces",),
    ),
    Attack(
        "makes a user namespace with mounts of its own",
        NUMBERS + "answer = called(numbers['unshare'], 0x10020000)",
        ("no namespaces",),
    ),
    Attack(
        "makes a user namespace with a network of its own, past the firewall",
        NUMBERS + "answer = called(numbers['unshare'], 0x50000000)",
        ("no namespaces",),
    ),
    # --- what the kernel offers ---------------------------------------------------------------
    Attack(
        "traces a process",
        NUMBERS + "answer = called(numbers['ptrace'], 0, 0, 0, 0)",
        ("calls filtered",),
    ),
    Attack(
        "takes a processor for itself",
        NUMBERS + "mask = ctypes.c_ulong(1)\n"
        "answer = called(numbers['sched_setaffinity'], 0, 8, ctypes.byref(mask))",
        ("calls filtered",),
    ),
    Attack(
        "changes its priority",
        NUMBERS + "answer = called(numbers['setpriority'], 0, 0, 19)",
        ("calls filtered",),
    ),
    Attack(
        "changes its personality, to weaken programs",
        NUMBERS + "answer = called(numbers['personality'], 0x0040000)",
        ("one personality",),
    ),
    Attack(
        "talks to the kernel by netlink",
        "answer = attempt(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, 0)",
        ("families of addresses",),
    ),
    Attack(
        "opens a socket to virtual machines",
        "answer = attempt(socket.socket, 40, socket.SOCK_STREAM, 0)",
        ("families of addresses",),
    ),
    Attack(
        "reads the kernel's settings",
        "answer = reads('/proc/sys/kernel/osrelease')",
        ("kernel's numbers hidden",),
    ),
    Attack(
        "reads which devices the kernel has",
        "answer = reads('/proc/partitions')",
        ("kernel's numbers hidden",),
    ),
    Attack(
        "reads how much of its memory the node has left",
        "answer = reads('/proc/meminfo')",
        ("kernel's numbers hidden",),
    ),
    Attack(
        "reads what is mounted for others",
        "answer = lists('/proc/1')",
        ("processes hidden",),
        ways=(WEB, OCC),
    ),
    Attack(
        "leaves its memory in a core file",
        "import resource\nanswer = '' if resource.getrlimit(resource.RLIMIT_CORE)[1] else 'EPERM'",
        ("no core", "no core by default"),
    ),
    # --- memory that others share -------------------------------------------------------------
    Attack(
        "joins shared memory of others",
        "answer = '' if libc.shmget(0x41524348, 4096, 0) >= 0 else"
        " errno.errorcode[ctypes.get_errno()]",
        ("own IPC",),
    ),
    Attack(
        "joins a semaphore of others",
        "answer = '' if libc.semget(0x41524348, 1, 0) >= 0 else"
        " errno.errorcode[ctypes.get_errno()]",
        ("own IPC",),
    ),
    Attack(
        "joins a queue of messages of others",
        "answer = '' if libc.msgget(0x41524348, 0) >= 0 else errno.errorcode[ctypes.get_errno()]",
        ("own IPC",),
    ),
)
