# `cell db` is what people type; restoring looks at a store while no cell has it.
celldb_VERBS := db
celldb_CMD_LIBS := $(STORE_LIBS)
# group.c is the writing thread; celldb.c and tools.c start and end it, and threads for backups.
celldb_IMPURE := admin group celldb tools
