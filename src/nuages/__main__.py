"""`python -m nuages`: the same as the `nuages` command, for images that have no scripts folder on PATH."""

import sys

from nuages.cli import main

if __name__ == "__main__":
    sys.exit(main())
