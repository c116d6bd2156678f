/*
 * Providing macros: how a cell becomes the implementation of C attributes.
 *
 * A provider is a table of macros and, for each, a function that plans and one that expands.
 *
 *	static int plan(struct cell_macro_work *work, const struct macro_attribute *mine)
 *	{
 *		return cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "%s_hello",
 *					cell_macro_declaration(work)->name);
 *	}
 *
 *	static int expand(struct cell_macro_work *work, const struct macro_attribute *mine)
 *	{
 *		struct cell_piece *piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER,
 *						      MACRO_PIECE_KIND_INLINE);
 *
 *		cell_piece_template(piece, "static inline int $noun$_hello(void) { return 1; }\n",
 *				    (const char *const[]){
 *					    "noun", cell_macro_declaration(work)->name, NULL });
 *		return 0;
 *	}
 *
 * Planning comes first, for all providers; it sees the whole declaration and says what the
 * expansion will add. What is not planned is refused. Both must be functions of the request
 * (and of states that are named): equal requests must give equal text, without paths, dates
 * or the names of hosts. Neither may change anything; that is for `provision`.
 *
 * The structs of the request are those of macro.proto, which documents them: <macro.cell.h>.
 * Everything given back lives until the function returns to libcell. The text conventions of
 * what is generated are in cell-macros(7).
 */
#pragma once

#include <cell/call.h>
#include <cell/server.h>
#include <macro.cell.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One bit of `places` or `may`: CELL_MACRO_BIT(MACRO_PLACE_STRUCT). */
#define CELL_MACRO_BIT(value) (1u << (value))

struct cell_macro_argument {
	const char *name; /* NULL ends a table */
	enum macro_value_kind kind;
	enum macro_value_kind of;   /* what a list holds */
	bool is_positional;         /* may stand without its name */
	bool is_required;
	const char *fallback;       /* as it would be written; NULL = none */
	const char *const *choices; /* NULL-terminated; NULL = free */
	const char *doc;
};

/* One plan or expansion under way, for one provider. */
struct cell_macro_work;

struct cell_macro {
	const char *name; /* NULL ends a table */
	const char *ns;   /* NULL: the provider's first namespace */
	const char *doc;  /* the first line stands alone */
	uint32_t places;
	uint32_t may;
	bool is_repeatable;
	bool takes_any_argument;  /* names are the user's */
	bool takes_expression;    /* one argument, kept as tokens */
	const struct cell_macro_argument *arguments; /* or NULL */
	const char *const *headers; /* "<time.h>"; NULL-terminated, or NULL */
	const char *const *link;
	/*
	 * Called for each attribute of this macro on the declaration itself (MINE). Macros on
	 * members, enumerators and parameters, and those that only inform, may leave both NULL:
	 * the declaration's own macro reads them with cell_macro_find(); if given, they are
	 * called for those, too. 0, or negative after cell_macro_refuse().
	 */
	int (*plan)(struct cell_macro_work *work, const struct macro_attribute *mine);
	int (*expand)(struct cell_macro_work *work, const struct macro_attribute *mine);
};

struct cell_macro_provider {
	const char *const *namespaces;   /* as the manifest announces them; NULL-terminated */
	const struct cell_macro *macros; /* a table */
	/*
	 * The rest may be NULL. What expansions depend on outside the source, sorted by id:
	 * *ret_states lives in CALL.
	 */
	int (*states)(struct cell_call *call, void *self, const struct macro_state **ret_states,
		      size_t *ret_n);
	/* Answer the question of another provider's expansion. It may name one it needs first. */
	int (*query)(struct cell_call *call, void *self, const struct macro_query *query,
		     struct macro_query_result *ret_result);
	/*
	 * Make DECLARED so; repeating it must be harmless. ONLY_CHECK: say what would happen.
	 * 0, or negative after cell_provision_refuse(); CELL_FAILED_PRECONDITION when it cannot
	 * be done safely.
	 */
	int (*provision)(struct cell_macro_work *work, const struct macro_declared *declared,
			 bool only_check);
	/*
	 * Whether FIRST has to be made before SECOND, if both are asked for at once: what a program
	 * declares comes in the order in which its linker found it, not in that of the source.
	 */
	bool (*comes_before)(struct cell_macro_work *work, const struct macro_declared *first,
			     const struct macro_declared *second);
};

