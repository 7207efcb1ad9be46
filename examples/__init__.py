"""Small training scripts with one line of gradlab in them; each runs as `python -m examples.NAME`."""
