"""What a configuration does, told to a person: `pygw routes` and `pygw explain`.

Owns: the answers; the command line is in `pygw.cli`.
Nothing here matches, filters or chooses: requests go through the data plane's own code, by
`pygw._core.dry_run` and `pygw._core.matcher`.
Runs in: the process of the command.
Never does: send anything, or resolve a name.
Read next: `request`, `report`, `text`; `routes` and `plan_text` for `pygw routes`.
"""
