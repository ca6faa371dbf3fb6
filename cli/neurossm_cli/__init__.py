"""The command line: ``neurossm COMMAND``; the one place that knows every side of the project.

Each command is a file of its own and imports the heavy sides inside its function, so that
``neurossm --help`` answers at once.
"""

from neurossm_cli.app import main

__all__ = ["main"]
