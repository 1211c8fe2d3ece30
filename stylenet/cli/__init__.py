"""The commands of `stylenet`: one module each, listed in `stylenet.cli.main.COMMANDS`."""
