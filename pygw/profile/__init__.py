"""Where a running gateway's time goes: `pygw profile`.

Owns: nothing itself; `attach` finds a gateway, `spent` adds up, `table` and `flame` show it.
Runs in: the process of the command.
Never does: send a signal, or ask a worker for anything: it reads the shared block.
Read next: `attach`.
"""
