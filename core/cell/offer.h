/*
 * What completion offers for the arguments of commands: the cells that the node knows, the
 * methods of a running cell, the verbs that are installed.
 */
#pragma once

#include <cell/internal/opts.h>

/*
 * Write what there is of WORDS, one a line; an opts_offer_fn. USERDATA is the command's
 * table, whose own `offer` knows OPTS_OWN. Says nothing at all, quickly,
 * if no node answers. Starts no cell.
 */
void offer_words(void *userdata, enum opts_words words, char **args, size_t n_args,
		 FILE *file);
