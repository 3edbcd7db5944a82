"""What the Makefile runs before the project's own environment exists: standard library only."""
