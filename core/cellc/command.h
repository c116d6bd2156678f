/*
 * The compiler's command line, understood as far as cellc must: what is compiled, into what,
 * and which words go to which step. Pure but for @files, which are read through a function.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

enum compiler_kind { COMPILER_GCC, COMPILER_CLANG };

enum command_mode {
	COMMAND_PASS,       /* nothing for us: run it as it is */
	COMMAND_PREPROCESS, /* -E */
	COMMAND_CHECK,      /* -fsyntax-only */
	COMMAND_ASSEMBLY,   /* -S */
	COMMAND_OBJECT,     /* -c */
	COMMAND_LINK        /* compile, if there are sources, and link */
};

/* What an input stands for, by its suffix and the -x before it. */
enum command_input_kind {
	COMMAND_INPUT_C,
	COMMAND_INPUT_OTHER,  /* a source in another language */
	COMMAND_INPUT_LINKED, /* an object, an archive, whatever the linker gets */
	COMMAND_INPUT_LIBRARY /* -lNAME; `path` is NAME */
};

struct command_input {
	enum command_input_kind kind;
	const char *path;     /* "-" = standard input */
	size_t word;          /* its index in `expanded` */
	const char *language; /* of the -x before it; NULL = by its suffix */
};

/* @files within @files, and words in all: those of a hostile file end somewhere. */
#define COMMAND_FILES_MAX 64
#define COMMAND_WORDS_MAX (1024 * 1024)

struct command_line {
	enum command_mode mode;
	const char *why_pass; /* for --cellc-verbose: why nothing is done; NULL otherwise */
	bool is_preprocessed; /* it has -fpreprocessed or -fdirectives-only of the user's */
	char **argv; /* as given, without cellc's own; argv[0] is cellc's; NULL-terminated */
	size_t argc;
	char **expanded; /* the same with @files read in; NULL-terminated */
	size_t n_expanded;
	struct command_input *inputs; /* in order; those of a mode of several steps */
	size_t n_inputs;
	size_t n_sources;   /* inputs in C */
	const char *output; /* after -o; NULL = the default */
	/* Words of `expanded` by the step that wants them, without sources, output, mode and
	 * dependency options; NULL-terminated. */
	const char **preprocess; /* -I -D -U -include -isystem -std -m -f… */
	const char **compile;    /* without -D, -I and the like */
	const char **defines;    /* -D and -U: clang wants them in both steps */
	const char *
		*directories; /* -I, -iquote, -isystem, -idirafter: the folders, in order */
	/* -MD and its kin, taken apart */
	bool writes_depfile;
	bool depfile_user_only;   /* -MMD */
	bool depfile_phony;       /* -MP */
	bool depfile_of_step;     /* -Wp,-MD,FILE: its target never comes from -o */
	const char *depfile;      /* -MF; NULL = the compiler's default */
	const char **dep_targets; /* -MT X, -MQ X as given, pairs; NULL-terminated */
	const char *dumpdir;      /* the user's own; NULL = ours are to be made */
	const char *dumpbase;
	const char *standard; /* "gnu2x" */
	const char *
		*target_flags; /* -m…, --target=…, …: what changes layouts; NULL-terminated */
	bool saves_temps;
	bool optimizes_links; /* -flto */
	bool is_relocatable;  /* -r: what comes out is linked again */
	bool color, color_is_set;
	bool json_diagnostics;
	bool warnings_are_errors, no_warnings;
	/* cellc's own: from $CELLC_FLAGS and argv */
	bool locked, offline, strict, fresh, fix, verbose;
	const char *features; /* "telemetry=off,…"; NULL = none */
};

/*
 * Read PATH whole into ARENA. Returns 0 or negative if it cannot be read: the word then
 * stays as it is.
 */
typedef int command_read_fn(void *userdata, const char *path, struct cell_arena *arena,
			    const char **ret_text, size_t *ret_len);

/*
 * Understand ARGV. Everything lives in ARENA. CELLC_FLAGS may be NULL. Returns 0,
 * CELL_INVALID_ARGUMENT for a wrong option of cellc's own (the compiler's are left to it),
 * or -ENOMEM.
 */
int command_parse(struct command_line *ret, int argc, char **argv, const char *cellc_flags,
		  command_read_fn *read, void *userdata, struct cell_arena *arena,
		  struct cell_error *err);

/*
 * Split TEXT into words as gcc does it with @files: white space separates, quotes of both
 * kinds and backslashes keep. The list lives in ARENA and ends with NULL. Returns 0 or
 * -ENOMEM.
 */
int command_split(const char *text, size_t len, struct cell_arena *arena, char ***ret_words,
		  size_t *ret_n, struct cell_error *err);

/* What the compiler of this name is ("/usr/bin/clang-14", "x86_64-linux-gnu-gcc"). */
enum compiler_kind command_compiler_kind(const char *name);

/* Whether the words before the compiler's are those of ccache and its like. */
bool command_is_wrapper(const char *name);

/* ---- what the compiler would have called its files ---------------------------------- */

/* The output of SOURCE in this mode; NULL for -E and -fsyntax-only, or when linking. */
const char *command_output(const struct command_line *line, const char *source,
			   struct cell_arena *arena);

/* Where -MD would write, as -MF has it or as gcc and clang derive it; and its target. */
const char *command_depfile(const struct command_line *line, const char *source,
			    struct cell_arena *arena);
const char *command_dep_target(const struct command_line *line, const char *source,
			       struct cell_arena *arena);

/* gcc's -dumpdir (may be "") and -dumpbase for SOURCE: names of its other files. */
const char *command_dumpdir(const struct command_line *line, struct cell_arena *arena);
const char *command_dumpbase(const struct command_line *line, const char *source,
			     struct cell_arena *arena);
