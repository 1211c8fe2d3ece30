#!/usr/bin/env python3
"""Stylizes images and videos with a trained network: `python infer.py photo.jpg -s starry`."""

import sys

from stylenet.cli.main import run_command

if __name__ == "__main__":
    sys.exit(run_command("infer", sys.argv[1:], program="infer.py"))
