"""Authored files to releases: loaders that keep positions, exact findings, the bundle and its hash."""
