"""Programs that belong to the test suite and are run by hand or by ``.ci/run``."""
