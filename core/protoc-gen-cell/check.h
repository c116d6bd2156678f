/*
 * What a .proto file may not say here, and names that would clash in C.
 */
#pragma once

#include "model.h"

/* Note an error at ORIGIN, in the format of compilers: "file:line:column: text". */
void complain(struct model *model, const struct origin *origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether FILE is of a form that the rest of the model can be built from. */
void file_check_form(struct model *model, const struct file *file);

/* Recursion, messages we cannot have, clashes of names and of method hashes. */
void file_check_sense(struct model *model, const struct file *file);
