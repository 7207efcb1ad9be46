"""`python -m benchmarks [--only SECTION] [--quick] [--out FILE]`: every contender in turn, in one run.

Prints one table per section and writes every number as JSON. A ratio is a peer's time over gradlab's: above 1, gradlab
is faster; beside the floor, below 1. The whole takes some ten minutes on two cores, on an otherwise idle machine.
"""

import argparse
import time
from pathlib import Path

from benchmarks import command, length, many, parameters, speed, start, threads
from benchmarks.results import Row, machine, summary, tables, verdict, write

SECTIONS = {
    "speed": speed.measure,
    "length": length.measure,
    "many": many.measure,
    "parameters": parameters.measure,
    "threads": threads.measure,
    "start": start.measure,
    "command": command.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n\n")[1])
    parser.add_argument("--only", action="append", choices=SECTIONS, help="one section; may be given again")
    parser.add_argument("--quick", action="store_true", help="small sizes and few runs: to see that it works")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.json"), help="the JSON file")
    chosen = parser.parse_args()
    about = machine()
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    rows: list[Row] = []
    for name in chosen.only or SECTIONS:
        begin = time.perf_counter()
        of_section: list[Row] = []
        for case in SECTIONS[name](chosen.quick):
            of_section += case
        print(tables(of_section))
        print(f"\n{name}: {time.perf_counter() - begin:.0f} s", flush=True)
        rows += of_section
        write(chosen.out, about, rows)  # after every section: an interrupted run keeps what it has
    print(summary(rows))
    print(verdict(rows))


if __name__ == "__main__":
    main()