/*
 * Serve PROVIDER on channel 3. SELF is handed to its functions. Both must outlive CALL. To
 * be called before cell_loop_run(). Returns 0, or CELL_INVALID_ARGUMENT naming what is wrong
 * in the table.
 */
int cell_provide_macros(struct cell_call *call, const struct cell_macro_provider *provider,
			void *self);

/* --- the request ------------------------------------------------------------------------ */

struct cell_call *cell_macro_call(const struct cell_macro_work *work);
void *cell_macro_self(const struct cell_macro_work *work);
const struct macro_plan_request *cell_macro_request(const struct cell_macro_work *work);
const struct macro_declaration *cell_macro_declaration(const struct cell_macro_work *work);

/* Entry INDEX - 1 of the table; NULL for 0. */
const struct macro_type *cell_macro_type(const struct cell_macro_work *work, uint32_t index);
/* The same behind typedefs. */
const struct macro_type *cell_macro_plain_type(const struct cell_macro_work *work, uint32_t index);

/* The first attribute NS::NAME among N, or NULL. */
const struct macro_attribute *cell_macro_find(const struct macro_attribute *attributes, size_t n,
					      const char *ns, const char *name);
/* Whether another provider's attribute NS::NAME is on the declaration (NAME NULL: any). */
bool cell_macro_has(const struct cell_macro_work *work, const char *ns, const char *name);

/*
 * The argument NAME of ATTRIBUTE, given by name or by position; NULL if it was left out.
 * Kinds have been checked against the table. The others give FALLBACK then.
 */
const struct macro_value *cell_macro_argument(const struct cell_macro_work *work,
					      const struct macro_attribute *attribute,
					      const char *name);
const char *cell_macro_text(const struct cell_macro_work *work,
			    const struct macro_attribute *attribute, const char *name,
			    const char *fallback);
int64_t cell_macro_integer(const struct cell_macro_work *work,
			   const struct macro_attribute *attribute, const char *name,
			   int64_t fallback);
bool cell_macro_flag(const struct cell_macro_work *work, const struct macro_attribute *attribute,
		     const char *name, bool fallback);
/* The next value after AFTER (NULL: the first) in the list or record PARENT; NULL at its end. */
const struct macro_value *cell_macro_next(const struct macro_attribute *attribute,
					  const struct macro_value *parent,
					  const struct macro_value *after);

/*
 * Whether the declaration is a function that can refuse and carries a context: it returns
 * int, takes a struct cell_call * first, and is not variadic.
 */
bool cell_macro_is_fallible(const struct cell_macro_work *work);
/* What wrappers call parameter I (from 0): its own name, or "cell_1" for one without. */
const char *cell_macro_parameter_name(struct cell_macro_work *work, size_t i);

/* What the value of a member is, or of one item of it if it is a list. */
enum cell_member_kind {
	CELL_MEMBER_BOOL = 1,
	CELL_MEMBER_INT32,
	CELL_MEMBER_UINT32,
	CELL_MEMBER_INT64,
	CELL_MEMBER_UINT64,
	CELL_MEMBER_FLOAT,
	CELL_MEMBER_DOUBLE,
	CELL_MEMBER_ENUM,   /* its first value is 0, all fit 32 bits */
	CELL_MEMBER_TEXT,   /* const char * */
	CELL_MEMBER_CHARS,  /* char [length] */
	CELL_MEMBER_BYTES,  /* size_t n_x; const uint8_t *x; of a list: const struct cell_bytes * */
	CELL_MEMBER_BLOCK,  /* uint8_t [length] */
	CELL_MEMBER_STRUCT, /* by value, or of a list */
	CELL_MEMBER_POINTER /* to one struct; NULL = absent */
};

/* A member of a struct, by the rules that all generated code shares: see cell-macros(7). */
struct cell_macro_member {
	const struct macro_member *at;
	const struct macro_member *has;   /* the `bool has_x` directly before it; or NULL */
	const struct macro_member *count; /* the `size_t n_x`; or NULL */
	enum cell_member_kind kind;
	bool is_repeated;                 /* size_t n_x; const T *x; or T x[length] */
	uint64_t length;                  /* of an array; 0 = it is none */
	uint32_t value;                   /* the type of one value, in the request; 0 for text and bytes */
	const char *enum_name;            /* of an enum: its tag, else its typedef's */
};

