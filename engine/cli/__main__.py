"""``python -m engine.cli`` is ``herenow``."""

from engine.cli.main import main

main()
