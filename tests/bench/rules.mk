# The benchmarks: `make bench`, `make bench BENCH=--full`, `make bench-cellc`,
# `make bench-check`. Nothing else builds them.
#
# A peer whose library is missing is not built; the driver then names the package.

ifneq ($(filter bench bench-%,$(MAKECMDGOALS)),)

BENCH_OUT := $(O)/tests/bench
BENCH_GEN := $(BENCH_OUT)/gen
BENCH_OBJ := $(O)/obj/tests/bench

BENCH_CPPFLAGS := $(CELL_CPPFLAGS) -Itests/bench -I$(BENCH_GEN)
BENCH_CXXFLAGS := -std=gnu++17 -O2 -g -Wall -Wextra

# name,pkg-config names: the name, if all of them are there
bench_if = $(shell pkg-config --exists $(2) && echo $(1))
# name,header
bench_if_header = $(shell printf '\043include <%s>\n' $(2) | \
	$(CC) -E - >/dev/null 2>&1 && echo $(1))

# With a table: they share table.c as well.
BENCH_TABLES := celldb $(call bench_if,sqlite,sqlite3) $(call bench_if,redis,hiredis) \
	$(call bench_if,postgres,libpq)
BENCH_C := cell floor ring unix $(call bench_if,zmq,libzmq) $(call bench_if,sdbus,libsystemd) \
	$(call bench_if,nats,libnats) $(call bench_if_header,nng,nng/nng.h) $(BENCH_TABLES)
BENCH_CC := $(call bench_if,capnp,capnp-rpc) $(call bench_if,grpc,grpc++ protobuf)

BENCH_CFLAGS_zmq := $(call pkg_cflags,libzmq)
BENCH_LIBS_zmq := $(call pkg_libs,libzmq)
BENCH_CFLAGS_sdbus := $(call pkg_cflags,libsystemd)
BENCH_LIBS_sdbus := $(call pkg_libs,libsystemd)
BENCH_CFLAGS_nats := $(call pkg_cflags,libnats)
BENCH_LIBS_nats := $(call pkg_libs,libnats)
BENCH_LIBS_sqlite := $(call pkg_libs,sqlite3) -pthread
BENCH_CFLAGS_redis := $(call pkg_cflags,hiredis)
BENCH_LIBS_redis := $(call pkg_libs,hiredis)
BENCH_CFLAGS_postgres := $(call pkg_cflags,libpq)
BENCH_LIBS_postgres := $(call pkg_libs,libpq)
BENCH_LIBS_nng := -lnng -pthread
BENCH_LIBS_capnp := $(call pkg_libs,capnp-rpc)
BENCH_LIBS_grpc := $(call pkg_libs,grpc++ protobuf)

BENCH_DRIVER := main catalog result machine report target round tree
BENCH_PEERS := $(patsubst %,$(BENCH_OUT)/peer_%,$(BENCH_C) $(BENCH_CC))
BENCH_CELLS := $(BENCH_OUT)/bench_cell $(BENCH_OUT)/node_calls
# The node that is measured is the one of this build.
BENCH_NODE := $(O)/bin/cellcore $(O)/bin/cell-sandbox
BENCH_CELLDB := $(O)/cells/celldb/celldb $(O)/cells/celldb/celldb.cell
BENCH_PROGRAMS := $(BENCH_PEERS) $(BENCH_CELLS) $(BENCH_OUT)/bench $(BENCH_OUT)/node $(BENCH_NODE) \
	$(BENCH_CELLDB)

# ---- Generated ------------------------------------------------------------------------

$(BENCH_GEN)/%.pb-c.c $(BENCH_GEN)/%.pb-c.h &: tests/bench/%.proto
	@mkdir -p $(@D)
	$(call say,GEN,$<) protoc-c --proto_path=tests/bench --c_out=$(BENCH_GEN) $<

