import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

# The deployed code is no package that could be installed: it is found where it lies.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "functions"))

from tools import dev, manifest, seed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools", description="Wattle's own command line")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("manifest", help="write functions/functions.yaml from main.py")
    command.add_argument("--check", action="store_true", help="only compare")
    command.set_defaults(run=lambda options: manifest.run(check=options.check))
    command = commands.add_parser("seed", help="load the demo data into the running emulators")
    command.set_defaults(run=lambda _options: seed.run())
    command = commands.add_parser("dev", help="run the whole backend on this machine, with demo data")
    command.set_defaults(run=lambda _options: dev.run())
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    sys.exit(main())
