/*
 * One table says for each option that matters how it is spelled, which steps want it, and
 * what it tells us. Whatever is not in it starts with '-', stands alone, and goes to every
 * step: that is right for -O2, -g, -std=, -m, -f and -W.
 */
#pragma once

enum step { STEP_PREPROCESS = 1, STEP_COMPILE = 2, STEP_DEFINES = 4 };
#define STEP_BOTH (STEP_PREPROCESS | STEP_COMPILE)
#define STEP_NONE 0

/* How an option takes its argument. */
enum form {
	FORM_ALONE,  /* -c */
	FORM_NEXT,   /* -MF FILE: the next word */
	FORM_JOINED, /* -std=X: the rest of the word */
	FORM_EITHER  /* -oFILE, -o FILE */
};

enum action {
	DO_NOTHING,
	DO_PASS,
	DO_PREPROCESSED,
	DO_MODE_PREPROCESS,
	DO_MODE_CHECK,
	DO_MODE_ASSEMBLY,
	DO_MODE_OBJECT,
	DO_OUTPUT,
	DO_LANGUAGE,
	DO_LIBRARY,
	DO_DIRECTORY,
	DO_DEPENDENCIES,
	DO_DEPENDENCIES_USER,
	DO_DEPFILE,
	DO_DEP_TARGET,
	DO_DEP_PHONY,
	DO_PREPROCESSOR_WORDS, /* -Wp,… */
	DO_STANDARD,
	DO_TARGET,
	DO_SAVE_TEMPS,
	DO_LTO,
	DO_NO_LTO,
	DO_RELOCATABLE,
	DO_COLOR,
	DO_NO_COLOR,
	DO_FORMAT,
	DO_WERROR,
	DO_NO_WERROR,
	DO_NO_WARNINGS,
	DO_DUMPDIR,
	DO_DUMPBASE
};

struct option {
	const char *name;
	enum form form;
	unsigned steps;
	enum action action;
	const char *why; /* DO_PASS */
};

/* The longest option that WORD, which begins with '-', is or begins with, as its form has it;
 * NULL: it is not in the table. */
const struct option *option_find(const char *word);
