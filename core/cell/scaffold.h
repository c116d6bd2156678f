/*
 * The files of a new cell: one that serves a method, or one that provides a macro. Each is
 * built by a Makefile of its own, and has a test that starts a node and asks it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct scaffold_file {
	const char *path; /* below the cell's folder; NAME, in capitals, stands for the cell's
			     name */
	const char *text; /* with @NAME@ (hello-world), @ID@ (hello_world) and @SERVICE@
			     (HelloWorld) */
	mode_t mode;
};

struct scaffold {
	const struct scaffold_file *files;
	size_t n_files;
};

extern const struct scaffold scaffold_service;
extern const struct scaffold scaffold_provider;
extern const struct scaffold scaffold_app;

/*
 * Whether NAME cannot be that of structs and functions in C: a keyword, or a prefix of
 * libcell's own.
 */
bool scaffold_is_taken(const char *name);

/* The text or path of FILE for a cell called NAME; the caller's, or NULL for no memory. */
char *scaffold_text(const struct scaffold_file *file, const char *name);
char *scaffold_path(const struct scaffold_file *file, const char *name);
