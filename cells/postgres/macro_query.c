/*
 * postgres::query: the live server says what a statement takes and gives, while the program is
 * compiled, and the prototype says what C makes of it.
 *
 *	int f(call, parameters…)                             run; ret_changed: how many rows
 *	int f(call, parameters…, struct row *ret)            one row
 *	int f(call, parameters…, int64_t *ret)               one row of one column
 *	int f(call, parameters…, size_t *ret_n, struct row **ret_rows)    all rows
 *	struct row *f(call, struct cell_rows *rows, parameters…)          one after the other
 */
#include "macros.h"
#include "query.h"
#include "statement.h"

#include <cell/cell.h>
#include <sodium.h>
#include <string.h>

enum shape { SHAPE_RUN, SHAPE_ONE, SHAPE_SCALAR, SHAPE_ALL, SHAPE_STREAM };

struct reading {
	struct cell_macro_work *work;
	const struct macro_attribute *mine;
	const struct macro_value *value; /* the statement */
	const struct macro_declaration *function;
	enum shape shape;
	size_t first, n; /* parameters of the statement */
	const char *ret_n, *ret; /* names of those that take results; NULL = none */
	const struct macro_type *row;    /* the struct, or what stands for a scalar */
	struct macro_type parameters;    /* a struct of them */
	const struct table_column *in, *out;
	size_t n_in, n_out;
	struct table_column *numbered; /* OUT with the numbers of the statement's columns */
};

/* ---- the prototype ------------------------------------------------------------------------------ */

static const struct macro_type *pointed_to(struct reading *q, uint32_t type)
{
	const struct macro_type *pointer = cell_macro_plain_type(q->work, type);

	return pointer && pointer->kind == MACRO_TYPE_KIND_POINTER
		       ? cell_macro_plain_type(q->work, pointer->element)
		       : NULL;
}

static bool is_pointer_to(struct reading *q, uint32_t type, const char *tag)
{
	const struct macro_type *to = pointed_to(q, type);

	return to && to->kind == MACRO_TYPE_KIND_STRUCT && strcmp(to->tag, tag) == 0;
}

static int wrong_shape(struct reading *q)
{
	(void)cell_macro_refuse(q->work, q->mine, NULL, "'%s' has no form that a query can fill",
				q->function->name);
	cell_macro_note(q->work, "int %s(struct cell_call *call, parameters…[, uint64_t *ret_changed])",
			q->function->name);
	cell_macro_note(q->work, "int %s(struct cell_call *call, parameters…, struct row *ret)",
			q->function->name);
	cell_macro_note(q->work,
			"int %s(struct cell_call *call, parameters…, size_t *ret_n, struct row **ret_rows)",
			q->function->name);
	cell_macro_note(q->work,
			"struct row *%s(struct cell_call *call, struct cell_rows *rows, parameters…)",
			q->function->name);
	return CELL_INVALID_ARGUMENT;
}

/* A struct with the one member `value`, of the type that TYPE points to. */
static const struct macro_type *scalar_row(struct reading *q, uint32_t type)
{
	const struct macro_type *pointer = cell_macro_plain_type(q->work, type);
	struct cell_arena *arena = cell_arena(cell_macro_call(q->work));
	struct macro_member *member = cell_arena_calloc(arena, 1, sizeof *member);
	struct macro_type *row = cell_arena_calloc(arena, 1, sizeof *row);

	if (!member || !row)
		return NULL;
	*member = (struct macro_member){ .name = "value", .type = pointer->element, .doc = "" };
	*row = (struct macro_type){ .kind = MACRO_TYPE_KIND_STRUCT, .tag = "cell_row", .size = 1,
				    .spelling = "struct cell_row", .n_members = 1, .members = member,
				    .doc = "" };
	return row;
}

static bool starts_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* What the last parameters take. */
static int read_results(struct reading *q)
{
	const struct macro_declaration *f = q->function;
	const struct macro_parameter *last = &f->parameters[f->n_parameters - 1];
	const struct macro_type *to;

	q->shape = SHAPE_RUN;
	if (f->n_parameters < 2 || !starts_with(last->name, "ret"))
		return 0;
	q->n--;
	q->ret = last->name;
	if (strcmp(last->name, "ret_changed") == 0)
		return 0;
	to = pointed_to(q, last->type);
	if (!to)
		return wrong_shape(q);
	if (strcmp(last->name, "ret_rows") == 0) {
		const struct macro_type *pointer = cell_macro_plain_type(q->work, last->type);

		q->row = pointed_to(q, pointer->element);
		q->ret_n = f->n_parameters > 2 ? last[-1].name : "";
		if (!q->row || q->row->kind != MACRO_TYPE_KIND_STRUCT || strcmp(q->ret_n, "ret_n") != 0)
			return wrong_shape(q);
		q->n--;
		q->shape = SHAPE_ALL;
	} else if (to->kind == MACRO_TYPE_KIND_STRUCT) {
		q->row = to;
		q->shape = SHAPE_ONE;
	} else {
		q->row = scalar_row(q, last->type);
		q->shape = SHAPE_SCALAR;
		if (!q->row)
			return -ENOMEM;
	}
	return 0;
}

