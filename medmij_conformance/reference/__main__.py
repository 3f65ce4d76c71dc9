"""A reference gateway as a process of its own: ``python -m medmij_conformance.reference SETTINGS.json``.

It prints one line of JSON when it listens (the ports and the address of its control interface) and ends when its standard input
is closed, so that it never outlives the run that started it.
"""

import json
import sys
from pathlib import Path

from medmij_conformance.reference.process import serve


def main() -> None:
    """Serve until standard input ends."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("usage: python -m medmij_conformance.reference SETTINGS.json")
    try:
        listening = serve(Path(sys.argv[1]))
    except KeyError as error:
        sys.exit(f"{sys.argv[1]}: {error} is missing; what `run reference:ROLE` writes into its reference.json is an example")
    print(json.dumps(listening), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
