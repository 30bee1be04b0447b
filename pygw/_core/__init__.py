"""The data plane: Cython modules on uvloop's libuv and httptools' llhttp.

Owns every byte of traffic. Its C callbacks run on the loop's thread without the GIL. It never
imports the control plane. Read next: ``types/`` for the data model, ``libs/`` for the C libraries.
"""
