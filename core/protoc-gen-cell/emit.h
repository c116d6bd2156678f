/*
 * The emitters: each appends one part of a generated file.
 */
#pragma once

#include "model.h"

/* DOC as a C comment, each line after INDENT; nothing if there is none. */
void emit_doc(struct text *out, const char *indent, const char *doc);

/* NOTE as a comment at the end of a line that is COLUMN columns long, or nothing. */
void emit_note(struct text *out, const char *note);

/* Whether NOTE is short enough for the end of a line. */
bool note_is_short(const char *note);

/* <stem>.cell.h */
void emit_header(struct text *out, const struct file *file);

/* Handlers and client stubs of a service, for the header. */
void emit_stubs(struct text *out, const struct file *file, const struct service *service);

/* <stem>.cell.c */
void emit_source(struct text *out, const struct model *model, const struct file *file);

/* The functions of one message. Those of a map's entries are static. */
void emit_bound(struct text *out, const struct message *m);
void emit_encode(struct text *out, const struct message *m);
/* Both of them without large bytes fields: only if message_has_chunks(). */
void emit_around(struct text *out, const struct message *m);
/* Whether M has bytes fields that may be sent from where they are. */
bool message_has_chunks(const struct message *m);
void emit_init(struct text *out, const struct message *m);
void emit_merge(struct text *out, const struct message *m);

/* Thunks, methods and the service itself. */
void emit_service(struct text *out, const struct file *file, const struct service *service);

/* "static const uint8_t schema[N] = {...};" */
void emit_schema(struct text *out, const struct model *model, const struct file *file);

/* The tag of FIELD on the wire; packed if AS_PACKED. */
uint32_t field_tag(const struct field *field, bool as_packed);
unsigned tag_size(uint32_t tag);
