/*
 * crud: methods over the rows of a table. Requests and replies are the struct itself, which
 * is a message; where only a key is asked for, its other members count for nothing.
 */
#include "macros.h"

#include <cell/cell.h>
#include <string.h>

struct crud {
	const struct read *read;
	const char *service; /* "bank" */
	const char *message; /* what names of the row's message begin with */
};

/* The service of the attribute, else of the file; NULL after a refusal. */
static const char *service_of(struct cell_macro_work *work,
			      const struct macro_attribute *mine)
{
	const struct macro_plan_request *request = cell_macro_request(work);
	const struct macro_value *said = cell_macro_argument(work, mine, "service");
	const char *service = said ? said->text : NULL;
	size_t len;

	for (size_t i = 0; i < request->n_context && !service; i++)
		if (strcmp(request->context[i].ns, "cell") == 0 &&
		    strcmp(request->context[i].name, "service") == 0)
			service = macro_cell_argument(&request->context[i], "name");
	if (!service) {
		(void)cell_macro_refuse(work, mine, NULL, "its methods belong to no service");
		cell_macro_note(work, "write %s::crud(service = \"bank\")", mine->ns);
		return NULL;
	}
	len = strlen(service);
	if (len && len <= SCHEMA_NAME_MAX && *service >= 'a' && *service <= 'z' &&
	    strspn(service, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
		return service;
	(void)cell_macro_refuse(work, mine, said, "'%s' is no name of a service", service);
	return NULL;
}

int macro_crud_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct table_provider *provider = cell_macro_self(work);
	const char *tag = cell_macro_declaration(work)->name;

	if (!cell_macro_has(work, provider->ns, "table")) {
		(void)cell_macro_refuse(work, mine, NULL, "'%s' is no table", tag);
		cell_macro_note(work, "write: struct [[%s::table, …]] %s {", provider->ns,
				tag);
		return CELL_INVALID_ARGUMENT;
	}
	if (!macro_cell_attribute(work, "message")) {
		(void)cell_macro_refuse(work, mine, NULL,
					"'%s' is no message, and calls carry it", tag);
		cell_macro_note(work, "write: struct [[cell::message, …]] %s {", tag);
		return CELL_INVALID_ARGUMENT;
	}
	return service_of(work, mine) ? 0 : CELL_INVALID_ARGUMENT;
}

/* --- text ---------------------------------------------------------------------------- */

#define ENTRY                                                                                     \
	"static int cell_run_$word$_$verb$_$row$(const void *handlers, struct cell_call *call,\n" \
	"\t\tvoid *self, const void *in, void *out)\n"                                            \
	"{\n"
#define UNUSED "\t(void)handlers;\n\t(void)self;\n"

static const struct method {
	const char *verb, *name;
	const char *flags, *in, *out; /* of its record; NULL = the row's message */
	const char *doc;
	const char *body;
} methods[] = {
	{ "create", "Create", "0", NULL, NULL,
	  "A new row, as it is stored: defaults and numbers are in it. ALREADY_EXISTS: its key is there.",
	  ENTRY "\tstruct $tag$ *row = out;\n\n" UNUSED
		"\t*row = *(const struct $tag$ *)in;\n"
		"\treturn cell_table_insert(call, &cell_$noun$_table, row);\n}\n" },
	{ "get", "Get", "CELL_METHOD_IDEMPOTENT", NULL, NULL,
	  "The row with the request's key. NOT_FOUND: there is none.",
	  ENTRY UNUSED
	  "\treturn cell_table_get(call, &cell_$noun$_table, 0, in, out);\n}\n" },
	{ "update", "Update", "CELL_METHOD_IDEMPOTENT", NULL, "empty",
	  "Replace the row with the request's key. NOT_FOUND: there is none.",
	  ENTRY UNUSED "\t(void)out;\n"
		       "\treturn cell_table_update(call, &cell_$noun$_table, in);\n}\n" },
	{ "delete", "Delete", "0", NULL, "empty",
	  "Delete the row with the request's key. NOT_FOUND: there is none.",
	  ENTRY UNUSED "\t(void)out;\n"
		       "\treturn cell_table_delete(call, &cell_$noun$_table, in);\n}\n" },
	{ "list", "List", "CELL_METHOD_IDEMPOTENT | CELL_METHOD_SERVER_STREAM", NULL, NULL,
	  "The rows in the order of their keys, from the request's key on. A key that is 0 or empty: all.",
	  NULL },
};

/* How many leading columns of the key the request has: what is 0 or "" is not given. */
static void put_list(struct text *out, const struct crud *crud, const char *const *words)
{
	const struct read *read = crud->read;
	const struct read_key *key = &read->keys[0];

	text_template(out,
		      ENTRY "\tconst struct $tag$ *from = in;\n"
			    "\tstruct cell_scan range = { .from = from };\n"
			    "\tstruct cell_cursor cursor;\n"
			    "\tint err = 0;\n\n" UNUSED,
		      words);
	for (size_t i = 0; i < key->n; i++) {
		const struct read_column *c = &read->columns[key->columns[i]];
		const char *name = c->column.name;

		text_put(out, "\tif (range.n_from == %zu && ", i);
		switch (c->member.kind) {
		case CELL_MEMBER_TEXT:
		case CELL_MEMBER_CHARS: text_put(out, "*from->%s)\n", name); break;
		case CELL_MEMBER_BYTES: text_put(out, "from->n_%s)\n", name); break;
		case CELL_MEMBER_BLOCK:
			text_put(
				out,
				"__builtin_memcmp(from->%s, (const uint8_t[sizeof from->%s]){ 0 }, sizeof from->%s) != 0)\n",
				name, name, name);
			break;
		default: text_put(out, "from->%s)\n", name);
		}
		text_put(out, "\t\trange.n_from = %zu;\n", i + 1);
	}
	text_template(out,
		      "\tcursor = cell_table_scan(call, &cell_$noun$_table, &range);\n"
		      "\tfor (const void *row; !err && (row = cell_cursor_next(&cursor));)\n"
		      "\t\terr = cell_stream_send((struct cell_stream *)out, row);\n"
		      "\treturn err ? err : cell_cursor_end(&cursor);\n}\n",
		      words);
}

static void put_method(struct text *out, const struct crud *crud, const struct method *method)
{
	struct cell_macro_work *work = crud->read->work;
	const char *word = macro_word(work, crud->service);
	const char *name = cell_macro_printf(work, "%s%s", method->name,
					     macro_camel(work, crud->read->noun));
	const char *full = cell_macro_printf(work, "cell.%s.v1.%s/%s", word,
					     macro_camel(work, crud->service), name);
	const char *const words[] = { EMIT_WORDS(crud->read),
				      "word",
				      word,
				      "verb",
				      method->verb,
				      "row",
				      crud->read->noun,
				      "service",
				      crud->service,
				      "method",
				      name,
				      "full",
				      full,
				      "flags",
				      method->flags,
				      "hash",
				      cell_macro_printf(work, "0x%08xu",
							full ? cell_method_hash(full) : 0),
				      "in",
				      method->in ? method->in : crud->message,
				      "out",
				      method->out ? method->out : crud->message,
				      "doc",
				      method->doc,
				      NULL };

	if (method->body)
		text_template(out, method->body, words);
	else
		put_list(out, crud, words);
	text_template(
		out,
		"extern const struct cell_linked_method cell_method_$word$_$verb$_$row$;\n"
		"const struct cell_linked_method cell_method_$word$_$verb$_$row$ = {\n"
		"\t.linked = { CELL_LINKED_METHOD, sizeof(struct cell_linked_method) },\n"
		"\t.service = \"$service$\",\n"
		"\t.method = { .name = \"$method$\", .full_name = \"$full$\", .hash = $hash$,\n"
		"\t\t.flags = $flags$, .channel = CELL_CHANNEL_APP,\n"
		"\t\t.in = &cell_$in$_type, .out = &cell_$out$_type },\n"
		"\t.invoke = cell_run_$word$_$verb$_$row$,\n"
		"\t.doc = \"$doc$\",\n"
		"};\n"
		"CELL_LINK(cell_method_$word$_$verb$_$row$_link, cell_method_$word$_$verb$_$row$);\n",
		words);
}

int macro_crud_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct table_provider *provider = cell_macro_self(work);
	const struct macro_type *type =
		cell_macro_plain_type(work, cell_macro_declaration(work)->type);
	const struct macro_attribute *message = macro_cell_attribute(work, "message");
	struct text out = { .work = work };
	struct read read;
	struct crud crud = { .read = &read,
			     .service = service_of(work, mine),
			     .message = type->tag };
	int r = read_declaration(&read, work,
				 cell_macro_find(type->attributes, type->n_attributes,
						 provider->ns, "table"),
				 READ_TABLE);

	if (r < 0)
		return r;
	for (size_t i = 0; i < message->n_values; i++)
		if (strcmp(message->values[i].name, "prefix") == 0)
			crud.message = message->values[i].text;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		put_method(&out, &crud, &methods[i]);
	text_piece(&out, mine, MACRO_ANCHOR_END, MACRO_PIECE_KIND_ONCE);
	return 0;
}
