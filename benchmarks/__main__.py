"""`python -m benchmarks`, which is `make bench`."""

from benchmarks import scale, throughput

throughput.main()
scale.show()
