"""The ``herenow`` command: one file per group of commands."""

from engine.cli.main import main

__all__ = ["main"]
