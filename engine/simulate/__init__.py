"""The sandbox's city and its people: authored personas, tracks made from them, a stream over real HTTP."""
