"""``python -m bootchain.interactive KIND ...``: one dialog, for shell steps."""

import sys

from bootchain.interactive.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
