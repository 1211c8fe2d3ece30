"""`python -m stylenet.convert`: see `stylenet.cli.convert`."""

import sys

from stylenet.cli.convert import main

if __name__ == "__main__":
    sys.exit(main())
