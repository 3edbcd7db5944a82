"""One module per step, in the order of its number. A step that was released is never changed: ledgers exist that it made.

A new step: copy the head of the last one, raise the number, say in `upgrade` what changes, and name it as `HEAD` in
`serving.ledger.migrate`. The contract tests of the ledger fail as long as tables and steps disagree, and say where.
There is no way back: a program that is older than its ledger refuses to start.
"""
