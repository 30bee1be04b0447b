"""Benchmarks of pygw: `macro` compares whole proxies, `gate` counts instructions and system calls.

The method and its limits are described in README.md beside this file.
"""
