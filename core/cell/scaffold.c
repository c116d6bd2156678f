#include "scaffold.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char proto[] =
	"// What @NAME@ can be asked. Comments here are shown by `cell describe @NAME@`.\n"
	"syntax = \"proto3\";\n"
	"package @ID@.v1;\n"
	"\n"
	"service @SERVICE@ {\n"
	"  // Say the text back, COUNT times. INVALID_ARGUMENT if the text is empty.\n"
	"  rpc Echo(EchoRequest) returns (EchoReply) { option idempotency_level = IDEMPOTENT; }\n"
	"\n"
	"  // The same, one reply after the other.\n"
	"  rpc EchoMany(EchoRequest) returns (stream EchoReply) {}\n"
	"}\n"
	"\n"
	"message EchoRequest {\n"
	"  string text = 1;\n"
	"  uint32 count = 2; // 0 = once\n"
	"}\n"
	"\n"
	"message EchoReply {\n"
	"  string text = 1;\n"
	"  uint64 number = 2; // of this instance's replies\n"
	"}\n";

static const char header[] =
	"/* What an instance of @NAME@ knows, and the table of its handlers. */\n"
	"#pragma once\n"
	"\n"
	"#include <stdint.h>\n"
	"\n"
	"struct @ID@_handlers;\n"
	"\n"
	"struct @ID@ {\n"
	"\tuint64_t replies; /* given so far */\n"
	"};\n"
	"\n"
	"/* One function per method of @NAME@.proto; they take a struct @ID@ as `self`. */\n"
	"extern const struct @ID@_handlers @ID@_handlers;\n";

static const char main_c[] =
	"/* @NAME@: everything it does for others is in rpc.c. */\n"
	"#include \"@NAME@.h\"\n"
	"\n"
	"#include \"@NAME@.cell.h\"\n"
	"\n"
	"#include <cell/cell.h>\n"
	"\n"
	"int main(void)\n"
	"{\n"
	"\tstruct @ID@ @ID@ = { 0 };\n"
	"\tstruct cell_call *call = cell_open(\"@NAME@\");\n"
	"\tint err = cell_serve(call, &@ID@_service, &@ID@_handlers, &@ID@);\n"
	"\n"
	"\t/* Says ready, serves until told to stop, then finishes what is in flight. */\n"
	"\treturn cell_exit(call, err ? err : cell_loop_run(call));\n"
	"}\n";

static const char rpc_c[] =
	"/* The methods of @NAME@.proto, in its order. */\n"
	"#include \"@NAME@.h\"\n"
	"\n"
	"#include \"@NAME@.cell.h\"\n"
	"\n"
	"#include <cell/cell.h>\n"
	"#include <string.h>\n"
	"\n"
	"#define COUNT_MAX 1000\n"
	"\n"
	"static int request_check(struct cell_call *call, const struct @ID@_echo_request *in)\n"
	"{\n"
	"\tif (!*in->text)\n"
	"\t\treturn cell_refuse(call, CELL_INVALID_ARGUMENT, \"there is no text to say\");\n"
	"\tif (in->count > COUNT_MAX)\n"
	"\t\treturn cell_refuse(call, CELL_INVALID_ARGUMENT, \"%\" PRIu32 \" times, limit %d\",\n"
	"\t\t\t\t   in->count, COUNT_MAX);\n"
	"\treturn 0;\n"
	"}\n"
	"\n"
	"/* The text COUNT times, in the call's memory: nobody frees it. */\n"
	"static int echo(struct cell_call *call, void *self, const struct @ID@_echo_request *in,\n"
	"\t\tstruct @ID@_echo_reply *out)\n"
	"{\n"
	"\tstruct @ID@ *@ID@ = self;\n"
	"\tsize_t len = strlen(in->text), count = in->count ? in->count : 1;\n"
	"\tint err = request_check(call, in);\n"
	"\tchar *text;\n"
	"\n"
	"\tif (err)\n"
	"\t\treturn err;\n"
	"\ttext = cell_arena_alloc(cell_arena(call), len * count + 1);\n"
	"\tif (!text)\n"
	"\t\treturn cell_refuse(call, CELL_RESOURCE_EXHAUSTED, \"no memory for the reply\");\n"
	"\tfor (size_t i = 0; i < count; i++)\n"
	"\t\tmemcpy(text + i * len, in->text, len);\n"
	"\ttext[len * count] = '\\0';\n"
	"\t*out = (struct @ID@_echo_reply){ .text = text, .number = ++@ID@->replies };\n"
	"\treturn 0;\n"
	"}\n"
	"\n"
	"static int echo_many(struct cell_call *call, void *self, const struct @ID@_echo_request *in,\n"
	"\t\t     struct @ID@_echo_reply_sink *out)\n"
	"{\n"
	"\tstruct @ID@ *@ID@ = self;\n"
	"\tuint32_t count = in->count ? in->count : 1;\n"
	"\tint err = request_check(call, in);\n"
	"\n"
	"\t/* Sending waits while the client does not read; the process goes on serving. */\n"
	"\tfor (uint32_t i = 0; !err && i < count; i++) {\n"
	"\t\tstruct @ID@_echo_reply reply = { .text = in->text, .number = ++@ID@->replies };\n"
	"\n"
	"\t\terr = @ID@_echo_reply_send(out, &reply);\n"
	"\t}\n"
	"\treturn err;\n"
	"}\n"
	"\n"
	"const struct @ID@_handlers @ID@_handlers = {\n"
	"\t.echo = echo,\n"
	"\t.echo_many = echo_many,\n"
	"};\n";

