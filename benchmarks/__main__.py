"""`python -m benchmarks`, which is `make bench`."""

from benchmarks.throughput import main

main()
