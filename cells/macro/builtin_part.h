/*
 * What the files of the namespace cell share.
 */
#pragma once

#include "builtin.h"

#include <cell/internal/gen.h>

/* --- one function for each macro -------------------------------------------------------- */

int builtin_message_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_message_expand(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_service_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_service_expand(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_handler_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_handler_expand(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_hook_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_hook_expand(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_remote_plan(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_remote_expand(struct cell_macro_work *work, const struct macro_attribute *mine);
int builtin_states(struct cell_call *call, void *self, const struct macro_state **ret_states,
		   size_t *ret_n);

/* --- reading structs -------------------------------------------------------------------- */

/* A struct as a message, read within gen_run(), whose memory it lives in. */
struct reading {
	struct cell_macro_work *work;
	/* Messages that were read, by index of their type; what they contain is with them. */
	struct gen_message **by_type;
	size_t n_errors;
};

struct reading reading_begin(struct cell_macro_work *work);

/*
 * The declaration itself: says what is wrong at its members. NULL if something was.
 * Numbers are not given yet.
 */
struct gen_message *reading_declared(struct reading *reading, const struct macro_attribute *mine);

/* Of the program of the request; LEN 0: it does not run, or is not needed. */
struct live_schema {
	const uint8_t *bytes; /* lives as long as the call */
	size_t len;
};

/*
 * Ask for it if the lock has no numbers for the declaration. Waits, so not within gen_run():
 * its memory is that of one at a time.
 */
struct live_schema live_schema_ask(struct cell_macro_work *work);

/*
 * Give the fields their numbers: [[cell::field(N)]], what is kept, what the running program
 * of the request says of the same message if nothing is kept, else the next that is free. KEEP: say what is to be kept. Returns 0, or CELL_INVALID_ARGUMENT after a refusal.
 */
int message_number(struct cell_macro_work *work, const struct live_schema *live,
		   struct gen_message *m, bool keep);

/* --- types ------------------------------------------------------------------------------ */

/* The attribute cell::NAME on the definition of the struct TYPE; NULL if it is not there. */
const struct macro_attribute *type_attribute(const struct macro_type *type, const char *name);
/* What the names of the message begin with: its tag, or prefix = "…". */
const char *message_noun(struct cell_macro_work *work, const struct macro_type *type);

/* The type pointed to, without typedefs; NULL if TYPE (an index) is no pointer. */
const struct macro_type *type_pointee(struct cell_macro_work *work, uint32_t type);

/*
 * The schema of CELL, if it runs: a FileDescriptorSet that lives as long as CALL. Returns 0
 * or a status.
 */
int schema_ask(struct cell_call *call, const char *cell, const uint8_t **ret, size_t *ret_len);

/* --- services --------------------------------------------------------------------------- */

/* The name of the service that the struct TYPE is the state of; NULL if it is none. */
const char *service_of_type(struct cell_macro_work *work, const struct macro_type *type);
/* NAME as part of an identifier: '-' becomes '_'. */
const char *service_word(struct cell_macro_work *work, const char *name);
bool is_cell_name(const char *name);

/* --- text ------------------------------------------------------------------------------- */

/* TEXT as a piece. Nothing if there is none. */
void put_piece(struct cell_macro_work *work, const struct macro_attribute *mine,
	       enum macro_anchor anchor, enum macro_piece_kind kind, const struct gen_text *text);
/* TEXT as an initialiser: a literal, or a null pointer. */
void put_doc(struct cell_piece *piece, const char *doc);
