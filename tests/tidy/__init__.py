"""The house rules as pure functions: text in, findings out.

`tests/test_tidy.py` runs them over the repository; the `test_*.py` files beside this one prove on
good and bad snippets that each rule finds what it is there for.
"""
