"""``python -m ops``: the operator's command line."""

import sys


def main() -> int:
    """Run one command; an interrupt while modules are still being imported is no traceback."""
    try:
        from ops.cli import run

        return run()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
