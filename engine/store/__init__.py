"""Where everything durable lives: the journal, the outbox, the moment feed, checkpoints and objects."""