static int read_shape(struct reading *q)
{
	const struct macro_declaration *f = q->function;
	const struct macro_type *returned = cell_macro_plain_type(q->work, f->type);

	if (f->is_variadic || !f->n_parameters ||
	    !is_pointer_to(q, f->parameters[0].type, "cell_call"))
		return wrong_shape(q);
	for (size_t i = 0; i < f->n_parameters; i++)
		if (!*f->parameters[i].name)
			return cell_macro_refuse(q->work, q->mine, NULL, "parameter %zu of '%s' has no name",
						 i + 1, f->name);
	q->first = 1;
	q->n = f->n_parameters - 1;
	if (returned && returned->kind == MACRO_TYPE_KIND_POINTER) {
		q->row = cell_macro_plain_type(q->work, returned->element);
		q->shape = SHAPE_STREAM;
		if (!q->row || q->row->kind != MACRO_TYPE_KIND_STRUCT || f->n_parameters < 2 ||
		    !is_pointer_to(q, f->parameters[1].type, "cell_rows"))
			return wrong_shape(q);
		q->first = 2;
		q->n--;
		return 0;
	}
	if (!returned || returned->kind != MACRO_TYPE_KIND_SIGNED || returned->size != 4)
		return wrong_shape(q);
	return read_results(q);
}

/* The parameters as members of a struct: they follow the same rules. */
static int read_parameters(struct reading *q)
{
	struct macro_member *members =
		cell_arena_calloc(cell_arena(cell_macro_call(q->work)), q->n + 1, sizeof *members);

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < q->n; i++)
		members[i] = (struct macro_member){
			.name = q->function->parameters[q->first + i].name,
			.type = q->function->parameters[q->first + i].type,
			.doc = "",
		};
	q->parameters = (struct macro_type){ .kind = MACRO_TYPE_KIND_STRUCT, .tag = "cell_in", .size = 1,
					     .spelling = "struct cell_in", .n_members = q->n,
					     .members = members, .doc = "" };
	return q->n ? table_columns_of(q->work, &q->parameters, &q->in, &q->n_in) : 0;
}

static int read_prototype(struct reading *q, struct cell_macro_work *work,
			  const struct macro_attribute *mine)
{
	const char *fault;
	int r;

	*q = (struct reading){ .work = work, .mine = mine,
			       .value = cell_macro_argument(work, mine, "text"),
			       .function = cell_macro_declaration(work) };
	fault = statement_fault(q->value->text);
	if (fault)
		return cell_macro_refuse(work, mine, q->value, "%s", fault);
	r = read_shape(q);
	r = r ? r : read_parameters(q);
	if (!r && q->row)
		r = table_columns_of(work, q->row, &q->out, &q->n_out);
	return r;
}

int macro_query_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct reading q;
	int r = read_prototype(&q, work, mine);

	r = r ? r : cell_plan_body(work, mine);
	r = r ? r : cell_plan_reads(work, SCHEMA_STATE);
	return r ? r : cell_plan_use(work, mine, "postgres", "app");
}

/* ---- what the server says ----------------------------------------------------------------------- */

/* The byte at which character N (from 1) of TEXT begins. */
static size_t offset_of(const char *text, size_t n)
{
	const char *at = text;

	for (; *at && n > 1; n--) {
		at++;
		while (((unsigned char)*at & 0xc0) == 0x80)
			at++;
	}
	return (size_t)(at - text);
}

static int refuse_fault(struct reading *q, const struct pg_session *session)
{
	const struct pg_fault *fault = pg_fault(session);
	const char *text = q->value->text;

	if (fault->position)
		(void)cell_macro_refuse_at(q->work, q->mine, q->value, offset_of(text, fault->position),
					   "%s%s%s", fault->message, *fault->detail ? ": " : "",
					   fault->detail);
	else
		(void)cell_macro_refuse(q->work, q->mine, q->value, "%s%s%s", fault->message,
					*fault->detail ? ": " : "", fault->detail);
	if (*fault->hint)
		cell_macro_note(q->work, "%s", fault->hint);
	return CELL_INVALID_ARGUMENT;
}

