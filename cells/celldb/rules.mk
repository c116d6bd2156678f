# `cell db` is what people type; restoring looks at a store while no cell has it.
celldb_VERBS := db
celldb_CMD_LIBS := $(STORE_LIBS)
