# The only makefile of Cell. `make help` says what it can do.
#
# Nothing here names a source file: the rules.mk of each folder lists them by
# wildcard, so a new .c file is built without touching a makefile.
# Everything goes to $(O); generated code to $(O)/gen, which is on the include path.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0

# ---- What one may set --------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
CC      ?= gcc
CXX     ?= g++
AR      ?= ar
O       ?= build
SAN     ?=
DEV     ?=
V       ?=
T       ?=
PREFIX  ?= /usr/local
DESTDIR ?=

ifneq ($(SAN),)
ifeq ($(filter $(SAN),address undefined thread),)
$(error SAN=$(SAN): say address, undefined or thread)
endif
override O := $(O)-$(SAN)
endif

# ---- What is missing gets installed, before anything else is read -------------

QUIET_GOALS := help clean uninstall check-layers install-deps
ifneq ($(if $(MAKECMDGOALS),$(filter-out $(QUIET_GOALS),$(MAKECMDGOALS)),all),)
include $(O)/deps-run.mk
ifneq ($(filter test test-% fuzz lint check-docs coverage,$(MAKECMDGOALS)),)
include $(O)/deps-test.mk
endif
ifneq ($(filter bench bench-%,$(MAKECMDGOALS)),)
include $(O)/deps-bench.mk
endif
endif

# make restarts itself after it has made an included file, so the pkg-config
# calls below always see the packages.
$(O)/deps-%.mk: scripts/install-deps.sh
	@mkdir -p $(@D)
	@sh scripts/install-deps.sh $*
	@echo '# everything that scripts/install-deps.sh $* installs was there' >$@

# ---- How to compile -----------------------------------------------------------

WARNINGS := -Wall -Wextra -Wsign-compare -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wwrite-strings \
	-Wvla -Wformat=2 -Wimplicit-fallthrough -Wundef -Wredundant-decls

# -fPIC everywhere: the same objects serve the archive and the shared library.
CELL_CPPFLAGS := -D_GNU_SOURCE -DCELL_VERSION='"$(VERSION)"' -Icore/include -I$(O)/gen
CELL_CFLAGS := -std=gnu2x -O2 -g -fPIC -fno-semantic-interposition -fno-common \
	-fstack-protector-strong $(WARNINGS)
CELL_LDFLAGS := -Wl,--as-needed -Wl,-z,relro -Wl,-z,now

ifneq ($(SAN),)
CELL_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer
CELL_LDFLAGS += -fsanitize=$(SAN)
ifeq ($(SAN),undefined)
CELL_CFLAGS += -fno-sanitize-recover=undefined
endif
endif

# Outside the recorded flags below: it must not make anything be built again.
WERROR := $(if $(DEV),-Werror)

ifeq ($(V),)
say = @printf '  %-5s %s\n' $(1) $(2);
else
say =
endif

pkg_cflags = $(if $(1),$(shell pkg-config --cflags $(1) 2>/dev/null))
pkg_libs = $(if $(1),$(shell pkg-config --libs $(1) 2>/dev/null))

# Compilers and flags in use; rewritten only when they change, and every object depends on it.
FLAGS := $(CC) $(CELL_CPPFLAGS) $(CPPFLAGS) $(CELL_CFLAGS) $(CFLAGS)
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS))' >$@
FORCE:

# objects,SOURCES
objects = $(patsubst %.c,$(O)/obj/%.o,$(patsubst $(O)/gen/%,gen/%,$(1)))

# Files that define main(): each is a program, the rest of its folder is shared.
PAREN := (
MAIN_FILES := $(shell grep -lE '^(int[[:space:]]+)?main[[:space:]]*[$(PAREN)]' \
	$(wildcard core/*/*.c cells/*/*.c tests/lib/*.c) /dev/null 2>/dev/null)

ALL_OBJECTS :=
PROGRAMS :=
LIBRARIES :=

$(O)/obj/gen/%.o: $(O)/gen/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CELL_CPPFLAGS) $(CPPFLAGS) $(CELL_CFLAGS) $(CFLAGS) $(EXTRA) \
		-MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$(O)/obj/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(CELL_CPPFLAGS) $(CPPFLAGS) $(CELL_CFLAGS) $(CFLAGS) $(EXTRA) $(WERROR) \
		-MMD -MP -MF $(@:.o=.d) -c -o $@ $<

# $(eval $(call archive,TARGET,OBJECTS)): nothing at all when there are no objects.
define archive
ifneq ($(strip $(2)),)
ALL_OBJECTS += $(2)
$(1): $(2)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(call say,AR,$$@) $$(AR) rcs $$@ $(2)
endif
endef

# $(eval $(call program,TARGET,OBJECTS,ARCHIVES,LIBS))
define program
ALL_OBJECTS += $(2)
$(1): $(2) $(3)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@) $$(CC) $$(CELL_CFLAGS) $$(CFLAGS) $$(CELL_LDFLAGS) $$(LDFLAGS) -o $$@ $(2) \
		-Wl,--start-group $(3) -Wl,--end-group $(4) $$(LDLIBS)
endef

# ---- What there is to build -----------------------------------------------------

include proto/rules.mk
include core/rules.mk
include cells/rules.mk
include tests/rules.mk
-include tests/bench/rules.mk
-include man/rules.mk

$(sort $(filter-out $(BOOT_OBJECTS),$(ALL_OBJECTS))): | $(GENERATED_HEADERS)

-include $(wildcard $(sort $(ALL_OBJECTS:.o=.d)))

.PHONY: all clean help bench run-mesh fuzz test FORCE
all: $(LIBRARIES) $(PROGRAMS)

run-mesh: all
	@O=$(O) sh scripts/run-mesh.sh

clean:
	rm -rf $(O)

help:
	@sed -n 's/^#: //p' Makefile

#: make               build everything into build/ (programs in build/bin)
#: make test          unit, simulation, fault, fuzz-replay and integration tests; T=word runs those whose path has the word
#: make bench         print the benchmark tables
#: make run-mesh      start a mesh of three nodes on this machine
#: make clean         remove the build folder
#:
#: O=dir  SAN=address|undefined|thread  DEV=1 (warnings are errors)  V=1 (show commands)  CC=clang
