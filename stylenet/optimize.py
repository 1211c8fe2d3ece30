"""`python -m stylenet.optimize`: see `stylenet.cli.optimize`."""

import sys

from stylenet.cli.optimize import main

if __name__ == "__main__":
    sys.exit(main())
