"""The `nuages` command, and `python -m nuages` for images that have no scripts folder on PATH."""

import gc
import sys

INTERRUPTED = 130
"""Exit status of a command that Ctrl-C has ended; as shells tell it, 128 + SIGINT."""


def main() -> int:
    """Run the command line, and return its exit status; Ctrl-C while it is being loaded ends it without a traceback."""
    gc.disable()  # nothing of what is loaded now is garbage, and looking takes a twentieth of the time
    try:
        from nuages.cli import main as run
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        gc.enable()
    return run()


if __name__ == "__main__":
    sys.exit(main())
