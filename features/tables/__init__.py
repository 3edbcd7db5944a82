"""The shop's tables: their contract, the checks on the way in, where they are kept, and the example shop."""
