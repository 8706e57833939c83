"""Wire formats to records: what devices send becomes checked, normalised signals."""
