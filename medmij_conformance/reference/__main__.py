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
    print(json.dumps(serve(Path(sys.argv[1]))), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
