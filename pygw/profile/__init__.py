"""Where time goes: `pygw profile`.

Owns: nothing itself; `attach` finds a gateway that runs, `rehearsal` runs a configuration
in memory, `spent` adds up, `table`, `flame` and `svg` show it.
Runs in: the process of the command.
Never does: send a signal, or ask a worker for anything: it reads the shared block.
Read next: `attach`, `rehearsal`.
"""
