/*
 * What a .proto file may not say here, and names that would clash in C.
 */
#pragma once

#include <cell/internal/gen.h>

/* Note an error at ORIGIN, in the format of compilers: "file:line:column: text". */
void gen_complain(struct gen_model *model, const struct gen_origin *origin,
		  const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether FILE is of a form that the rest of the model can be built from. */
void gen_file_check_form(struct gen_model *model, const struct gen_file *file);

/* Recursion, messages we cannot have, clashes of names and of method hashes. */
void gen_file_check_sense(struct gen_model *model, const struct gen_file *file);

/*
 * Whether everything in PROTO that the model needs is there and makes sense alone; what is
 * not is complained of. Asked before anything is built of it.
 */
bool gen_file_is_whole(struct gen_model *model,
		       const Google__Protobuf__FileDescriptorProto *proto);