static int check_parameters(struct reading *q, const struct pg_described *described,
			    const struct query_types *types)
{
	struct cell_arena *arena = cell_arena(cell_macro_call(q->work));
	int r = 0;

	if (described->n_parameters != q->n_in)
		return cell_macro_refuse(q->work, q->mine, q->value,
					 "the statement has %zu parameter%s, '%s' has %zu for it",
					 described->n_parameters, described->n_parameters == 1 ? "" : "s",
					 q->function->name, q->n_in);
	for (size_t i = 0; i < q->n_in; i++)
		if (!type_can_write(&q->in[i], &types->parameters[i]))
			r = cell_macro_refuse_member(q->work, q->in[i].name,
						     "'%s' is %s, and $%zu is %s in PostgreSQL",
						     q->in[i].name, type_member(&q->in[i], arena), i + 1,
						     types->parameters[i].name);
	return r;
}

/* A column of a table that may be NULL; what an expression gives nobody knows before. */
static int may_be_null(struct cell_call *call, struct pg_session *session,
		       const struct pg_described_column *column, bool *ret)
{
	const uint32_t table = __builtin_bswap32(column->table);
	const uint16_t number = __builtin_bswap16((uint16_t)column->column);
	const struct pg_value values[] = { { .bytes = &table, .len = 4, .oid = 26 },
					   { .bytes = &number, .len = 2, .oid = 21 } };
	const struct pg_result *result;
	int r;

	*ret = false;
	if (!column->table)
		return 0;
	r = pg_do(call, session,
		  "SELECT NOT a.attnotnull AND c.relkind IN ('r', 'p') FROM pg_attribute a "
		  "JOIN pg_class c ON c.oid = a.attrelid WHERE a.attrelid = $1 AND a.attnum = $2",
		  values, 2, &result);
	if (!r && pg_rows(result))
		*ret = pg_integer(result, 0, 0);
	return r;
}

static int member_of(const struct reading *q, const char *name)
{
	if (q->shape == SHAPE_SCALAR)
		return 0;
	for (size_t i = 0; i < q->n_out; i++)
		if (strcmp(q->out[i].name, name) == 0)
			return (int)i;
	return -1;
}

static int check_column(struct reading *q, struct pg_session *session,
			const struct pg_described *described, const struct query_types *types, size_t i)
{
	struct cell_call *call = cell_macro_call(q->work);
	const struct pg_described_column *column = &described->columns[i];
	int at = member_of(q, column->name);
	bool nullable;
	int r;

	if (at < 0)
		return cell_macro_refuse(q->work, q->mine, q->value,
					 "column '%s' (%s) has no member in struct %s", column->name,
					 types->columns[i].name, q->row->tag);
	if (q->numbered[at].number)
		return cell_macro_refuse(q->work, q->mine, q->value, "two columns are called '%s'",
					 column->name);
	q->numbered[at].number = (uint32_t)i + 1;
	if (!type_can_read(&q->out[at], &types->columns[i]))
		return cell_macro_refuse(q->work, q->mine, q->value,
					 "column '%s' is %s in PostgreSQL, and %s in %s%s", column->name,
					 types->columns[i].name,
					 type_member(&q->out[at], cell_arena(call)),
					 q->shape == SHAPE_SCALAR ? "" : "struct ",
					 q->shape == SHAPE_SCALAR ? q->ret : q->row->tag);
	r = may_be_null(call, session, column, &nullable);
	if (r || !nullable || q->out[at].nullable || q->out[at].repeated)
		return r;
	(void)cell_macro_refuse(q->work, q->mine, q->value, "column '%s' may be NULL", column->name);
	if (q->shape == SHAPE_SCALAR)
		cell_macro_note(q->work, "select coalesce(%s, …), or take a struct", column->name);
	else
		cell_macro_note(q->work, "put \"bool has_%s;\" before it, or select coalesce(%s, …)",
				column->name, column->name);
	return CELL_INVALID_ARGUMENT;
}

