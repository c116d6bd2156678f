# Every folder here with a main.c is a cell:
#   main.c and the other files    $(O)/cells/NAME/NAME, beside its manifest
#   cmd.c, and any cmd_*.c        $(O)/bin/cell-NAME
#   any other file with a main    $(O)/bin/FILE
# A cell's own rules.mk may set, with its name in front:
#   NAME_PKGS    pkg-config packages of its daemon    NAME_LIBS    libraries without one
#   NAME_VERBS   further names of its command: `logs` makes cell-logs the same program
#   NAME_CMD_PKGS, NAME_CMD_LIBS, NAME_CMD_SOURCES    of its command: packages, libraries
#                without one, and files of the cell's own that it shares

CELLS := $(sort $(patsubst cells/%/main.c,%,$(wildcard cells/*/main.c)))
-include $(wildcard cells/*/rules.mk)

CELL_ARCHIVES := $(PROTO_LIB) $(TABLE_LIB) $(STORE_LIB) $(LIBCELL) $(GEN_LIB) $(DESCRIPTOR_LIB)
CELL_CMD_ARCHIVES := $(COMMAND_LIB) $(PROTO_LIB) $(TABLE_LIB) $(STORE_LIB) $(LIBCELL) $(DESCRIPTOR_LIB)
CELL_LIBS := $(call pkg_libs,jansson) $(BASE_LIBS) $(STORE_LIBS)

# One cell. Its logic is also an archive, for the tests.
define cell
$(1)_FILES := $(filter-out cells/$(1)/cmd.c cells/$(1)/cmd_%,$(filter-out $(MAIN_FILES),$(wildcard cells/$(1)/*.c)))
$(1)_OBJECTS := $$(call objects,$$($(1)_FILES))
$(1)_LIB := $$(if $$($(1)_OBJECTS),$(O)/lib/cells/$(1).a)
$(1)_ALL_LIBS := $$(call pkg_libs,$($(1)_PKGS)) $($(1)_LIBS) $(CELL_LIBS)
$$(eval $$(call archive,$(O)/lib/cells/$(1).a,$$($(1)_OBJECTS)))
$$(eval $$(call program,$(O)/cells/$(1)/$(1),$(O)/obj/cells/$(1)/main.o $$($(1)_OBJECTS),$(CELL_ARCHIVES),$$($(1)_ALL_LIBS)))
PROGRAMS += $(O)/cells/$(1)/$(1)
$(O)/obj/cells/$(1)/%.o: EXTRA = $$(call pkg_cflags,$($(1)_PKGS) $($(1)_CMD_PKGS))

ifneq ($(wildcard cells/$(1)/$(1).cell),)
$(O)/cells/$(1)/$(1).cell: cells/$(1)/$(1).cell
	@mkdir -p $$(@D)
	@cp $$< $$@
PROGRAMS += $(O)/cells/$(1)/$(1).cell
endif

ifneq ($(wildcard cells/$(1)/cmd.c),)
$$(eval $$(call program,$(O)/bin/cell-$(1),$(call objects,$(wildcard cells/$(1)/cmd.c cells/$(1)/cmd_*.c) $($(1)_CMD_SOURCES)),$(CELL_CMD_ARCHIVES),$$(call pkg_libs,$($(1)_CMD_PKGS)) $($(1)_CMD_LIBS) $(COMMAND_LIBS)))
COMMANDS += $(O)/bin/cell-$(1)
PROGRAMS += $(O)/bin/cell-$(1)
$(foreach v,$($(1)_VERBS),$(O)/bin/cell-$(v)): $(O)/bin/cell-$(1)
	@ln -sf cell-$(1) $$@
COMMANDS += $(foreach v,$($(1)_VERBS),$(O)/bin/cell-$(v))
PROGRAMS += $(foreach v,$($(1)_VERBS),$(O)/bin/cell-$(v))
endif
endef
$(foreach c,$(CELLS),$(eval $(call cell,$(c))))

# Logic whose program is not there yet: an archive, for the tests.
LOGIC_ONLY := $(filter-out $(CELLS),$(sort $(foreach f,$(wildcard cells/*/*.c),$(word 2,$(subst /, ,$(f))))))
define logic
$(1)_OBJECTS := $(call objects,$(filter-out cells/$(1)/cmd.c cells/$(1)/cmd_% $(MAIN_FILES),$(wildcard cells/$(1)/*.c)))
$(1)_LIB := $(O)/lib/cells/$(1).a
$(1)_ALL_LIBS := $$(call pkg_libs,$($(1)_PKGS)) $($(1)_LIBS) $(CELL_LIBS)
$$(eval $$(call archive,$(O)/lib/cells/$(1).a,$$($(1)_OBJECTS)))
endef
$(foreach c,$(LOGIC_ONLY),$(eval $(call logic,$(c))))

# file: a further program in a cell's folder
define cell_extra
$(eval $(call program,$(O)/bin/$(basename $(notdir $(1))),$(call objects,$(1)),$($(2)_LIB) $(COMMAND_LIB) $(CELL_ARCHIVES),$(COMMAND_LIBS) $($(2)_ALL_LIBS)))
PROGRAMS += $(O)/bin/$(basename $(notdir $(1)))
EXTRA_PROGRAMS += $(O)/bin/$(basename $(notdir $(1)))
endef
EXTRA_PROGRAMS :=
$(foreach f,$(filter-out %/main.c %/cmd.c,$(filter cells/%,$(MAIN_FILES))),$(if $(filter $(word 2,$(subst /, ,$(f))),$(CELLS)),$(eval $(call cell_extra,$(f),$(word 2,$(subst /, ,$(f)))))))