static const char manifest[] = "; How @NAME@ is run: cell-manifest(5) has every key.\n"
			       "[cell]\n"
			       "name = @NAME@\n"
			       "summary = Says back what it is told\n"
			       "exec = @NAME@\n"
			       "\n"
			       "; the cells it may call, and on which channels:\n"
			       "; [uses]\n"
			       "; greeter = app\n"
			       "\n"
			       "[limits]\n"
			       "memory = 64M\n"
			       "tasks = 4\n";

static const char makefile[] =
	"# make, make test, make clean. Cell is that of the `cell` in $PATH, be it installed or in\n"
	"# the tree where it was built.\n"
	"\n"
	"NAME := @NAME@\n"
	"O := build\n"
	"CFLAGS ?= -O2 -g\n"
	"WARNINGS := -Wall -Wextra\n"
	"\n"
	"CELL_BIN := $(patsubst %/,%,$(dir $(realpath $(shell command -v cell))))\n"
	"ifeq ($(CELL_BIN),)\n"
	"$(error $$PATH knows no `cell`: add the folder where it is)\n"
	"endif\n"
	"CELL := $(abspath $(CELL_BIN)/..)\n"
	"CELL_CFLAGS := $(addprefix -I,$(wildcard $(CELL)/include $(CELL)/include/cell/proto $(CELL)/gen))\n"
	"CELL_PROTO := $(CELL)/share/cell/proto\n"
	"CELL_PLUGIN := $(CELL_BIN)/protoc-gen-cell\n"
	"# The archive, as a cell sees nothing but its program and what is below /usr.\n"
	"CELL_LIBS := $(CELL)/lib/libcell.a -lev \\\n"
	"\t$(shell pkg-config --libs libprotobuf-c libsodium inih) -lm -lpthread\n"
	"\n"
	"OBJECTS := $(patsubst %.c,$(O)/%.o,$(wildcard *.c)) $(O)/$(NAME).cell.o\n"
	"\n"
	"$(NAME): $(OBJECTS)\n"
	"\t$(CC) $(LDFLAGS) -o $@ $^ $(CELL_LIBS)\n"
	"\n"
	"$(O)/$(NAME).cell.h $(O)/$(NAME).cell.c &: $(NAME).proto\n"
	"\t@mkdir -p $(O)\n"
	"\tprotoc --plugin=protoc-gen-cell=$(CELL_PLUGIN) --cell_out=$(O) -I . -I $(CELL_PROTO) $<\n"
	"\n"
	"$(O)/%.o: %.c $(O)/$(NAME).cell.h\n"
	"\t$(CC) -std=gnu2x -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) $(CELL_CFLAGS) -I$(O) -I. -MMD -c -o $@ $<\n"
	"\n"
	"$(O)/%.o: $(O)/%.c\n"
	"\t$(CC) -std=gnu2x -D_GNU_SOURCE $(CFLAGS) $(CELL_CFLAGS) -I$(O) -MMD -c -o $@ $<\n"
	"\n"
	"-include $(wildcard $(O)/*.d)\n"
	"\n"
	".PHONY: test clean\n"
	"test: $(NAME)\n"
	"\tsh ./test.sh\n"
	"clean:\n"
	"\trm -rf $(O) $(NAME)\n";