static int check_columns(struct reading *q, struct pg_session *session,
			 const struct pg_described *described, const struct query_types *types)
{
	int r = 0;

	if (!q->row)
		return 0;
	if (q->shape == SHAPE_SCALAR && described->n_columns != 1) {
		(void)cell_macro_refuse(q->work, q->mine, q->value,
					"the statement gives %zu columns, and '%s' takes one",
					described->n_columns, q->ret);
		if (!described->n_columns)
			cell_macro_note(q->work, "how many rows it changed is \"uint64_t *ret_changed\"");
		return CELL_INVALID_ARGUMENT;
	}
	q->numbered = cell_arena_calloc(cell_arena(cell_macro_call(q->work)), q->n_out, sizeof *q->numbered);
	if (!q->numbered)
		return -ENOMEM;
	for (size_t i = 0; i < q->n_out; i++) {
		q->numbered[i] = q->out[i];
		q->numbered[i].number = 0;
	}
	for (size_t i = 0; i < described->n_columns; i++) {
		int one = check_column(q, session, described, types, i);

		r = r ? r : one;
	}
	for (size_t i = 0; !r && i < q->n_out; i++)
		if (!q->numbered[i].number)
			r = cell_macro_refuse(q->work, q->mine, q->value,
					      "the statement gives no column '%s' for struct %s",
					      q->out[i].name, q->row->tag);
	return r;
}

/* With the tables that the program declares, made and forgotten again. */
static int describe(struct reading *q, struct pg_session *session, struct pg_described *ret)
{
	struct cell_call *call = cell_macro_call(q->work);
	struct postgres *postgres = cell_macro_self(q->work);
	const char *program = cell_macro_request(q->work)->program;
	int r = catalog_make(call, postgres, session);

	r = r ? r : pg_do(call, session, "BEGIN", NULL, 0, NULL);
	r = r ? r
	      : planned_make(call, postgres->planned, session, *program ? program : "default");
	return r ? r : pg_describe(call, session, q->value->text, ret);
}

static int check_in(struct reading *q, struct pg_session *session)
{
	struct cell_call *call = cell_macro_call(q->work);
	struct pg_described described;
	struct query_types types;
	int r = describe(q, session, &described);

	if (r)
		return r;
	r = query_types(call, session, &described, &types);
	r = r ? r : check_parameters(q, &described, &types);
	return r ? r : check_columns(q, session, &described, &types);
}

static bool is_missing(const struct pg_session *session)
{
	const char *sqlstate = pg_fault(session)->sqlstate;

	return strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "42703") == 0 ||
	       strcmp(sqlstate, "42704") == 0;
}

/* Within the 2 s that a provider has. */
#define WAITS_MAX    12
#define WAIT_EACH_MS 50

/* What came of one attempt, said where it belongs. */
static int say(struct reading *q, const struct pg_session *session, int r)
{
	if (*pg_fault(session)->sqlstate)
		return refuse_fault(q, session);
	/* What the types say has been said. */
	if (!r || r == CELL_INVALID_ARGUMENT)
		return r;
	return cell_macro_refuse(q->work, q->mine, NULL, "%s", cell_error(cell_macro_call(q->work))->text);
}

/*
 * The declarations of one file are worked on at once: a table that is missing may be the next to
 * be declared.
 */
static int check(struct reading *q)
{
	struct postgres *postgres = cell_macro_self(q->work);
	struct cell_call *call = cell_macro_call(q->work);
	unsigned waits = 0;

	for (;;) {
		uint64_t generation = planned_generation(postgres->planned);
		struct pg_session *session;
		bool is_last;
		int r = pg_take(call, postgres->pg, false, &session);

		if (r)
			return cell_macro_refuse(q->work, q->mine, NULL, "%s", cell_error(call)->text);
		r = check_in(q, session);
		is_last = !r || !is_missing(session) || waits >= WAITS_MAX;
		if (is_last)
			r = say(q, session, r);
		pg_give(session);
		if (is_last)
			return r;
		do
			r = cell_sleep_ms(call, WAIT_EACH_MS);
		while (!r && ++waits < WAITS_MAX &&
		       planned_generation(postgres->planned) == generation);
		if (r)
			return r;
	}
}

/* ---- the body -------------------------------------------------------------------------------------- */

static void put_member(struct reading *q, struct cell_piece *piece, uint32_t type, const char *name)
{
	const char *spelling = cell_macro_type(q->work, type)->spelling;
	size_t n = strlen(spelling);

	cell_piece_put(piece, "\t\t%s%s%s;\n", spelling, n && spelling[n - 1] == '*' ? "" : " ", name);
}

