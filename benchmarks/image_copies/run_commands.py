"""
Runs commands one after the other, and prints what they took.

``run_commands.py COMMAND [ARGUMENT ...] [:: COMMAND ...]`` prints one line to standard output:
seconds, CPU seconds, peak resident set in KiB, and the exit status of the last command. What the
commands print goes to standard error. The first command that fails is the last.

A process of its own, because a child's peak resident set begins with that of the process it was
started from: a large parent would be measured instead. This one is as small as Python gets, so it
imports nothing more; with ``-I -S`` it takes less than any client that is measured.
"""

import os
import sys
import time

SEPARATOR = "::"


def main(arguments: list[str]) -> None:
    """Run the commands and print what all took: peaks are of the largest, times are sums."""
    cpu, peak, status = 0.0, 0, 0
    start = time.monotonic()
    for command in split(arguments):
        status, its_cpu, its_peak = run(command)
        cpu, peak = cpu + its_cpu, max(peak, its_peak)
        if status:
            break
    sys.stdout.write(f"{time.monotonic() - start} {cpu} {peak} {status}\n")


def split(arguments: list[str]) -> list[list[str]]:
    """Return the commands in a list with separators."""
    commands: list[list[str]] = [[]]
    for argument in arguments:
        if argument == SEPARATOR:
            commands.append([])
        else:
            commands[-1].append(argument)
    return commands


def run(command: list[str]) -> tuple[int, float, int]:
    """Run one command; return its status, and CPU seconds and peak of it and its children."""
    actions = [(os.POSIX_SPAWN_DUP2, 2, 1)]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    cpu = usage.ru_utime + usage.ru_stime
    return os.waitstatus_to_exitcode(status), cpu, usage.ru_maxrss


if __name__ == "__main__":
    main(sys.argv[1:])
