"""`python -m stylenet.convert`: the same as `stylenet convert`."""

import sys

from stylenet.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["convert", *sys.argv[1:]]))
