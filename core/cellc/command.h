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

struct command_source {
	const char *path; /* "-" = standard input */
	size_t word;      /* its index in argv */
};

struct command_line {
	enum command_mode mode;
	const char *why_pass;            /* for -v: why nothing is done; NULL otherwise */
	char **argv;                     /* as given, without cellc's own; argv[0] is the compiler's */
	size_t argc;
	char **expanded;                 /* the same with @files read in */
	size_t n_expanded;
	struct command_source *sources;  /* those in C; indices are into `expanded` */
	size_t n_sources;
	const char *output;              /* after -o; NULL = the default */
	/* Words of `expanded` by the step that wants them; NULL-terminated. */
	const char **preprocess;         /* -I -D -U -include -isystem -std -m -f… */
	const char **compile;            /* without -D, -I and the like */
	const char **link;               /* objects, -l, -L, -Wl, … */
	/* -MD and its kin, taken apart */
	bool writes_depfile;
	bool depfile_phony;              /* -MP */
	bool depfile_user_only;          /* -MMD */
	const char *depfile;             /* -MF; NULL = the compiler's default */
	const char **dep_targets;        /* -MT, -MQ as given, pairs; NULL-terminated */
	const char *standard;            /* "gnu2x" */
	const char **target_flags;
	bool saves_temps;
	bool color, color_is_set;
	bool json_diagnostics;
	bool warnings_are_errors, no_warnings;
	bool locked, offline, strict, verbose; /* cellc's own: also from $CELLC_FLAGS */
	const char *features;            /* "telemetry=off,…" */
};

typedef int command_read_fn(void *userdata, const char *path, struct cell_arena *arena,
			    const char **ret_text, size_t *ret_len);

/*
 * Understand ARGV. Everything lives in ARENA. Returns 0, or CELL_INVALID_ARGUMENT for a
 * wrong option of cellc's own (the compiler's are left to it).
 */
int command_parse(struct command_line *ret, int argc, char **argv, const char *cellc_flags,
		  command_read_fn *read, void *userdata, struct cell_arena *arena,
		  struct cell_error *err);
