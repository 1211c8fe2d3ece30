"""`python -m stylenet.evaluate`: see `stylenet.cli.evaluate`."""

import sys

from stylenet.cli.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
