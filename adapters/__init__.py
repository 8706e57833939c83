"""Channel adapters: one file per kind of channel, found through the entry-point group ``herenow.adapters``."""
