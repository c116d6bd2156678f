# Every .c file under tests/unit, tests/sim and tests/fault is one program, every one
# under tests/fuzz a harness, every .bats file under tests/integration a story.
#
# A test links what it includes: "dht/route.h" brings in the cell dht, "cellcore/core.h"
# cellcore; so does its folder (tests/unit/dht/route.c). Includes are looked up in core/
# and cells/ for tests only.

TEST_SOURCES := $(sort $(shell find tests/unit tests/sim tests/fault -name '*.c' 2>/dev/null))
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/*.c))
BATS_FILES := $(sort $(shell find tests/integration -name '*.bats' 2>/dev/null))

CHECK_LIBS = $(call pkg_libs,check)
TEST_CFLAGS = -Itests/lib -Icore -Icells -I. $(call pkg_cflags,check)
$(O)/obj/tests/%.o: EXTRA = $(TEST_CFLAGS)

# Contracts that only tests speak.
TEST_PROTOS := $(if $(PLUGIN_SOURCES),$(patsubst tests/lib/%.proto,%,$(wildcard tests/lib/*.proto)))
$(foreach p,$(TEST_PROTOS),$(eval $(call generate,$(p),tests/lib)))
GENERATED_HEADERS += $(TEST_PROTOS:%=$(O)/gen/%.cell.h)

# Messages of every kind for tests of the codec; some of them for protobuf-c too, to compare.
UNIT_PROTOS := $(if $(PLUGIN_SOURCES),$(patsubst tests/unit/proto/%.proto,%,$(wildcard tests/unit/proto/*.proto)))
COMPARED_PROTOS := $(filter kinds kinds_leaf,$(UNIT_PROTOS))
COMPARED_OBJECTS := $(COMPARED_PROTOS:%=$(O)/obj/gen/%.pb-c.o)
$(foreach p,$(UNIT_PROTOS),$(eval $(call generate,$(p),tests/unit/proto)))
$(COMPARED_PROTOS:%=$(O)/gen/%.pb-c.h) $(COMPARED_PROTOS:%=$(O)/gen/%.pb-c.c) &: $(COMPARED_PROTOS:%=tests/unit/proto/%.proto)
	@mkdir -p $(O)/gen
	$(call say,GEN,$(O)/gen/kinds.pb-c.c) protoc-c --c_out=$(O)/gen -I tests/unit/proto $^
$(COMPARED_OBJECTS): EXTRA := -w
GENERATED_HEADERS += $(UNIT_PROTOS:%=$(O)/gen/%.cell.h) $(COMPARED_PROTOS:%=$(O)/gen/%.pb-c.h)

# Helpers; the two mains of other programs are members too, taken only by who has none.
TESTLIB_MAINS := tests/lib/main.c tests/lib/replay.c
TESTLIB_OBJECTS := $(call objects,$(filter-out $(MAIN_FILES) tests/lib/disk.c,$(wildcard tests/lib/*.c)) \
	$(wildcard tests/lib/main.c)) $(TEST_PROTOS:%=$(O)/obj/gen/%.cell.o) \
	$(UNIT_PROTOS:%=$(O)/obj/gen/%.cell.o) $(COMPARED_OBJECTS)
TESTLIB := $(if $(strip $(TESTLIB_OBJECTS)),$(O)/lib/libtestlib.a)
$(eval $(call archive,$(O)/lib/libtestlib.a,$(TESTLIB_OBJECTS)))

# It has functions of libc's, which only who includes it wants to have replaced.
DISK_USERS := $(shell grep -lxE '\#include "disk.h"' $(TEST_SOURCES) /dev/null)
disk_object = $(if $(filter $(1),$(DISK_USERS)),$(O)/obj/tests/lib/disk.o)

TEST_ARCHIVES := $(TESTLIB) $(cellcore_LIB) $(sandbox_LIB) $(cellc_LIB) $(COMMAND_LIB) $(CELL_ARCHIVES)
TEST_LIBS = $(CHECK_LIBS) $(COMMAND_LIBS) $(SANDBOX_LIBS) $(CELL_LIBS)

# "FILE:CELL" for every include of a cell's header, and every file in a folder of that name.
TEST_INCLUDES := $(shell grep -HoE '^\#include "([^"]*/)?[a-z][a-z0-9-]*/[^"/]*"' \
	$(TEST_SOURCES) $(FUZZ_SOURCES) /dev/null 2>/dev/null | \
	sed -E 's,:.*[/"]([a-z][a-z0-9-]*)/[^"/]*"$$,:\1,' | sort -u)
test_cells = $(sort $(foreach c,$(CELLS) $(LOGIC_ONLY),$(if $(filter $(1):$(c),$(TEST_INCLUDES))$(findstring /$(c)/,$(1)),$(c))))
test_archives = $(foreach c,$(call test_cells,$(1)),$($(c)_LIB))
test_libs = $(foreach c,$(call test_cells,$(1)),$($(c)_ALL_LIBS))

# Programs that integration tests run.
TEST_TOOLS := $(patsubst tests/lib/%.c,$(O)/tests/bin/%,$(filter-out $(TESTLIB_MAINS),$(filter tests/lib/%,$(MAIN_FILES))))
$(foreach t,$(TEST_TOOLS),$(eval $(call program,$(t),$(O)/obj/tests/lib/$(notdir $(t)).o,$(TEST_ARCHIVES),$$(TEST_LIBS))))

TEST_PROGRAMS := $(TEST_SOURCES:%.c=$(O)/%)
$(foreach s,$(TEST_SOURCES),$(eval $(call program,$(O)/$(s:.c=),$(call objects,$(s)) $(call disk_object,$(s)),$(call test_archives,$(s)) $(TEST_ARCHIVES),$$(TEST_LIBS) $(call test_libs,$(s)))))

FUZZ_PROGRAMS := $(FUZZ_SOURCES:%.c=$(O)/%)
REPLAY_OBJECT := $(O)/obj/tests/lib/replay.o
FUZZ_MAIN := $(if $(FUZZ),-fsanitize=fuzzer)
$(foreach s,$(FUZZ_SOURCES),$(eval $(call program,$(O)/$(s:.c=),$(call objects,$(s)) $(if $(FUZZ),,$(REPLAY_OBJECT)),$(call test_archives,$(s)) $(TEST_ARCHIVES),$(FUZZ_MAIN) $$(TEST_LIBS) $(call test_libs,$(s)))))

# T=word keeps what has the word in its path.
chosen = $(if $(T),$(foreach t,$(1),$(if $(findstring $(T),$(t)),$(t))),$(1))
TEST_RUN := $(call chosen,$(TEST_PROGRAMS))
FUZZ_RUN := $(call chosen,$(FUZZ_PROGRAMS))
BATS_RUN := $(call chosen,$(BATS_FILES))

.PHONY: tests test fuzzers
fuzzers: $(FUZZ_RUN)
tests: $(TEST_PROGRAMS) $(FUZZ_PROGRAMS) $(TEST_TOOLS)
test: all $(TEST_RUN) $(FUZZ_RUN) $(TEST_TOOLS)
	@O=$(O) sh tests/run.sh $(TEST_RUN) $(FUZZ_RUN) $(BATS_RUN)
