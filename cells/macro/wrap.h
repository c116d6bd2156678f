/*
 * Wrappers around one function: who is called what, and who calls whom. proto/macro.proto
 * states the rule at ANCHOR_WRAP. Pure.
 */
#pragma once

#include <cell/arena.h>
#include <stdbool.h>

struct wrap_names {
	const char *next;    /* what $next$ stands for */
	const char *symbol;  /* the function in the text, */
	const char *takes;   /* and the name it takes instead; NULL: none */
	bool is_static;      /* so the taken name is declared by the user; */
	bool is_inline;
};

/* TEXT with those names; in ARENA, or NULL if there is no memory. Its lines stay the same. */
char *wrap_text(struct cell_arena *arena, const char *text, const struct wrap_names *names);
