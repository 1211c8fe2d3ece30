"""`python -m stylenet.release`: see `stylenet.cli.release`."""

import sys

from stylenet.cli.release import main

if __name__ == "__main__":
    sys.exit(main())
