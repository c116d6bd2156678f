# The command can make the load itself (--here), so it shares the logic.
pinger_IMPURE := load
pinger_CMD_SOURCES := cells/pinger/run.c cells/pinger/load.c
