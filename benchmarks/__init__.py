"""Speed and memory beside the peers. `python -m benchmarks --help`; nothing here is a test."""
