"""`python -m stylenet.evaluate`: the same as `stylenet evaluate`."""

import sys

from stylenet.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
