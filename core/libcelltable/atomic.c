/* atomic: a function whose reads and writes are one transaction. */
#include "macros.h"

#include <cell/cell.h>
#include <string.h>

/* The struct that parameter I points to; NULL if it points to none. */
static const struct macro_type *pointee(const struct cell_macro_work *work, size_t i)
{
	const struct macro_parameter *parameter =
		&cell_macro_declaration(work)->parameters[i];
	const struct macro_type *type = cell_macro_plain_type(work, parameter->type);

	if (!type || type->kind != MACRO_TYPE_KIND_POINTER)
		return NULL;
	type = cell_macro_plain_type(work, type->element);
	return type && type->kind == MACRO_TYPE_KIND_STRUCT ? type : NULL;
}

/* A stream of requests: what was taken from it does not come again. */
static bool is_source(const struct macro_type *type)
{
	size_t len = strlen(type->tag);

	return !type->size && len > 7 && strcmp(type->tag + len - 7, "_source") == 0;
}

static bool has_source(const struct cell_macro_work *work)
{
	for (size_t i = 1; i < cell_macro_declaration(work)->n_parameters; i++)
		if (pointee(work, i) && is_source(pointee(work, i)))
			return true;
	return false;
}

/* Whether parameter I is the reply of a handler: each run begins with an empty one. */
static bool is_reply(const struct cell_macro_work *work, size_t i)
{
	const struct macro_declaration *function = cell_macro_declaration(work);
	const struct macro_type *type = pointee(work, i);

	return cell_macro_has(work, "cell", "handler") && type && type->size &&
	       !type->is_const &&
	       !cell_macro_type(
			work,
			cell_macro_plain_type(work, function->parameters[i].type)->element)
			->is_const &&
	       !cell_macro_find(type->attributes, type->n_attributes, "cell", "service");
}

int macro_atomic_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct table_provider *provider = cell_macro_self(work);
	const char *name = cell_macro_declaration(work)->name;
	int r;

	if (!cell_macro_is_fallible(work)) {
		(void)cell_macro_refuse(work, mine, NULL,
					"'%s' cannot be atomic: it takes no call, or has no way to fail",
					name);
		cell_macro_note(work, "int %s(struct cell_call *call, …)", name);
		return CELL_INVALID_ARGUMENT;
	}
	r = cell_plan_wrap(work, mine, MACRO_PHASE_TRANSACT, NULL, NULL);
	if (r == 0)
		r = cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "cell_60_%s", name);
	return r == 0 ? cell_plan_use(work, mine, provider->cell, "app") : r;
}

int macro_atomic_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_declaration *function = cell_macro_declaration(work);
	const char *symbol = cell_macro_printf(work, "cell_60_%s", function->name);
	const char *call = cell_macro_parameter_name(work, 0);
	struct cell_piece *piece = cell_piece_wrap(work, mine, MACRO_PHASE_TRANSACT, symbol);

	cell_piece_prototype(piece, symbol);
	if (has_source(work)) {
		cell_piece_put(
			piece,
			"\n{\n\tint cell_err = cell_txn_begin(%s);\n\n\tif (!cell_err)\n\t\tcell_err = cell_txn_end(%s, ",
			call, call);
		cell_piece_next(piece);
		cell_piece_put(piece, ");\n\treturn cell_err;\n}\n");
		return 0;
	}
	cell_piece_put(
		piece,
		"\n{\n\tstruct cell_atomic cell_atomic = cell_atomic_begin(%s);\n\tint cell_err;\n\n\tdo {\n",
		call);
	for (size_t i = 1; i < function->n_parameters; i++)
		if (is_reply(work, i))
			cell_piece_put(piece, "\t\t__builtin_memset(%s, 0, sizeof *%s);\n",
				       cell_macro_parameter_name(work, i),
				       cell_macro_parameter_name(work, i));
	cell_piece_put(piece, "\t\tcell_err = ");
	cell_piece_next(piece);
	cell_piece_put(
		piece,
		";\n\t} while (cell_atomic_again(&cell_atomic, &cell_err));\n\treturn cell_err;\n}\n");
	return 0;
}
