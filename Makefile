# The only makefile of Cell. `make help` says what it can do.
#
# Nothing here names a source file: the rules.mk of each folder lists them by
# wildcard, so a new .c file is built without touching a makefile.
# Everything goes to $(O); generated code to $(O)/gen, which is on the include path.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
# As many jobs as there are CPUs, unless -j says otherwise.
MAKEFLAGS += --no-builtin-rules -j$(shell nproc)

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
FUZZ    ?=
TASK    ?=
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

# FUZZ=1: harnesses driven by libFuzzer, in a tree of their own; for scripts/fuzz.sh.
ifneq ($(FUZZ),)
override O := $(O)-fuzz
CC := clang
endif

# ---- What is missing gets installed, before anything else is read -------------

QUIET_GOALS := help clean uninstall size
ifneq ($(if $(MAKECMDGOALS),$(filter-out $(QUIET_GOALS),$(MAKECMDGOALS)),all),)
include $(O)/deps-run.mk
ifneq ($(filter test tests fuzz fuzzers lint check-docs coverage soak,$(MAKECMDGOALS)),)
include $(O)/deps-test.mk
endif
ifneq ($(filter bench bench-%,$(MAKECMDGOALS)),)
include $(O)/deps-bench.mk
endif
endif

# make restarts itself after it has made an included file, so the pkg-config
# calls below always see the packages. The sets are asked for one after the other.
$(O)/deps-test.mk $(O)/deps-bench.mk: $(O)/deps-run.mk
$(O)/deps-%.mk: scripts/install-deps.sh
	@mkdir -p $(@D)
	@sh scripts/install-deps.sh $*
	@echo '# everything that scripts/install-deps.sh $* installs was there' >$@

# ---- How to compile -----------------------------------------------------------

WARNINGS := -Wall -Wextra -Wsign-compare -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wwrite-strings \
	-Wvla -Wformat=2 -Wimplicit-fallthrough -Wundef -Wredundant-decls \
	-Werror=implicit-function-declaration -Werror=int-conversion \
	-Werror=incompatible-pointer-types

# gcc's idea of a dangling pointer: a list that holds a waiter on another stack, as ours do.
ifeq ($(findstring clang,$(shell $(CC) --version 2>/dev/null)),)
WARNINGS += -Wno-dangling-pointer
endif

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
else ifneq ($(FUZZ),)
CELL_CFLAGS += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
CELL_LDFLAGS += -fsanitize=address,undefined
else
CELL_CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
# Sanitizers leave names open that only the program brings.
SHARED_LDFLAGS := -Wl,-z,defs
endif

# The portable way to switch stacks, for trying it where there is a faster one.
ifeq ($(TASK),ucontext)
CELL_CPPFLAGS += -DTASK_UCONTEXT
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
objects = $(addsuffix .o,$(addprefix $(O)/obj/,$(basename $(1))))

