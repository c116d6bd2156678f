# The kernel: libcell, libcellstore, cell-sandbox, cellcore, the `cell` command.
# An archive whose folder is still empty is left out of every link line.

BASE_LIBS := -lev $(call pkg_libs,libprotobuf-c libsodium inih) -lpthread
STORE_LIBS := -llmdb

# ---- libcell ----
LIBCELL_OBJECTS := $(call objects,$(filter-out $(MAIN_FILES),$(wildcard core/libcell/*.c core/libcell/*.S))) $(LIBCELL_GEN_OBJECTS)
LIBCELL := $(if $(strip $(LIBCELL_OBJECTS)),$(O)/lib/libcell.a)
$(eval $(call archive,$(O)/lib/libcell.a,$(LIBCELL_OBJECTS)))

# $(1) library, $(2) objects, $(3) libraries of ours it needs, $(4) others, $(5) its headers,
# $(6) generated objects in it. It exports what its public headers name and all that was
# generated, as the headers of whoever imports common.proto name it; nothing of its inside.
ABI := 0
define shared
$(O)/lib/$(1).map: $(5) $(6) core/rules.mk
	@mkdir -p $$(@D)
	@{ echo '$(shell echo $(1) | tr a-z A-Z)_$(ABI) { global:' && \
		{ grep -ohE 'cell_[a-z0-9_]+' $(5); $(if $(6),nm -gPj --defined-only $(6);) } | \
		sort -u | sed 's/$$$$/;/' && \
		echo 'local: *; };'; } >$$@
$(O)/lib/$(1).so.$(ABI): $(2) $(O)/lib/$(1).map $(3)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@) $$(CC) $$(CELL_CFLAGS) $$(CFLAGS) $$(CELL_LDFLAGS) $$(LDFLAGS) -shared $$(SHARED_LDFLAGS) \
		-Wl,-soname,$(1).so.$(ABI) -Wl,--version-script=$(O)/lib/$(1).map -o $$@ $(2) $(3) $(4) $$(LDLIBS)
$(O)/lib/$(1).so: $(O)/lib/$(1).so.$(ABI)
	@ln -sf $(1).so.$(ABI) $$@
LIBRARIES += $(O)/lib/$(1).a $(O)/lib/$(1).so
endef
ifneq ($(LIBCELL),)
$(eval $(call shared,libcell,$(LIBCELL_OBJECTS),,$(BASE_LIBS),\
	$(filter-out %/store.h,$(wildcard core/include/cell/*.h)),$(LIBCELL_GEN_OBJECTS)))
endif

# ---- a main() for programs whose handlers are all there is to them ----
$(eval $(call archive,$(O)/lib/libcell-main.a,$(call objects,$(wildcard core/libcell-main/*.c))))
LIBRARIES += $(O)/lib/libcell-main.a

# ---- libcellstore: the only library that knows LMDB ----
STORE_OBJECTS := $(call objects,$(wildcard core/libcellstore/*.c))
STORE_LIB := $(if $(STORE_OBJECTS),$(O)/lib/libcellstore.a)
$(eval $(call archive,$(O)/lib/libcellstore.a,$(STORE_OBJECTS)))
ifneq ($(STORE_LIB),)
$(eval $(call shared,libcellstore,$(STORE_OBJECTS),$(O)/lib/libcell.so.$(ABI),$(STORE_LIBS),\
	core/include/cell/store.h))
endif

# ---- libcelltable: what the cells that keep tables have in common; not installed ----
TABLE_OBJECTS := $(call objects,$(wildcard core/libcelltable/*.c))
TABLE_LIB := $(if $(TABLE_OBJECTS),$(O)/lib/libcelltable.a)
$(eval $(call archive,$(O)/lib/libcelltable.a,$(TABLE_OBJECTS)))

# folder,name: an archive of all but main.c for the tests, and the program
# $(1) folder under core, $(2) program, $(3) archives, $(4) libraries
define core_program
$(1)_OBJECTS := $(call objects,$(filter-out $(MAIN_FILES) core/$(1)/verb_%,$(wildcard core/$(1)/*.c)))
$$(eval $$(call archive,$(O)/lib/lib$(1).a,$$($(1)_OBJECTS)))
$(1)_LIB := $$(if $$($(1)_OBJECTS),$(O)/lib/lib$(1).a)
ifneq ($(filter core/$(1)/main.c,$(MAIN_FILES)),)
$$(eval $$(call program,$(O)/bin/$(2),$(O)/obj/core/$(1)/main.o $$($(1)_OBJECTS),$(3),$(4)))
PROGRAMS += $(O)/bin/$(2)
endif
endef
SANDBOX_LIBS := $(call pkg_libs,libseccomp)
$(eval $(call core_program,sandbox,cell-sandbox,$(LIBCELL),$(BASE_LIBS) $(SANDBOX_LIBS)))
$(eval $(call core_program,cellcore,cellcore,$(LIBCELL),$(BASE_LIBS)))

# ---- the `cell` command: main.c is `cell`, every other file with a main is one verb ----
COMMAND_LIBS := $(call pkg_libs,jansson ncursesw) $(BASE_LIBS)
COMMAND_OBJECTS := $(call objects,$(filter-out $(MAIN_FILES),$(wildcard core/cell/*.c)))
COMMAND_LIB := $(if $(COMMAND_OBJECTS),$(O)/lib/libcellcmd.a)
COMMAND_ARCHIVES := $(COMMAND_LIB) $(PROTO_LIB) $(LIBCELL) $(DESCRIPTOR_LIB)
$(eval $(call archive,$(O)/lib/libcellcmd.a,$(COMMAND_OBJECTS)))

VERBS := $(patsubst core/cell/%.c,%,$(filter-out core/cell/main.c,$(filter core/cell/%,$(MAIN_FILES))))
COMMANDS := $(if $(filter core/cell/main.c,$(MAIN_FILES)),$(O)/bin/cell) $(VERBS:%=$(O)/bin/cell-%)
$(foreach v,$(VERBS),$(eval $(call program,$(O)/bin/cell-$(v),$(O)/obj/core/cell/$(v).o,$(COMMAND_ARCHIVES),$(COMMAND_LIBS))))
$(if $(filter core/cell/main.c,$(MAIN_FILES)),$(eval $(call program,$(O)/bin/cell,$(O)/obj/core/cell/main.o,$(COMMAND_ARCHIVES),$(COMMAND_LIBS))))
PROGRAMS += $(COMMANDS)

# ---- cellc: the compiler driver; libclang is opened when it is needed ----
# It starts for every file that is compiled, so what it needs is linked in where there are
# archives: finding five shared libraries takes as long as all that it does for a plain file.
linked_in = $(if $(filter /%,$(shell $(CC) -print-file-name=lib$(1).a)),-l:lib$(1).a,-l$(1))
CELLC_LIBS := $(foreach l,ev protobuf-c sodium inih,$(call linked_in,$(l))) -lm -lpthread -ldl
$(eval $(call core_program,cellc,cellc,$(PROTO_LIB) $(LIBCELL),$(CELLC_LIBS)))

# Commands around it: verb_NAME.c with a main is cell-NAME, one without is shared by them.
CELLC_VERB_OBJECTS := $(call objects,$(filter-out $(MAIN_FILES),$(wildcard core/cellc/verb_*.c)))
CELLC_VERBS := $(patsubst core/cellc/verb_%.c,%,$(filter core/cellc/verb_%,$(MAIN_FILES)))
$(foreach v,$(CELLC_VERBS),$(eval $(call program,$(O)/bin/cell-$(v),$(O)/obj/core/cellc/verb_$(v).o $(CELLC_VERB_OBJECTS),$(cellc_LIB) $(COMMAND_ARCHIVES),$(COMMAND_LIBS) -ldl)))
COMMANDS += $(CELLC_VERBS:%=$(O)/bin/cell-%)
PROGRAMS += $(CELLC_VERBS:%=$(O)/bin/cell-%)

# The oldest header: what it has, every libclang that may be opened has, too.
LIBCLANG_HEADER := $(firstword $(sort $(wildcard /usr/lib/llvm-*/include/clang-c/Index.h)))
$(O)/obj/core/cellc/clang.o: EXTRA = $(LIBCLANG_HEADER:%/clang-c/Index.h=-isystem %)
# cmd_VERB.c beside it is the command cell-VERB.
CELLC_VERBS := $(patsubst core/cellc/cmd_%.c,%,$(filter core/cellc/cmd_%,$(MAIN_FILES)))
$(foreach v,$(CELLC_VERBS),$(eval $(call program,$(O)/bin/cell-$(v),$(O)/obj/core/cellc/cmd_$(v).o,$(cellc_LIB) $(COMMAND_ARCHIVES),$(COMMAND_LIBS) -ldl)))
COMMANDS += $(CELLC_VERBS:%=$(O)/bin/cell-%)
PROGRAMS += $(CELLC_VERBS:%=$(O)/bin/cell-%)
