/* What every wrapper needs of the function it stands around. */
#include "macro_work.h"

#include <string.h>

bool cell_macro_is_fallible(const struct cell_macro_work *work)
{
	const struct macro_declaration *function = cell_macro_declaration(work);
	const struct macro_type *result = cell_macro_plain_type(work, function->type);
	const struct macro_type *call;

	/* On all targets int has four bytes; long may have as many, so its name counts too. */
	if (!result || result->kind != MACRO_TYPE_KIND_SIGNED || result->size != 4 ||
	    strcmp(result->spelling, "int") != 0 || function->is_variadic ||
	    !function->n_parameters)
		return false;
	call = cell_macro_plain_type(work, function->parameters[0].type);
	if (!call || call->kind != MACRO_TYPE_KIND_POINTER)
		return false;
	call = cell_macro_plain_type(work, call->element);
	return call && call->kind == MACRO_TYPE_KIND_STRUCT && strcmp(call->tag, "cell_call") == 0;
}

const char *cell_macro_parameter_name(struct cell_macro_work *work, size_t i)
{
	const struct macro_declaration *function = cell_macro_declaration(work);
	const char *name = i < function->n_parameters ? function->parameters[i].name : "";

	return name && *name ? name : cell_macro_printf(work, "cell_%zu", i);
}

/* TYPE as it stands before or around NAME: "const char *x", "int (*x)(void)". */
static void put_parameter(struct cell_piece *piece, const char *type, const char *name)
{
	const char *inside = strstr(type, "(*");
	size_t len = strlen(type);

	if (inside)
		cell_piece_put(piece, "%.*s%s%s", (int)(inside + 2 - type), type, name, inside + 2);
	else
		cell_piece_put(piece, "%s%s%s", type, len && type[len - 1] == '*' ? "" : " ", name);
}

void cell_piece_prototype(struct cell_piece *piece, const char *symbol)
{
	struct cell_macro_work *work = piece->work;
	const struct macro_declaration *function = cell_macro_declaration(work);
	const struct macro_type *result = cell_macro_type(work, function->type);

	cell_piece_put(piece, "static ");
	put_parameter(piece, result ? result->spelling : "void", "");
	cell_piece_put(piece, "%s(", symbol);
	for (size_t i = 0; i < function->n_parameters; i++) {
		const struct macro_type *type =
			cell_macro_type(work, function->parameters[i].type);

		cell_piece_put(piece, "%s", i ? ", " : "");
		put_parameter(piece, type ? type->spelling : "int",
			      cell_macro_parameter_name(work, i));
	}
	cell_piece_put(piece, "%s)", function->n_parameters ? "" : "void");
}

void cell_piece_next(struct cell_piece *piece)
{
	const struct macro_declaration *function = cell_macro_declaration(piece->work);

	cell_piece_put(piece, "$next$(");
	for (size_t i = 0; i < function->n_parameters; i++)
		cell_piece_put(piece, "%s%s", i ? ", " : "",
			       cell_macro_parameter_name(piece->work, i));
	cell_piece_put(piece, ")");
}
