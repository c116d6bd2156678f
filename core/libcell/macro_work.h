/*
 * One plan, expansion or provisioning under way: what is behind struct cell_macro_work.
 * Everything in it lives in the arena of its call.
 */
#pragma once

#include <cell/macro.h>

#define MACRO_DIGEST_SIZE 32

/* A growing array in the arena. */
struct macro_list {
	void *items;
	size_t n;
};

struct cell_piece {
	struct cell_macro_work *work;
	const struct macro_attribute *mine;
	enum macro_anchor anchor;
	enum macro_piece_kind kind;
	enum macro_phase phase;
	const char *symbol;
	char *text;
	size_t len, size;
	uint32_t line;             /* that comes next, from 1 */
	struct macro_list sources; /* struct macro_line_source */
	struct cell_piece *next;
};

struct cell_macro_work {
	struct cell_call *call;
	const struct cell_macro_provider *provider;
	void *self;
	const struct macro_plan_request *request; /* NULL while provisioning */
	const struct macro_go *go;                /* NULL while planning */
	cell_macro_query_fn *query;
	void *query_userdata;
	const struct macro_attribute *asked;      /* whose macro plans or expands now; or NULL */
	bool is_out_of_memory;
	int bug; /* CELL_INTERNAL once something is wrong with the provider itself */

	struct macro_list diagnostics; /* struct macro_diagnostic */
	size_t n_errors;
	struct macro_list notes;       /* of the last diagnostic: const char * */

	/* the plan */
	uint32_t body;
	struct macro_list fields, wraps, symbols, provides, wants, reads, uses, headers, link;

	/* the expansion */
	struct cell_piece *pieces, **pieces_end;
	struct macro_list facts, kept, states, files, declared;
	bool is_degraded;

	/* provisioning */
	struct macro_list changes;
	int status; /* the first refusal's */
};

void macro_work_init(struct cell_macro_work *work, struct cell_call *call,
		     const struct cell_macro_provider *provider, void *self,
		     const struct macro_plan_request *request);

/*
 * Room for one more item of SIZE bytes at the end of LIST, zeroed and counted. NULL, which
 * the work remembers, if there is no memory.
 */
void *macro_list_add(struct cell_macro_work *work, struct macro_list *list, size_t size);
/* Add a string, once. 0 or -ENOMEM. */
int macro_list_add_text(struct cell_macro_work *work, struct macro_list *list, const char *text);

/* A copy of MESSAGE in ARENA, with no NULL where text belongs. NULL: no memory, or not encodable. */
void *macro_copy(struct cell_arena *arena, const struct cell_message_type *type,
		 const void *message);
/* BLAKE2b-256 of MESSAGE, encoded. 0 or -ENOMEM. */
int macro_digest(struct cell_arena *arena, const struct cell_message_type *type,
		 const void *message, uint8_t digest[static MACRO_DIGEST_SIZE]);

/* The build id of this program, mapped with it; NULL and 0 if it was linked without one. */
void macro_program(const uint8_t **ret_id, size_t *ret_len);

/* The provider's own macro that ATTRIBUTE names, or NULL. */
const struct cell_macro *macro_of(const struct cell_macro_provider *provider,
				  const struct macro_attribute *attribute);
const char *macro_ns(const struct cell_macro_provider *provider, const struct cell_macro *macro);
bool macro_owns(const struct cell_macro_provider *provider, const char *ns);

/* An error about MACRO's own code, not the user's: CELL_INTERNAL, kept in the call. */
int macro_bug(struct cell_macro_work *work, const struct macro_attribute *mine,
	      const char *format, ...) __attribute__((format(printf, 3, 4)));

/* macro_args.c: name, place, repetition and arguments of every attribute of this provider. */
void macro_check_attributes(struct cell_macro_work *work);
/* The table itself. 0, or CELL_INVALID_ARGUMENT naming what is wrong. */
int macro_check_table(struct cell_call *call, const struct cell_macro_provider *provider);

/* macro_plan.c */
int macro_plan_make(struct cell_macro_work *work);
int macro_plan_put(struct cell_macro_work *work, struct macro_plan *ret_plan);