$(BENCH_GEN)/bench.cell.c $(BENCH_GEN)/bench.cell.h &: tests/bench/bench.proto $(PLUGIN)
	@mkdir -p $(@D)
	$(call say,GEN,$<) protoc --plugin=protoc-gen-cell=$(PLUGIN) --proto_path=tests/bench \
		--cell_out=$(BENCH_GEN) $<

$(BENCH_GEN)/%.pb.cc $(BENCH_GEN)/%.pb.h $(BENCH_GEN)/%.grpc.pb.cc $(BENCH_GEN)/%.grpc.pb.h &: \
		tests/bench/%.proto
	@mkdir -p $(@D)
	$(call say,GEN,$<) protoc --proto_path=tests/bench --cpp_out=$(BENCH_GEN) \
		--grpc_out=$(BENCH_GEN) \
		--plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin) $<

$(BENCH_GEN)/bench.capnp.c++ $(BENCH_GEN)/bench.capnp.h &: tests/bench/bench.capnp
	@mkdir -p $(@D)
	$(call say,GEN,$<) capnp compile -oc++:$(BENCH_GEN) --src-prefix=tests/bench $<

# ---- Objects --------------------------------------------------------------------------

$(BENCH_OBJ)/%.o: tests/bench/%.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(BENCH_CPPFLAGS) $(CPPFLAGS) $(CELL_CFLAGS) $(CFLAGS) \
		$(BENCH_CFLAGS_$(patsubst peer_%,%,$*)) $(EXTRA) $(WERROR) \
		-MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$(BENCH_OBJ)/%.o: tests/bench/%.cc $(O)/flags
	@mkdir -p $(@D)
	$(call say,CXX,$<) $(CXX) $(BENCH_CPPFLAGS) $(CPPFLAGS) $(BENCH_CXXFLAGS) $(CXXFLAGS) $(WERROR) \
		-MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$(BENCH_OBJ)/gen/%.o: $(BENCH_GEN)/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(BENCH_CPPFLAGS) $(CELL_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BENCH_OBJ)/gen/%.o: $(BENCH_GEN)/%.cc
	@mkdir -p $(@D)
	$(call say,CXX,$<) $(CXX) $(BENCH_CPPFLAGS) $(BENCH_CXXFLAGS) -c -o $@ $<

$(BENCH_OBJ)/gen/%.o: $(BENCH_GEN)/%.c++
	@mkdir -p $(@D)
	$(call say,CXX,$<) $(CXX) $(BENCH_CPPFLAGS) $(BENCH_CXXFLAGS) -c -o $@ $<

BENCH_CELL := $(BENCH_OBJ)/gen/bench.cell.o $(LIBCELL)
$(patsubst %,$(BENCH_OBJ)/%.o,peer_cell peer_celldb bench_cell node_calls): | $(BENCH_GEN)/bench.cell.h \
	$(GENERATED_HEADERS)
BENCH_CODEC := $(BENCH_OBJ)/codec.o $(BENCH_OBJ)/gen/bench.pb-c.o
$(BENCH_OBJ)/codec.o: | $(BENCH_GEN)/bench.pb-c.h
$(BENCH_OBJ)/peer_capnp.o: | $(BENCH_GEN)/bench.capnp.h
$(BENCH_OBJ)/peer_grpc.o: | $(BENCH_GEN)/bench.grpc.pb.h $(BENCH_GEN)/bench_stream.grpc.pb.h
$(BENCH_OBJ)/gen/bench_stream.pb.o $(BENCH_OBJ)/gen/bench_stream.grpc.pb.o: | $(BENCH_GEN)/bench.pb.h

.SECONDARY: $(patsubst %,$(BENCH_GEN)/%,bench.pb-c.c bench.capnp.c++ bench.pb.cc bench.grpc.pb.cc \
	bench_stream.pb.cc bench_stream.grpc.pb.cc)
