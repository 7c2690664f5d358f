"""Speed and size, measured from outside on public interfaces; `make bench` runs it and writes docs/benchmarks.md."""