/*
 * The member of the struct TYPE at *I, or that which `has_x` or `n_x` at *I belongs to; *I
 * moves behind it in any case. Returns 0, or CELL_INVALID_ARGUMENT after it has said at the
 * member what is wrong and what to write instead.
 */
int cell_macro_member(struct cell_macro_work *work, const struct macro_type *type, size_t *i,
		      struct cell_macro_member *ret_member);

/* printf, into memory that lives as long as the answer. NULL if there is none left. */
const char *cell_macro_printf(struct cell_macro_work *work, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- saying what is wrong ---------------------------------------------------------------- */

/*
 * An error at ATTRIBUTE (NULL: the declaration), at VALUE of it if not NULL. Returns
 * CELL_INVALID_ARGUMENT: `return cell_macro_refuse(…)`. The text has no full stop.
 */
int cell_macro_refuse(struct cell_macro_work *work, const struct macro_attribute *attribute,
		      const struct macro_value *value, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * The same at the byte OFFSET of VALUE's text, from 0; its length is the end: the place within
 * the string literals, or the token of the expression, that the text was made of.
 */
int cell_macro_refuse_at(struct cell_macro_work *work, const struct macro_attribute *attribute,
			 const struct macro_value *value, size_t offset, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* The same at a member, enumerator or parameter of the declaration, by the macro that is asked. */
int cell_macro_refuse_member(struct cell_macro_work *work, const char *member,
			     const char *format, ...) __attribute__((format(printf, 3, 4)));
void cell_macro_warn(struct cell_macro_work *work, const struct macro_attribute *attribute,
		     const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A note to the message before: what would help. */
void cell_macro_note(struct cell_macro_work *work, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- planning; each returns 0 or -ENOMEM -------------------------------------------------- */

int cell_plan_field(struct cell_macro_work *work, const struct macro_attribute *mine,
		    const char *type, const char *name);
/* BEFORE, AFTER: namespaces further inside or outside in the same phase; NULL-terminated, or NULL. */
int cell_plan_wrap(struct cell_macro_work *work, const struct macro_attribute *mine,
		   enum macro_phase phase, const char *const *before, const char *const *after);
int cell_plan_body(struct cell_macro_work *work, const struct macro_attribute *mine);
int cell_plan_symbol(struct cell_macro_work *work, const struct macro_attribute *mine,
		     enum macro_piece_kind piece, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Plan all that TEXT declares outside of functions, but for what begins with cell_. */
int cell_plan_text(struct cell_macro_work *work, const struct macro_attribute *mine,
		   enum macro_piece_kind piece, const char *text);
int cell_plan_tag(struct cell_macro_work *work, const struct macro_attribute *mine,
		  const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The generated code will call CELL on CHANNEL ("app"). */
int cell_plan_use(struct cell_macro_work *work, const struct macro_attribute *mine,
		  const char *cell, const char *channel);
int cell_plan_provides(struct cell_macro_work *work, const char *key);
int cell_plan_wants(struct cell_macro_work *work, const struct macro_attribute *mine,
		    const char *ns, const char *key, bool is_optional);
int cell_plan_reads(struct cell_macro_work *work, const char *state);
int cell_plan_header(struct cell_macro_work *work, const char *header);

/* --- expanding ---------------------------------------------------------------------------- */

/* A piece of text under construction. Out of memory is kept and reported at the end. */
struct cell_piece;

struct cell_piece *cell_piece(struct cell_macro_work *work, const struct macro_attribute *mine,
			      enum macro_anchor anchor, enum macro_piece_kind kind);
/* A function around the declared one; its text calls $next$. SYMBOL is its name. */
struct cell_piece *cell_piece_wrap(struct cell_macro_work *work,
				   const struct macro_attribute *mine, enum macro_phase phase,
				   const char *symbol);

void cell_piece_put(struct cell_piece *piece, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * TEXT with each $name$ replaced by the value that follows NAME in WORDS (pairs, ended by
 * NULL). $next$ stays. An unknown name is a bug, and fails the expansion.
 */
void cell_piece_template(struct cell_piece *piece, const char *text, const char *const *words);
/* "static int SYMBOL(struct cell_call *call, …)": the declared function's, for a wrapper. */
void cell_piece_prototype(struct cell_piece *piece, const char *symbol);
/* "$next$(call, …)": what is further inside, with all that the wrapper was given. */
void cell_piece_next(struct cell_piece *piece);
/* TEXT as a C string literal, quotes included. */
void cell_piece_literal(struct cell_piece *piece, const char *text);
/* Lines from here on come from this member (or value of the attribute): errors lead there. */
void cell_piece_from_member(struct cell_piece *piece, const char *member);
void cell_piece_from_value(struct cell_piece *piece, const struct macro_attribute *attribute,
			   const struct macro_value *value);

/*
 * Ask another provider for KEY; the plan must want it. Waits. 0 and the value, or why not
 * as enum macro_query_result_outcome in *ret_outcome with CELL_UNAVAILABLE: expand without
 * it if it is optional, else refuse.
 */
int cell_macro_query(struct cell_macro_work *work, const char *ns, const char *key,
		     const uint8_t **ret_value, size_t *ret_len,
		     enum macro_query_result_outcome *ret_outcome);

/* A fact that the plan provides. The bytes are copied, as in what follows. */
int cell_macro_fact(struct cell_macro_work *work, const char *key, const void *value, size_t len);

/* What the lock file holds for this provider and declaration; NULL if it has no such key. */
const char *cell_macro_kept(const struct cell_macro_work *work, const char *key);
/* What it is to hold from now on. Everything not said again is dropped. */
int cell_macro_keep(struct cell_macro_work *work, const char *key, const char *value);

/* The text depends on STATE, which had DIGEST. */
int cell_macro_depends(struct cell_macro_work *work, const char *state, const uint8_t *digest,
		       size_t len);

/* A file beside the build: PATH is relative, without "..". */
int cell_macro_file(struct cell_macro_work *work, const char *path, const void *content,
		    size_t len);

/* To be provisioned, as NAME ("table account"); BODY is the provider's own. */
int cell_macro_declare(struct cell_macro_work *work, const struct macro_attribute *mine,
		       const char *name, const void *body, size_t len);

/* --- provisioning -------------------------------------------------------------------------- */

/* An error about DECLARED, at its attribute; returns CODE. Notes: cell_macro_note(). */
int cell_provision_refuse(struct cell_macro_work *work, const struct macro_declared *declared,
			  int code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * The same where it stands: at the attribute of MACRO ("check", of DECLARED's namespace) on
 * MEMBER, or, with MEMBER "", on the declaration. If several of MACRO may stand there, its
 * first argument tells them apart: "check(balance >= 0)". One on the declaration whose first
 * argument is MEMBER's name counts, too: unique(city, street). With MACRO "" it is the member
 * itself. What is not in the source any more falls back to member and declaration.
 */
int cell_provision_refuse_member(struct cell_macro_work *work,
				 const struct macro_declared *declared, int code,
				 const char *member, const char *macro, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
/* For people: what was done. */
int cell_provision_changed(struct cell_macro_work *work, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- without a connection ------------------------------------------------------------------ */

/*
 * The same answers as over channel 3, for a provider in the own process and for tests.
 * Results live in CALL. QUERY (may be NULL) answers cell_macro_query().
 */
typedef int cell_macro_query_fn(void *userdata, const struct macro_query *query,
				struct macro_query_result *ret_result);
int cell_macro_catalog(struct cell_call *call, const struct cell_macro_provider *provider,
		       void *self, struct macro_catalog *ret_catalog);
int cell_macro_info(struct cell_call *call, const struct cell_macro_provider *provider,
		    const struct macro_macro_names *names, struct macro_macro_info *ret_info);
int cell_macro_plan(struct cell_call *call, const struct cell_macro_provider *provider, void *self,
		    const struct macro_plan_request *request, struct macro_plan *ret_plan);
int cell_macro_expand(struct cell_call *call, const struct cell_macro_provider *provider,
		      void *self, const struct macro_go *go, cell_macro_query_fn *query,
		      void *userdata, struct macro_generated_code *ret_code);
int cell_macro_provision(struct cell_call *call, const struct cell_macro_provider *provider,
			 void *self, const struct macro_provision_request *request,
			 struct macro_provisioned *ret_provisioned);

#ifdef __cplusplus
}
#endif
