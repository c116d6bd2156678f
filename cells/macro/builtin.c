#include "builtin_part.h"

#include <cell/cell.h>
#include <string.h>

#define BIT CELL_MACRO_BIT

static const struct cell_macro_argument message_arguments[] = {
	{ .name = "prefix", .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "What generated names begin with instead of the struct's tag." },
	{ .name = "name", .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "The message's name on the wire; else the tag in CamelCase." },
	{ 0 }
};
static const struct cell_macro_argument field_arguments[] = {
	{ .name = "number", .kind = MACRO_VALUE_KIND_INTEGER, .is_positional = true,
	  .is_required = true, .doc = "The field's number on the wire, from 1." },
	{ 0 }
};
static const struct cell_macro_argument service_arguments[] = {
	{ .name = "name", .kind = MACRO_VALUE_KIND_STRING, .is_positional = true,
	  .doc = "The service's name, as a cell's; else the struct's tag." },
	{ 0 }
};
static const struct cell_macro_argument handler_arguments[] = {
	{ .name = "raw", .kind = MACRO_VALUE_KIND_IDENTIFIER, .is_positional = true,
	  .choices = (const char *const[]){ "raw", NULL },
	  .doc = "Leave the request's bytes as they came: cell_request_bytes() gives them." },
	{ .name = "name", .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "The method's name; else the function's." },
	{ .name = "service", .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "The service it belongs to, if no parameter and nothing in the file says so." },
	{ .name = "idempotent", .kind = MACRO_VALUE_KIND_BOOL, .fallback = "false",
	  .doc = "Repeating a call does no harm: it may be sent again after a lost connection." },
	{ 0 }
};
static const struct cell_macro_argument hook_arguments[] = {
	{ .name = "service", .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "The service whose state it gets, if no parameter says so." },
	{ 0 }
};
static const struct cell_macro_argument emit_arguments[] = {
	{ .name = "header", .kind = MACRO_VALUE_KIND_IDENTIFIER, .is_positional = true,
	  .is_required = true, .doc = "users_h for users.h." },
	{ 0 }
};

static const struct cell_macro macros[] = {
	{ .name = "message", .places = BIT(MACRO_PLACE_STRUCT),
	  .may = BIT(MACRO_ADDITION_DECLARATIONS), .arguments = message_arguments,
	  .doc = "What calls carry: a struct with a form on the wire.\n"
		 "Members are fields; cell-macros(7) says which types they may have.",
	  .plan = builtin_message_plan, .expand = builtin_message_expand },
	{ .name = "field", .places = BIT(MACRO_PLACE_MEMBER), .arguments = field_arguments,
	  .doc = "The number of a message's field.\n"
		 "Without it the field keeps the one in .cell/cell.schema.lock, or gets the next." },
	{ .name = "map", .places = BIT(MACRO_PLACE_MEMBER),
	  .doc = "A list of pairs that is a map on the wire.\n"
		 "Its struct is a message with the members key and value." },
	{ .name = "service", .places = BIT(MACRO_PLACE_STRUCT) | BIT(MACRO_PLACE_FILE),
	  .may = BIT(MACRO_ADDITION_DECLARATIONS), .arguments = service_arguments,
	  .doc = "The state of a service, one per instance.\n"
		 "At file scope: what the file's handlers belong to, without a state.",
	  .plan = builtin_service_plan, .expand = builtin_service_expand },
	{ .name = "handler", .places = BIT(MACRO_PLACE_FUNCTION),
	  .may = BIT(MACRO_ADDITION_DECLARATIONS) | BIT(MACRO_ADDITION_WRAP),
	  .arguments = handler_arguments,
	  .doc = "A method of a service.\n"
		 "int f(struct cell_call *, [state *,] [const request *,] [reply *]); struct\n"
		 "X_source * as request and struct X_sink * as reply make it streaming.",
	  .plan = builtin_handler_plan, .expand = builtin_handler_expand },
	{ .name = "start", .places = BIT(MACRO_PLACE_FUNCTION),
	  .may = BIT(MACRO_ADDITION_DECLARATIONS), .arguments = hook_arguments,
	  .doc = "Runs before the instance is ready: int f(struct cell_call *, [state *]).",
	  .plan = builtin_hook_plan, .expand = builtin_hook_expand },
	{ .name = "stop", .places = BIT(MACRO_PLACE_FUNCTION),
	  .may = BIT(MACRO_ADDITION_DECLARATIONS), .arguments = hook_arguments,
	  .doc = "Runs when the last call has ended: int f(struct cell_call *, [state *]).",
	  .plan = builtin_hook_plan, .expand = builtin_hook_expand },
	{ .name = "remote", .places = BIT(MACRO_PLACE_FILE),
	  .may = BIT(MACRO_ADDITION_DECLARATIONS), .is_repeatable = true,
	  .takes_any_argument = true,
	  .doc = "A typed client of a running cell: cell::remote(alias = \"cell\").\n"
		 "Types and functions are called alias_x.",
	  .plan = builtin_remote_plan, .expand = builtin_remote_expand },
	{ .name = "emit", .places = BIT(MACRO_PLACE_FILE), .is_repeatable = true,
	  .arguments = emit_arguments,
	  .doc = "What a header's attributes make once in a program stands in this file." },
	{ 0 }
};

const struct cell_macro_provider cell_builtin = {
	.namespaces = (const char *const[]){ "cell", NULL },
	.macros = macros,
	.states = builtin_states,
};

static struct builtin builtin_self;
void *cell_builtin_self = &builtin_self;

/* --- types ------------------------------------------------------------------------------ */

const struct macro_attribute *type_attribute(const struct macro_type *type, const char *name)
{
	return cell_macro_find(type->attributes, type->n_attributes, "cell", name);
}

const char *message_noun(struct cell_macro_work *work, const struct macro_type *type)
{
	const struct macro_attribute *message = type_attribute(type, "message");

	return message ? cell_macro_text(work, message, "prefix", type->tag) : type->tag;
}

const struct macro_type *type_pointee(struct cell_macro_work *work, uint32_t type)
{
	const struct macro_type *pointer = cell_macro_plain_type(work, type);

	return pointer && pointer->kind == MACRO_TYPE_KIND_POINTER
		       ? cell_macro_plain_type(work, pointer->element)
		       : NULL;
}

/* --- text ------------------------------------------------------------------------------- */

void put_piece(struct cell_macro_work *work, const struct macro_attribute *mine,
	       enum macro_anchor anchor, enum macro_piece_kind kind, const struct gen_text *text)
{
	if (text->len)
		cell_piece_put(cell_piece(work, mine, anchor, kind), "%s", text->bytes);
}

void put_doc(struct cell_piece *piece, const char *doc)
{
	if (doc && *doc)
		cell_piece_literal(piece, doc);
	else
		cell_piece_put(piece, "(const char *)0");
}
