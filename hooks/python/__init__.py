"""Ready hooks in Python, each in a file of its own.

Owns: nothing.
Runs in: workers.
Never does: import a hook.
Read next: `docs/ready-python.md`.
"""
