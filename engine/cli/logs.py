"""Logs: lines for a person on a terminal, JSON elsewhere; on standard error, so that output stays clean."""

import logging
import os
import sys

import structlog


def set_up_logs() -> None:
    """``HERENOW_LOG=json|text`` and ``HERENOW_LOG_LEVEL`` override."""
    form = os.environ.get("HERENOW_LOG") or ("text" if sys.stderr.isatty() else "json")
    level = logging.getLevelNamesMapping().get(os.environ.get("HERENOW_LOG_LEVEL", "INFO").upper(), logging.INFO)
    renderer = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
