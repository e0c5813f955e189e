"""`make bench`: every section, or those that are named. Half an hour of it is the soak."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

# The deployed code is no package that could be installed: it is found where it lies.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "functions"))

SECTIONS: Final[Mapping[str, str]] = {
    "work": "Work per second of CPU",
    "latency": "Latency with a database that is elsewhere",
    "concurrency": "Memory, threads and concurrency",
    "cold": "Cold start",
    "depth": "Page 1 and page 1,000",
    "soak": "Soak",
    "flash_sale": "Flash sale",
    "push": "A broadcast to many people",
    "firestore_client": "CPU of a call to Firestore, on the client's side",
    "pipeline": "CPU of the API itself",
}
QUICK: Final[Mapping[str, Mapping[str, float]]] = {
    "work": {"rounds": 1, "seconds": 0.3},
    "latency": {"seconds": 0.5},
    "concurrency": {"seconds": 0.5, "alone": 50},
    "cold": {"starts": 2},
    "depth": {"orders": 400},
    "soak": {"minutes": 0.25, "slices": 3},
    "flash_sale": {"buyers": 300, "stock": 30},
    "push": {"people": 1_000},
    "firestore_client": {"blocks": 2},
    "pipeline": {"requests": 100},
}
FULL: Final[Mapping[str, Mapping[str, float]]] = {
    "work": {"rounds": 5, "seconds": 1.5},
    "latency": {"seconds": 5},
    "concurrency": {"seconds": 2, "alone": 1_000},
    "cold": {"starts": 15},
    "depth": {"orders": 20_000},
    "soak": {"minutes": 30, "slices": 60},
    "flash_sale": {"buyers": 10_000, "stock": 1_000},
    "push": {"people": 10_000},
    "firestore_client": {"blocks": 10},
    "pipeline": {"requests": 1_000},
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Wattle beside what a team would run otherwise"
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all without any")
    parser.add_argument("--quick", action="store_true", help="small counts, and nothing is written to bench/results")
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}, only {', '.join(SECTIONS)}")
    # As Ctrl-C does, so that the servers it started end with it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    from bench.stage import Report  # noqa: PLC0415 (the path is set above, and --help needs none of it)

    for name in options.sections or SECTIONS:
        measure: Callable[..., None] = import_module(f"bench.{name}").measure
        report = Report(name, SECTIONS[name], keep=not options.quick)
        measure(report, **(QUICK if options.quick else FULL)[name])
        report.close()
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
