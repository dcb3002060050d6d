"""
Runs commands, so many at a time, and prints what they took.

``run_commands.py NUMBER COMMAND [ARGUMENT ...] [:: COMMAND ...]`` prints one line to standard
output: seconds, CPU seconds, peak resident set in KiB, and the exit status of the first command
that failed, or 0. What the commands print goes to standard error. After one has failed no more are
begun.

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
    number, *rest = arguments
    start = time.monotonic()
    cpu, peak, status = run_all(split(rest), int(number))
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


def run_all(commands: list[list[str]], at_a_time: int) -> tuple[float, int, int]:
    """Run the commands in their order; return CPU seconds, peak, and the first failure's status."""
    cpu, peak, status, running = 0.0, 0, 0, 0
    waiting = commands[::-1]
    while running or (waiting and not status):
        if waiting and not status and running < at_a_time:
            start(waiting.pop())
            running += 1
            continue
        its_status, its_cpu, its_peak = wait_for_any()
        running -= 1
        cpu, peak, status = cpu + its_cpu, max(peak, its_peak), status or its_status
    return cpu, peak, status


def start(command: list[str]) -> None:
    """Begin one command."""
    actions = [(os.POSIX_SPAWN_DUP2, 2, 1)]
    os.posix_spawnp(command[0], command, os.environ, file_actions=actions)


def wait_for_any() -> tuple[int, float, int]:
    """Wait for any command; return its status, and CPU seconds and peak of it and its children."""
    _, status, usage = os.wait4(-1, 0)
    cpu = usage.ru_utime + usage.ru_stime
    return os.waitstatus_to_exitcode(status), cpu, usage.ru_maxrss


if __name__ == "__main__":
    main(sys.argv[1:])
