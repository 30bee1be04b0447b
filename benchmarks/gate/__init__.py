"""The gate: user instructions and system calls per request, which do not move with the machine.

Run `python -m benchmarks.gate`. Reading order: subject, peers, drive, instructions, profile,
syscalls, baseline.
"""
