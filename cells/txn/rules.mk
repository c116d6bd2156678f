# The place where decisions are carried out: the loop, the clock, other cells.
txn_IMPURE := carry
