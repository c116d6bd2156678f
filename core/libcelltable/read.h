/*
 * A struct with attributes as a table: what its members and attributes say, checked. All that
 * is wrong is said where it stands. Lives in the memory of the work it was read for.
 */
#pragma once

#include <cell/internal/table/macros.h>

/* Of the columns in a key or index; PostgreSQL has 32, and nobody comes near either. */
#define READ_KEY_COLUMNS_MAX 16

enum read_kind {
	READ_TABLE,     /* db::table */
	READ_PERSISTED, /* db::persist: one row without a key */
	READ_COLUMNS    /* of a query: no table at all */
};

struct read_column {
	struct cell_macro_member member;
	struct table_column column; /* its number is 0 until numbers_give() */
	const char *message;        /* what the names of its message begin with; or NULL */
	bool has_fallback;          /* a constant, that is */
	struct value fallback;
};

struct read_key {
	const char
		*name; /* in names of functions: "owner", "city_age"; "" = the primary key */
	const struct macro_attribute *at;
	bool is_unique;
	uint16_t n;
	uint16_t columns[READ_KEY_COLUMNS_MAX];
};

struct read_reference {
	uint16_t column;
	const char *table, *ref_column;
	enum table_on_delete on_delete;
};

struct read {
	struct cell_macro_work *work;
	const struct table_provider *provider;
	enum read_kind kind;
	const struct macro_attribute *mine; /* table or persist; NULL for columns alone */
	const struct macro_type *type;
	const char *tag;  /* of the struct */
	const char *noun; /* what names begin with */
	const char *name; /* of the table */
	const char *store;
	const char *schema; /* of the database, as it was named; "" */
	bool is_shared;
	size_t n_columns;
	struct read_column *columns;
	size_t n_keys;
	struct read_key *keys; /* [0] is the primary one; [N] index N on the wire */
	size_t n_checks;
	struct table_check *checks;
	size_t n_references;
	struct read_reference *references;
	size_t n_dropped;
	const char **dropped;
	bool is_wrong; /* something has been refused */
};

/*
 * The declaration of WORK as KIND, by the attribute MINE. Returns 0, -ENOMEM, or
 * CELL_INVALID_ARGUMENT after refusals.
 */
int read_declaration(struct read *ret, struct cell_macro_work *work,
		     const struct macro_attribute *mine, enum read_kind kind);
/* The columns of TYPE alone, numbered from 1. The same results. */
int read_columns(struct read *ret, struct cell_macro_work *work,
		 const struct macro_type *type);

/* --- what the files of this reader share --------------------------------------------- */

/* A refusal, kept in READ. Each returns CELL_INVALID_ARGUMENT. */
#define READ_REFUSE(read, ...)                                                               \
	((read)->is_wrong = true, cell_macro_refuse((read)->work, __VA_ARGS__))
#define READ_REFUSE_MEMBER(read, ...)                                                        \
	((read)->is_wrong = true, cell_macro_refuse_member((read)->work, __VA_ARGS__))

/* SIZE zeroed bytes; NULL, which the work remembers. */
void *read_take(const struct read *read, size_t n, size_t size);
/* The attribute NAME of the provider's among those of a member or type; NULL if there is
 * none. */
const struct macro_attribute *read_find(const struct read *read,
					const struct macro_attribute *attributes, size_t n,
					const char *name);
/* Index of the column, or -1. */
int read_column_by_name(const struct read *read, const char *name);
/* VALUE as it would be written in C: the literal, name or expression that it is. */
const char *read_literal(const struct read *read, const struct macro_value *value);
/* Refuse a name of no column at VALUE of AT, with the nearest that there is. */
int read_no_column(struct read *read, const struct macro_attribute *at,
		   const struct macro_value *value, const char *name);

/* read_key.c: key, unique and index, on members and on the struct. */
void read_keys(struct read *read);
/* read_rule.c: what the attributes of one member say of its column. */
void read_member_rules(struct read *read, struct read_column *column);
/* read_rule.c: what needs all columns: check, default, computed, ref, renamed, dropped. */
void read_rules(struct read *read);
