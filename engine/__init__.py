"""Herenow: a location-aware sense-and-respond rules engine."""

__version__ = "0.1.0"