static void put_descriptor(struct reading *q, struct cell_piece *piece)
{
	if (q->n) {
		cell_piece_put(piece, "\tstruct cell_in {\n");
		for (size_t i = 0; i < q->n; i++)
			put_member(q, piece, q->parameters.members[i].type, q->parameters.members[i].name);
		cell_piece_put(piece, "\t};\n");
		table_put_columns(q->work, piece, "cell_parameters", &q->parameters, q->in, q->n_in);
	}
	if (q->shape == SHAPE_SCALAR) {
		cell_piece_put(piece, "\tstruct cell_row {\n");
		put_member(q, piece, q->row->members[0].type, "value");
		cell_piece_put(piece, "\t} cell_row;\n");
	}
	if (q->row)
		table_put_columns(q->work, piece, "cell_columns", q->row, q->numbered, q->n_out);
	cell_piece_put(piece, "\tstatic struct cell_ref cell_ref = CELL_REF(\"postgres\");\n"
			      "\tstatic const struct cell_query cell_query = {\n\t\t.ref = &cell_ref,\n"
			      "\t\t.text = ");
	cell_piece_literal(piece, q->value->text);
	if (q->n)
		cell_piece_put(piece, ",\n\t\t.parameters = cell_parameters,\n\t\t.n_parameters = %zu",
			       q->n_in);
	if (q->row)
		cell_piece_put(piece,
			       ",\n\t\t.columns = cell_columns,\n\t\t.n_columns = %zu,\n"
			       "\t\t.row_size = sizeof(struct %s)",
			       q->n_out, q->row->tag);
	cell_piece_put(piece, ",\n\t};\n");
	if (!q->n)
		return;
	cell_piece_put(piece, "\tconst struct cell_in cell_in = {");
	for (size_t i = 0; i < q->n; i++)
		cell_piece_put(piece, "%s .%s = %s", i ? "," : "", q->parameters.members[i].name,
			       q->parameters.members[i].name);
	cell_piece_put(piece, " };\n");
}

static void put_call(struct reading *q, struct cell_piece *piece)
{
	const char *call = q->function->parameters[0].name;
	const char *in = q->n ? "&cell_in" : "(void *)0";

	switch (q->shape) {
	case SHAPE_RUN:
		cell_piece_put(piece, "\treturn cell_query_run(%s, &cell_query, %s, %s);\n", call, in,
			       q->ret ? q->ret : "(uint64_t *)0");
		break;
	case SHAPE_ONE:
		cell_piece_put(piece, "\treturn cell_query_one(%s, &cell_query, %s, %s);\n", call, in,
			       q->ret);
		break;
	case SHAPE_SCALAR:
		cell_piece_put(piece,
			       "\tint cell_err = cell_query_one(%s, &cell_query, %s, &cell_row);\n\n"
			       "\tif (!cell_err)\n\t\t*%s = cell_row.value;\n\treturn cell_err;\n",
			       call, in, q->ret);
		break;
	case SHAPE_ALL:
		cell_piece_put(piece,
			       "\tvoid *cell_rows = (void *)0;\n"
			       "\tint cell_err = cell_query_all(%s, &cell_query, %s, %s, &cell_rows);\n\n"
			       "\tif (!cell_err)\n\t\t*%s = (struct %s *)cell_rows;\n\treturn cell_err;\n",
			       call, in, q->ret_n, q->ret, q->row->tag);
		break;
	case SHAPE_STREAM:
		cell_piece_put(piece, "\treturn (struct %s *)cell_query_next(%s, &cell_query, %s, %s);\n",
			       q->row->tag, call, in, q->function->parameters[1].name);
		break;
	}
}

int macro_query_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct cell_piece *piece;
	struct reading q;
	int r = read_prototype(&q, work, mine);

	r = r ? r : check(&q);
	if (r)
		return r;
	piece = cell_piece(work, mine, MACRO_ANCHOR_BODY, MACRO_PIECE_KIND_INLINE);
	cell_piece_from_value(piece, mine, q.value);
	cell_piece_put(piece, "{\n");
	put_descriptor(&q, piece);
	cell_piece_put(piece, "\n");
	put_call(&q, piece);
	cell_piece_put(piece, "}\n");
	return 0;
}

/* ---- what statements depend on ------------------------------------------------------------------ */

int macro_query_state(struct cell_call *call, struct pg_session *session, uint8_t ret[static 32])
{
	const struct pg_result *result;
	const uint8_t *bytes;
	size_t len = 0;
	int r = pg_do(call, session,
		      "SELECT coalesce(string_agg(format('%s.%s.%s %s %s', n.nspname, c.relname, a.attname, "
		      "format_type(a.atttypid, a.atttypmod), a.attnotnull), E'\\n' "
		      "ORDER BY n.nspname, c.relname, a.attnum), '')::bytea "
		      "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
		      "JOIN pg_namespace n ON n.oid = c.relnamespace "
		      "WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
		      "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'cell')",
		      NULL, 0, &result);

	if (r)
		return r;
	bytes = pg_cell(result, 0, 0, &len);
	(void)crypto_generichash(ret, 32, bytes, len, NULL, 0);
	return 0;
}
