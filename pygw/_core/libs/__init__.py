"""The C libraries that the data plane calls, found inside the wheels that carry them.

Owns the declarations, the loader and its guards. Everything runs at import, under the GIL. It
never vendors C source and never makes a library's symbols global. Read next: ``wheel`` and
``loader``, then ``uv`` and ``llhttp``.
"""
