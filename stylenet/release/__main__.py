"""`python -m stylenet.release`: the same as `stylenet release`."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "release")
    runpy.run_module("stylenet", run_name="__main__", alter_sys=True)  # this package stands below the commands
