"""One module per view: its base relation and its features. A feature is one line; its `sql` aggregates the base's rows."""
