/*
 * validate::range, ::length, ::email, ::one_of on members, validate::checked on functions.
 *
 * A struct with guarded members gets `TAG_check(call, &it)`: 0, or CELL_INVALID_ARGUMENT
 * naming the first member that is wrong. A checked function is called only if all that it
 * takes passes. Nested structs are checked by their own function, or member by member if
 * they have none of their own.
 */
#include "rules.h"
#include "validate.h"

#include <string.h>

/* The attributes of this provider that stand on members: the struct's one function is planned
 * and written for the first of them. */
static bool is_first(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_plan_request *request = cell_macro_request(work);

	for (size_t i = 0; i < request->n_attributes; i++)
		if (strcmp(request->attributes[i].ns, "validate") == 0)
			return request->attributes[i].id == mine->id;
	return false;
}

static const struct macro_type *struct_of(struct cell_macro_work *work)
{
	return cell_macro_plain_type(work, cell_macro_declaration(work)->type);
}

static int plan_guard(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *tag = cell_macro_declaration(work)->name;
	int err = rules_check(work, struct_of(work), mine);

	if (err || !is_first(work, mine))
		return err;
	if (!*tag)
		return cell_macro_refuse(work, mine, NULL,
					 "a guarded struct needs a tag, to name its check");
	err = cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "%s_check", tag);
	if (err == 0 && rules_want_email(struct_of(work)))
		err = cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "cell_email_%s", tag);
	return err;
}

static int expand_guard(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *tag = cell_macro_declaration(work)->name;
	struct cell_piece *piece;

	if (!is_first(work, mine))
		return 0;
	piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_INLINE);
	if (rules_want_email(struct_of(work)))
		rules_put_email(piece, tag);
	cell_piece_template(piece,
			    "/* 0, or CELL_INVALID_ARGUMENT naming the first member that is wrong. */\n"
			    "static inline int $tag$_check(struct cell_call *call, const struct $tag$ *it)\n"
			    "{\n",
			    (const char *const[]){ "tag", tag, NULL });
	rules_put_checks(work, piece, struct_of(work), tag);
	cell_piece_put(piece, "\t(void)call;\n\t(void)it;\n\treturn 0;\n}\n");
	return 0;
}

/* ---- checked -------------------------------------------------------------------------- */

/* The struct that parameter I points to, if its members, or what is in them, are guarded. */
static const struct macro_type *guarded_parameter(struct cell_macro_work *work, size_t i)
{
	const struct macro_parameter *parameter = &cell_macro_declaration(work)->parameters[i];
	const struct macro_type *type = cell_macro_plain_type(work, parameter->type);

	if (!type || type->kind != MACRO_TYPE_KIND_POINTER)
		return NULL;
	if (!cell_macro_type(work, type->element)->is_const)
		return NULL; /* a result */
	type = cell_macro_plain_type(work, type->element);
	return type && type->kind == MACRO_TYPE_KIND_STRUCT && rules_are_below(work, type) ? type
										       : NULL;
}

static int plan_checked(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_declaration *function = cell_macro_declaration(work);
	bool is_any = false;
	int err;

	if (!cell_macro_is_fallible(work)) {
		(void)cell_macro_refuse(work, mine, NULL,
					"'%s' cannot be checked: it has no way to refuse",
					function->name);
		cell_macro_note(work, "int %s(struct cell_call *call, …)", function->name);
		return CELL_INVALID_ARGUMENT;
	}
	for (size_t i = 1; i < function->n_parameters; i++)
		is_any |= guarded_parameter(work, i) != NULL;
	if (!is_any) {
		(void)cell_macro_refuse(work, mine, NULL,
					"nothing that '%s' takes has a guard", function->name);
		cell_macro_note(work,
				"put [[validate::range(1, 10)]] or the like on a member of what it takes; "
				"items of a stream are checked with their TAG_check()");
		return CELL_INVALID_ARGUMENT;
	}
	err = cell_plan_wrap(work, mine, MACRO_PHASE_VALIDATE, NULL, NULL);
	return err ? err
		   : cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "cell_40_%s",
				      function->name);
}