# Files that define main(): each is a program, the rest of its folder is shared.
PAREN := (
MAIN_FILES := $(shell grep -lE \
	'^(int[[:space:]]+)?main[[:space:]]*[$(PAREN)]' $(wildcard core/*/*.c cells/*/*.c tests/lib/*.c) /dev/null 2>/dev/null)

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

$(O)/obj/%.o: %.S $(O)/flags
	@mkdir -p $(@D)
	$(call say,AS,$<) $(CC) $(CELL_CPPFLAGS) $(CPPFLAGS) $(CELL_CFLAGS) $(CFLAGS) \
		-MMD -MP -MF $(@:.o=.d) -c -o $@ $<

# $(eval $(call archive,TARGET,OBJECTS)): nothing at all when there are no objects.
define archive
ifneq ($(strip $(2)),)
ALL_OBJECTS += $(2)
$(1): $(2)
	@mkdir -p $$(@D)
	@rm -f $$@.new
	$$(call say,AR,$$@) $$(AR) rcs $$@.new $(2)
	@mv -f $$@.new $$@
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

.PHONY: all clean help bench run-mesh fuzz lint check-docs check-layers coverage size soak \
	install uninstall FORCE
all: $(LIBRARIES) $(PROGRAMS) $(O)/include/cell $(O)/share/cell/proto

# A cell elsewhere is built against this folder as against what `make install` makes.
$(O)/include/cell: | core/include/cell
$(O)/share/cell/proto: | proto
$(O)/include/cell $(O)/share/cell/proto:
	@mkdir -p $(@D)
	@ln -sfn $(CURDIR)/$(firstword $|) $@

run-mesh: all
	@O=$(O) sh scripts/run-mesh.sh

fuzz:
	@sh scripts/fuzz.sh $(if $(T),-k $(T))

lint: all
	@O=$(O) CC=$(CC) sh scripts/lint.sh

check-docs: all
	@O=$(O) sh scripts/check-docs.sh

check-layers: all
	@O=$(O) sh scripts/check-layers.sh

coverage:
	@sh scripts/coverage.sh

size: all
	@O=$(O) sh scripts/size.sh

soak: all
	@sh scripts/soak.sh $(T)

ifeq ($(wildcard tests/bench/rules.mk),)
bench:
	@echo "tests/bench has no benchmarks" >&2; exit 1
endif

clean:
	rm -rf $(O)

# ---- Installing ------------------------------------------------------------------

LIBDIR := $(PREFIX)/lib
INCLUDES := $(wildcard core/include/cell/*.h)
CONFIGURED := cell.pc $(if $(STORE_LIB),cellstore.pc) cellcore.service cellcore.socket

$(O)/%: core/%.in $(O)/prefix
	@sed 's,@PREFIX@,$(PREFIX),g; s,@VERSION@,$(VERSION),g' $< >$@
$(O)/%: core/systemd/%.in $(O)/prefix
	@sed 's,@PREFIX@,$(PREFIX),g; s,@VERSION@,$(VERSION),g' $< >$@
$(O)/prefix: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' >$@

# MODE:SOURCE:TARGET, target below PREFIX. install and uninstall read the same list.
INSTALLED := \
	$(foreach f,$(filter $(O)/bin/%,$(PROGRAMS)),755:$(f):bin/$(notdir $(f))) \
	$(foreach f,$(filter $(O)/cells/%.cell,$(PROGRAMS)),644:$(f):lib/cell/$(f:$(O)/%=%)) \
	$(foreach f,$(filter-out %.cell,$(filter $(O)/cells/%,$(PROGRAMS))),755:$(f):lib/cell/$(f:$(O)/%=%)) \
	$(foreach f,$(LIBRARIES),644:$(f):lib/$(notdir $(f))) \
	$(foreach f,$(LIBRARIES:%.so=%.so.$(ABI)),$(if $(filter %.$(ABI),$(f)),755:$(f):lib/$(notdir $(f)))) \
	$(foreach f,$(INCLUDES),644:$(f):$(f:core/%=%)) \
	$(foreach p,$(LIBCELL_PROTOS),644:$(O)/gen/$(p).cell.h:include/cell/proto/$(p).cell.h) \
	$(foreach f,$(wildcard proto/*.proto clients/*/*.c clients/*/*.py),644:$(f):share/cell/$(f)) \
	$(foreach f,$(MAN_PAGES) $(MAN_LINKS),644:$(f):share/man/man$(subst .,,$(suffix $(f)))/$(notdir $(f))) \
	644:core/cell/completion.bash:share/bash-completion/completions/cell \
	644:core/cell/completion.zsh:share/zsh/site-functions/_cell \
	644:core/cell/completion.fish:share/fish/vendor_completions.d/cell.fish \
	644:$(O)/cell.pc:lib/pkgconfig/cell.pc \
	$(if $(STORE_LIB),644:$(O)/cellstore.pc:lib/pkgconfig/cellstore.pc) \
	$(foreach u,service socket,644:$(O)/cellcore.$(u):lib/systemd/system/cellcore.$(u)) \
	644:core/systemd/cell.sysusers:lib/sysusers.d/cell.conf

# Links stay links: cell-logs is cell-log, libcell.so is libcell.so.0.
install: all $(CONFIGURED:%=$(O)/%) $(MAN_LINKS)
	@for f in $(INSTALLED); do \
		mode=$${f%%:*}; f=$${f#*:}; source=$${f%%:*}; target="$(DESTDIR)$(PREFIX)/$${f#*:}"; \
		mkdir -p "$${target%/*}" || exit 1; \
		if [ -L "$$source" ]; then rm -f "$$target" && cp -P "$$source" "$$target"; \
		else install -m "$$mode" "$$source" "$$target"; fi || exit 1; \
	done
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" -eq 0 ]; then PATH=$$PATH:/usr/sbin:/sbin ldconfig; fi
	@echo "installed below $(DESTDIR)$(PREFIX)"

# Folders go when they are empty; those that /usr/local has anyway only from elsewhere.
uninstall: KEPT := $(if $(DESTDIR)$(filter-out /usr /usr/local,$(PREFIX)),,bin include lib share share/man)
uninstall:
	@for f in $(INSTALLED); do rm -f "$(DESTDIR)$(PREFIX)/$${f##*:}"; done
	@cd "$(DESTDIR)$(PREFIX)" 2>/dev/null || exit 0; \
	for d in $(sort $(foreach f,$(INSTALLED),$(dir $(lastword $(subst :, ,$(f)))))); do \
		d=$${d%/}; \
		while [ "$$d" != . ]; do \
			case " $(KEPT) " in *" $$d "*) break ;; esac; \
			rmdir "$$d" 2>/dev/null || break; \
			d=$$(dirname "$$d"); \
		done; \
	done
	@echo "removed from $(DESTDIR)$(PREFIX)"

help:
	@sed -n 's/^#: \{0,1\}//p' Makefile

#: make               build everything into build/ (programs in build/bin)
#: make test          all tests; T=word runs those whose path has the word
#: make run-mesh      start a node with its cells on this machine, and show it
#: make bench         print the benchmark tables
#: make install       PREFIX=/usr/local, DESTDIR=; uninstall takes the same away
#: make clean         remove the build folder
#:
#: make lint          compiler warnings, clang-tidy, shellcheck, headers alone
#: make check-docs    manual pages: correct, and one for every command
#: make check-layers  who includes what, what cellcore links
#: make fuzz          drive every harness with libFuzzer for a while; T=word
#: make coverage      which lines the tests reach
#: make size          bytes of every program, lines of every part
#: make soak T=word   repeat a test until it fails
#:
#: Variables: V=1 shows commands, DEV=1 turns warnings into errors, CC=clang,
#: SAN=address|undefined|thread builds into build-address and so on, O=dir
#: builds elsewhere, TASK=ucontext switches stacks without assembly.
