"""What single parts of the data plane cost, measured by pytest-benchmark.

`python -m benchmarks.micro` runs them and writes the results. Read next: `test_parts.py`.
"""
