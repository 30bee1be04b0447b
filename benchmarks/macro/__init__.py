"""Macro benchmark: pygw beside nginx, haproxy and a raw byte relay, round by round.

Run `python -m benchmarks.macro`. Reading order: cases, peers, load, probe, rounds, summary, report.
"""
