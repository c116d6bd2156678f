/*
 * "Did you mean": the nearest of some words to one that was mistyped.
 *
 *	struct guess guess = { .word = typed };
 *
 *	for (each candidate)
 *		guess_try(&guess, candidate);
 *	if (guess.best)
 *		... "did you mean '%s'?", guess.best
 */
#pragma once

#include <stddef.h>

/* Longer words get no guess. */
#define GUESS_MAX 64

struct guess {
	const char *word;
	const char *best; /* NULL: nothing is near enough */
	size_t distance;
};

/* Take CANDIDATE, which must outlive GUESS, if it is near and nearer than the best so far. */
void guess_try(struct guess *guess, const char *candidate);