static const char test_sh[] =
	"#!/bin/sh\n"
	"# Starts a node of its own, runs @NAME@ in it, and calls every method.\n"
	"set -eu\n"
	"cd \"$(dirname \"$0\")\"\n"
	"\n"
	"CELL_RUNDIR=$(mktemp -d)\n"
	"export CELL_RUNDIR\n"
	"trap 'cell -q down; rm -rf \"$CELL_RUNDIR\"' EXIT\n"
	"\n"
	"# expect WANTED COMMAND...: the command prints just that\n"
	"expect() {\n"
	"\twanted=$1\n"
	"\tshift\n"
	"\tgot=$(\"$@\")\n"
	"\t[ \"$got\" = \"$wanted\" ] || {\n"
	"\t\techo \"not ok: $*: got $got, wanted $wanted\" >&2\n"
	"\t\texit 1\n"
	"\t}\n"
	"\techo \"ok: $*\"\n"
	"}\n"
	"\n"
	"cell -q up\n"
	"cell -q run .\n"
	"expect '{\"text\":\"hi\",\"number\":\"1\"}' cell call @NAME@ echo '{\"text\": \"hi\"}'\n"
	"expect '{\"text\":\"hihi\",\"number\":\"2\"}' cell call @NAME@ echo '{\"text\": \"hi\", \"count\": 2}'\n"
	"expect '{\"text\":\"hi\",\"number\":\"3\"}' cell call @NAME@ echo_many '{\"text\": \"hi\"}'\n"
	"if cell call @NAME@ echo '{}' 2>/dev/null; then\n"
	"\techo 'not ok: an empty text was taken' >&2\n"
	"\texit 1\n"
	"fi\n"
	"echo 'ok: an empty text is refused'\n";

static const char readme[] =
	"# @NAME@\n"
	"\n"
	"A cell that says back what it is told. Change `@NAME@.proto` and `rpc.c` into what you need.\n"
	"\n"
	"    make\n"
	"    cell up\n"
	"    cell run .\n"
	"    cell describe @NAME@\n"
	"    cell call @NAME@ echo '{\"text\": \"hello\", \"count\": 3}'\n"
	"    make test\n"
	"\n"
	"| file | what |\n"
	"|---|---|\n"
	"| `@NAME@.proto` | what it can be asked |\n"
	"| `rpc.c` | the answers, one function per method |\n"
	"| `main.c` | starts, serves, ends |\n"
	"| `@NAME@.cell` | the manifest: whom it may call, what it may use |\n"
	"| `test.sh` | runs it in a node of its own |\n";

static const char gitignore[] = "/build/\n/@NAME@\n";

static const struct scaffold_file files[] = {
	{ "NAME.proto", proto, 0644 },     { "NAME.h", header, 0644 },
	{ "main.c", main_c, 0644 },        { "rpc.c", rpc_c, 0644 },
	{ "NAME.cell", manifest, 0644 },   { "Makefile", makefile, 0644 },
	{ "test.sh", test_sh, 0755 },      { "README.md", readme, 0644 },
	{ ".gitignore", gitignore, 0644 },
};

const struct scaffold scaffold_service = { files, sizeof files / sizeof files[0] };

bool scaffold_is_taken(const char *name)
{
	static const char *const words[] = {
		"auto",    "bool",     "break",  "case",     "cell",     "char",     "common",
		"const",   "continue", "core",   "default",  "do",       "double",   "else",
		"enum",    "extern",   "false",  "float",    "for",      "goto",     "if",
		"inline",  "int",      "long",   "ops",      "register", "restrict", "return",
		"short",   "signed",   "sizeof", "static",   "struct",   "switch",   "true",
		"typedef", "typeof",   "union",  "unsigned", "void",     "volatile", "while",
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i], name) == 0)
			return true;
	return false;
}

/* hello-world as hello_world, or as HelloWorld. */
static void name_spell(FILE *out, const char *name, bool is_service)
{
	bool raise = is_service;

	for (; *name; name++) {
		if (*name == '-' && is_service)
			raise = true;
		else if (*name == '-')
			fputc('_', out);
		else
			fputc(raise ? toupper((unsigned char)*name) : *name, out);
		raise = raise && *name == '-';
	}
}

char *scaffold_text(const struct scaffold_file *file, const char *name)
{
	static const char *const marks[] = { "@NAME@", "@ID@", "@SERVICE@" };
	const char *at = file->text;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	while (out && *at) {
		size_t i = 0;

		while (i < 3 && strncmp(at, marks[i], strlen(marks[i])) != 0)
			i++;
		if (i == 0)
			fputs(name, out);
		else if (i < 3)
			name_spell(out, name, i == 2);
		else
			fputc(*at, out);
		at += i < 3 ? strlen(marks[i]) : 1;
	}
	if (!out || fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *scaffold_path(const struct scaffold_file *file, const char *name)
{
	char *path = NULL;
	bool is_named = strncmp(file->path, "NAME", 4) == 0;

	if (asprintf(&path, "%s%s", is_named ? name : "", file->path + (is_named ? 4 : 0)) <
	    0)
		return NULL;
	return path;
}
