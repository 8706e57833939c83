"""The vocabulary: frozen structs that are the only currency between stages."""
