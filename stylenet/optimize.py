"""`python -m stylenet.optimize`: the same as `stylenet optimize`."""

import sys

from stylenet.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["optimize", *sys.argv[1:]]))
