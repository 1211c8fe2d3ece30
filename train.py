#!/usr/bin/env python3
"""Trains a network on one painting: `python train.py style=starry`. All settings: `python train.py --help`."""

import sys

from stylenet.cli.main import run_command

if __name__ == "__main__":
    sys.exit(run_command("train", sys.argv[1:], program="train.py"))
