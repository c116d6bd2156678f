/*
 * From one version of a table to the next: what would have to be done, what of it is safe,
 * and what to say of the rest. Pure: the database counts rows, this decides.
 *
 *	migration_plan()   old and new schema → steps; some need a count
 *	the database       counts, for each step that needs it
 *	migration_judge()  steps with counts → 0, or refusals with remedies
 *	the database       carries the steps out, in order, in one transaction
 */
#pragma once

#include <cell/internal/table/schema.h>

/*
 * A column is the same as the one of its name, or of its `renamed_from`; an index, a check or a
 * reference as one that says the same, wherever it stands. Steps come in an order in which
 * they can be taken: what stands on columns goes first and comes last.
 */
enum migration_kind {
	MIGRATION_CREATE,        /* the table, with all that it has: the only step then */
	MIGRATION_ADD_COLUMN,    /* rows get its default; now() and uuid() each its own, written */
	MIGRATION_RENAME_COLUMN, /* keeps its number */
	MIGRATION_DROP_COLUMN,
	MIGRATION_RETYPE_COLUMN, /* another type, length, fixed or native: migration_convert() */
	MIGRATION_SET_NULLABLE,
	MIGRATION_SET_REQUIRED,  /* NULLs become its default */
	/* Or serial. For rows to come: those that have the old one unwritten are written first. */
	MIGRATION_SET_FALLBACK,
	MIGRATION_SET_COMPUTED,  /* or changed, or no longer; every row is computed anew */
	MIGRATION_SET_ENCRYPTED, /* or no longer: every row is rewritten */
	MIGRATION_SET_VALUES,    /* of an enum */
	MIGRATION_ADD_INDEX,
	MIGRATION_DROP_INDEX,
	MIGRATION_ADD_CHECK,
	MIGRATION_DROP_CHECK,
	MIGRATION_ADD_REFERENCE,
	MIGRATION_DROP_REFERENCE,
	MIGRATION_CHANGE_KEY,     /* never safe with rows */
	/* A number that another column had, or another number: built against another table. As CHANGE_KEY. */
	MIGRATION_RENUMBER_COLUMN
};

/* What the database has to count before the step is judged. */
enum migration_count {
	MIGRATION_COUNT_NOTHING,
	MIGRATION_COUNT_ROWS,       /* rows of the table */
	MIGRATION_COUNT_HELD,       /* rows in which the old column is not NULL */
	MIGRATION_COUNT_NULLS,      /* rows in which it is NULL */
	MIGRATION_COUNT_UNFIT,      /* rows whose value migration_convert() refuses */
	MIGRATION_COUNT_DUPLICATES, /* rows whose key in the new unique index another row has */
	MIGRATION_COUNT_VIOLATIONS, /* rows for which the new check is false */
	MIGRATION_COUNT_ORPHANS     /* rows whose reference leads nowhere */
};

struct migration_step {
	enum migration_kind kind;
	enum migration_count count;
	int before;    /* index in the old schema of the column, key, check or reference; -1 */
	int after;     /* in the new one */
	uint64_t n;    /* the count, to be filled in */
	const char *member; /* where it belongs in the struct; "" = at the table */
	/* Whose attribute to blame, as cell_provision_refuse_member() has it: "unique", "table",
	 * "check(balance >= 0)", … */
	const char *macro;
};

struct migration {
	const struct schema *before; /* NULL: there is no table yet */
	const struct schema *after;
	struct migration_step *steps; /* none: they are the same but for comments */
	size_t n_steps;
};

/*
 * *ret lives in ARENA and points into BEFORE (NULL: there is no such table) and AFTER. Returns 0
 * or -ENOMEM.
 */
int migration_plan(struct migration *ret, const struct schema *before, const struct schema *after,
		   struct cell_arena *arena);

/* A refusal: TEXT ("17 rows violate balance >= 0") and what helps, NOTE ("" = nothing). */
typedef void migration_refused_fn(void *userdata, const struct migration_step *step,
				  const char *text, const char *note);

/*
 * Whether all steps may be taken. NS ("db") is for the remedies: "write
 * [[db::dropped(\"nick\")]] at the table". Returns 0, or CELL_FAILED_PRECONDITION after calling
 * REFUSED for each that may not.
 */
int migration_judge(const struct migration *migration, const char *ns,
		    migration_refused_fn *refused, void *userdata);

/* "added column nick to table account": for people, in ARENA. */
const char *migration_print(const struct migration *migration, const struct migration_step *step,
			    struct cell_arena *arena);

/*
 * VALUE of the column BEFORE as one of AFTER, which it becomes. *ret points where VALUE does.
 * False: it does not fit: out of range, too long, no value of the enum, a fraction, no UTF-8.
 */
bool migration_convert(const struct table_column *before, const struct table_column *after,
		       const struct value *value, struct value *ret);

/*
 * Whether a program that was built with OLD can go on beside a table that is NOW: it reads
 * and writes no column that is gone or means something else, and every column it does not
 * know may be NULL, has a default or is computed. A column is the same as the one with its number,
 * and of the same type; it may have become longer, or nullable: who does not know of NULL reads
 * zero. Returns 0, or CELL_FAILED_PRECONDITION: "built with account.nick, which was dropped;
 * write it as the table has it, and build it again". *ret_member is the member of OLD that is
 * in the way, "" for none in particular; it lives as long as OLD.
 */
int migration_coexists(const struct schema *old, const struct schema *now, const char **ret_member,
		       struct cell_error *err);
