"""`python -m stylenet COMMAND`: the same program as the console script `stylenet`."""

import sys

from stylenet.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