/* What checks parameter I of TYPE: the struct's own function, or one for what is in it. */
static const char *put_check(struct cell_macro_work *work, const struct macro_attribute *mine, size_t i,
			     const struct macro_type *type)
{
	const char *name = cell_macro_printf(work, "cell_check_%s_%zu",
					     cell_macro_declaration(work)->name, i);
	bool is_const = strncmp(type->spelling, "const ", 6) == 0;
	struct cell_piece *piece;

	if (rules_are_on(type))
		return cell_macro_printf(work, "%s_check", type->tag);
	piece = cell_piece(work, mine, MACRO_ANCHOR_BEFORE, MACRO_PIECE_KIND_INLINE);
	cell_piece_put(piece, "static inline int %s(struct cell_call *call, const %s *it)\n{\n", name,
		       type->spelling + (is_const ? 6 : 0));
	rules_put_checks(work, piece, type, name);
	cell_piece_put(piece, "\t(void)call;\n\t(void)it;\n\treturn 0;\n}\n");
	return name;
}

static int expand_checked(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_declaration *function = cell_macro_declaration(work);
	const char *symbol = cell_macro_printf(work, "cell_40_%s", function->name);
	struct cell_piece *piece = cell_piece_wrap(work, mine, MACRO_PHASE_VALIDATE, symbol);

	cell_piece_prototype(piece, symbol);
	cell_piece_put(piece, "\n{\n\tint cell_err;\n\n");
	for (size_t i = 1; i < function->n_parameters; i++) {
		const struct macro_type *type = guarded_parameter(work, i);

		if (type)
			cell_piece_put(piece,
				       "\tcell_err = %s(%s, %s);\n\tif (cell_err)\n"
				       "\t\treturn cell_err;\n",
				       put_check(work, mine, i, type), cell_macro_parameter_name(work, 0),
				       cell_macro_parameter_name(work, i));
	}
	cell_piece_put(piece, "\treturn ");
	cell_piece_next(piece);
	cell_piece_put(piece, ";\n}\n");
	return 0;
}

/* ---- the table ------------------------------------------------------------------------- */

static const struct cell_macro_argument range_arguments[] = {
	{ .name = "min", .kind = MACRO_VALUE_KIND_ANY, .is_positional = true,
	  .doc = "the smallest value that passes; null = none" },
	{ .name = "max", .kind = MACRO_VALUE_KIND_ANY, .is_positional = true,
	  .doc = "the largest; null = none" },
	{ 0 },
};

static const struct cell_macro_argument length_arguments[] = {
	{ .name = "min", .kind = MACRO_VALUE_KIND_INTEGER, .is_positional = true,
	  .is_required = true, .doc = "bytes of a string, items of a repeated member" },
	{ .name = "max", .kind = MACRO_VALUE_KIND_INTEGER, .is_positional = true,
	  .doc = "none if left out" },
	{ 0 },
};

static const struct cell_macro validate_macros[] = {
	{ .name = "range",
	  .doc = "A number within bounds, both included.\n"
		 "On a repeated member, each item. An optional member passes when it is absent.\n"
		 "What is not a number (NaN) never passes.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_MEMBER),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS),
	  .arguments = range_arguments,
	  .plan = plan_guard,
	  .expand = expand_guard },
	{ .name = "length",
	  .doc = "So many bytes of a string, or items of a repeated member or bytes.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_MEMBER),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS),
	  .arguments = length_arguments,
	  .plan = plan_guard,
	  .expand = expand_guard },
	{ .name = "email",
	  .doc = "Looks like an address: one @, a dot behind it, no spaces, at most 254 bytes.\n"
		 "The empty string does not pass. Whether anybody reads it only a mail can tell.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_MEMBER),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS),
	  .plan = plan_guard,
	  .expand = expand_guard },
	{ .name = "one_of",
	  .doc = "One of the values listed: strings, integers, or enumerators by name.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_MEMBER),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS),
	  .takes_any_argument = true,
	  .plan = plan_guard,
	  .expand = expand_guard },
	{ .name = "checked",
	  .doc = "Calls the function only if all that it takes passes its guards.\n"
		 "Else the caller gets CELL_INVALID_ARGUMENT naming the member.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_FUNCTION),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_WRAP) | CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS),
	  .plan = plan_checked,
	  .expand = expand_checked },
	{ 0 },
};

const struct cell_macro_provider validate_provider = {
	.namespaces = (const char *const[]){ "validate", NULL },
	.macros = validate_macros,
};
