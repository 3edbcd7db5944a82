"""Programs that use a running service from outside, to be copied and changed."""