-include $(wildcard $(BENCH_OBJ)/*.d)

# ---- Programs -------------------------------------------------------------------------

BENCH_HARNESS := $(patsubst %,$(BENCH_OBJ)/%.o,bench hist tree)
BENCH_OBJECTS_cell := $(BENCH_CELL)
BENCH_LIBS_cell := $(BASE_LIBS)
BENCH_OBJECTS_floor := $(BENCH_OBJ)/link.o
$(foreach peer,$(BENCH_TABLES),$(eval BENCH_OBJECTS_$(peer) := $(BENCH_OBJ)/table.o))
BENCH_OBJECTS_celldb += $(LIBCELL)
BENCH_LIBS_celldb := $(BASE_LIBS)
BENCH_OBJECTS_ring := $(BENCH_OBJ)/link.o
BENCH_OBJECTS_capnp := $(BENCH_OBJ)/gen/bench.capnp.o
BENCH_OBJECTS_grpc := $(patsubst %,$(BENCH_OBJ)/gen/%.o,bench.pb bench.grpc.pb \
	bench_stream.pb bench_stream.grpc.pb)

# $(eval $(call bench_peer,NAME,COMPILER,OBJECTS))
define bench_peer
$(BENCH_OUT)/peer_$(1): $(BENCH_OBJ)/peer_$(1).o $(BENCH_HARNESS) $(3)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@) $(2) $$(CELL_LDFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(BENCH_LIBS_$(1)) \
		$$(LDLIBS)
endef

$(foreach peer,$(BENCH_C),$(eval $(call bench_peer,$(peer),$(CC),\
	$(BENCH_CODEC) $(BENCH_OBJECTS_$(peer)))))
$(foreach peer,$(BENCH_CC),$(eval $(call bench_peer,$(peer),$(CXX),$(BENCH_OBJECTS_$(peer)))))
BENCH_PROTOBUF_C := $(call pkg_libs,libprotobuf-c)
$(patsubst %,$(BENCH_OUT)/peer_%,$(BENCH_C)): LDLIBS += $(BENCH_PROTOBUF_C)

BENCH_JANSSON := $(call pkg_libs,jansson)
$(BENCH_OUT)/bench: $(patsubst %,$(BENCH_OBJ)/%.o,$(BENCH_DRIVER))
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(CELL_CFLAGS) $(CFLAGS) $(CELL_LDFLAGS) $(LDFLAGS) -o $@ $^ \
		$(BENCH_JANSSON) -lm $(LDLIBS)

$(BENCH_OUT)/node: $(BENCH_OBJ)/node.o $(BENCH_OBJ)/proc.o $(BENCH_HARNESS)
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(CELL_CFLAGS) $(CFLAGS) $(CELL_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BENCH_CELLS): $(BENCH_OUT)/%: $(BENCH_OBJ)/%.o $(BENCH_HARNESS) $(BENCH_CELL)
	@mkdir -p $(@D)
	$(call say,LD,$@) $(CC) $(CELL_CFLAGS) $(CFLAGS) $(CELL_LDFLAGS) $(LDFLAGS) -o $@ $^ $(BASE_LIBS) $(LDLIBS)

# cellc is measured with the cells of the same build.
BENCH_CELLC := $(BENCH_NODE) $(patsubst %,$(O)/bin/%,cellc cell) \
	$(foreach c,macro validate,$(O)/cells/$(c)/$(c) $(O)/cells/$(c)/$(c).cell)
BENCH_CELLC_ROUNDS := $(if $(filter --full,$(BENCH)),21,7)

bench: $(BENCH_PROGRAMS) $(BENCH_CELLC)
	$(BENCH_OUT)/bench $(BENCH)
	$(if $(filter --json --only=%,$(BENCH)),,O=$(O) tests/bench/cellc.sh -n $(BENCH_CELLC_ROUNDS))

bench-cellc: $(BENCH_CELLC)
	O=$(O) tests/bench/cellc.sh -n $(BENCH_CELLC_ROUNDS)

bench-check: $(BENCH_PROGRAMS) $(BENCH_CELLC)
	$(BENCH_OUT)/bench --check
	O=$(O) tests/bench/cellc.sh -n 1 core/libcell/guess.c

.PHONY: bench-cellc bench-check bench-programs
bench-programs: $(BENCH_PROGRAMS)

endif
