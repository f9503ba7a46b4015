"""``python -m bootchain.init``; in an initramfs ``/init`` imports ``main`` itself."""

import sys

from bootchain.init.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
