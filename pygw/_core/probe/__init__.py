"""Python doors into the data plane's modules, for tests, benchmarks and fuzzing.

Owns no behaviour: each module here calls the core as the core calls itself and returns what it saw.
Runs under the GIL, on any thread. The gateway never imports it. Read next: ``http1.pyx``.
"""
