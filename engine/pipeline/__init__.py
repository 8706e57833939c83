"""The stages in order: ``core`` is the one page; ``runner`` feeds it from the journal and commits what it says."""
