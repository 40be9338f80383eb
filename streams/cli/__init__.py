"""The command line: one file for each group of commands.

A command declares its options here, calls the module that does the work, and prints. It imports that module
when it runs and not before, so that every `--help` answers at once. Nothing in the product imports this
package.
"""

from streams.cli.program import main

__all__ = ["main"]
