# Generated code: protoc-gen-cell (our plugin) for proto/*.proto, and protobuf-c's own
# generator for the two schemas that describe schemas, which the plugin itself needs.

GOOGLE_INCLUDE ?= /usr/include
GOOGLE := google/protobuf/descriptor google/protobuf/compiler/plugin
GOOGLE_HEADERS := $(GOOGLE:%=$(O)/gen/%.pb-c.h)
GOOGLE_OBJECTS := $(GOOGLE:%=$(O)/obj/gen/%.pb-c.o)

$(GOOGLE_HEADERS) $(GOOGLE:%=$(O)/gen/%.pb-c.c) &: proto/rules.mk $(O)/deps-run.mk
	@mkdir -p $(O)/gen
	$(call say,GEN,$(O)/gen/google) protoc-c --c_out=$(O)/gen -I $(GOOGLE_INCLUDE) \
		$(GOOGLE:%=$(GOOGLE_INCLUDE)/%.proto)
	@touch $(GOOGLE_HEADERS)

# Not our code, so not our warnings.
$(GOOGLE_OBJECTS): EXTRA := -w
$(GOOGLE_OBJECTS): | $(GOOGLE_HEADERS)
DESCRIPTOR_LIB := $(O)/lib/libcelldescriptor.a
$(eval $(call archive,$(DESCRIPTOR_LIB),$(GOOGLE_OBJECTS)))

# Without the plugin there is nothing to generate with.
PLUGIN_SOURCES := $(if $(wildcard core/protoc-gen-cell/main.c),$(wildcard core/protoc-gen-cell/*.c))
GEN_SOURCES := $(wildcard core/libcellgen/*.c)
GEN_LIB := $(O)/lib/libcellgen.a
PLUGIN := $(O)/bin/protoc-gen-cell
PROTOS := $(if $(PLUGIN_SOURCES),$(patsubst proto/%.proto,%,$(wildcard proto/*.proto)))
GENERATED_HEADERS := $(PROTOS:%=$(O)/gen/%.cell.h)

# A leak in a program that lives for one file is no reason to stop a sanitizer build.
# protoc notes which other files were imported in $(O)/gen/NAME.d.
# $(eval $(call generate,NAME,FOLDER))
define generate
$(O)/gen/$(1).cell.h $(O)/gen/$(1).cell.c &: $(2)/$(1).proto $(PLUGIN)
	$$(call say,GEN,$$<) ASAN_OPTIONS=detect_leaks=0 protoc --plugin=protoc-gen-cell=$(PLUGIN) --cell_out=$(O)/gen \
		--dependency_out=$(O)/gen/$(1).d $(sort -Iproto -I$(2)) $$<
endef
$(foreach p,$(PROTOS),$(eval $(call generate,$(p),proto)))
-include $(wildcard $(O)/gen/*.d)

PLUGIN_OBJECTS := $(call objects,$(PLUGIN_SOURCES))
GEN_OBJECTS := $(call objects,$(GEN_SOURCES))
BOOT_OBJECTS := $(PLUGIN_OBJECTS) $(GEN_OBJECTS) $(GOOGLE_OBJECTS)
$(eval $(call archive,$(GEN_LIB),$(GEN_OBJECTS)))
ifneq ($(PLUGIN_SOURCES),)
$(PLUGIN_OBJECTS) $(GEN_OBJECTS): | $(GOOGLE_HEADERS)
$(eval $(call program,$(PLUGIN),$(PLUGIN_OBJECTS),$(GEN_LIB) $(DESCRIPTOR_LIB),$(call pkg_libs,libprotobuf-c)))
PROGRAMS += $(PLUGIN)
endif

# libcell speaks these itself; the rest is for whoever talks to that cell.
LIBCELL_PROTOS := $(filter common core macro ops table txn,$(PROTOS))
LIBCELL_GEN_OBJECTS := $(LIBCELL_PROTOS:%=$(O)/obj/gen/%.cell.o)
PROTO_OBJECTS := $(patsubst %,$(O)/obj/gen/%.cell.o,$(filter-out $(LIBCELL_PROTOS),$(PROTOS)))
PROTO_LIB := $(if $(PROTO_OBJECTS),$(O)/lib/libcellproto.a)
$(eval $(call archive,$(O)/lib/libcellproto.a,$(PROTO_OBJECTS)))
