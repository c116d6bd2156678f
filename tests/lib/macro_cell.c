/*
 * A scripted macro cell for tests of cellc: it is the coordinator and all providers at once.
 *
 *	macro_cell FOLDER
 *
 * FOLDER/calls gets a line for each call. These files say what it answers, read at each call:
 * state (of table:account), text (what account_get() returns), key (of the provider), off
 * (a namespace that does not answer), bad (text that is added to a piece), refuse (what
 * provisioning is refused for), next (the state after provisioning), degraded, version (of
 * the catalogue).
 *
 * db::table on a struct, with prefix = "…" and replicate = none|raft: X_get() INLINE, X_shared
 * ONCE, a number kept for each member, a declaration. auth::require on a function: a wrapper.
 * cell::handler on a function: an entry. db::grow on a struct: a member. db::body on a
 * prototype. db::unit on a struct: a translation unit. db::warn: a warning, anywhere.
 */
#include <cell/cell.h>
#include <macro.cell.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder;

/* The first line of FOLDER/NAME, in CALL; NULL if there is none. */
static const char *script(struct cell_call *call, const char *name)
{
	char path[512], text[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	return cell_arena_strdup(cell_arena(call), text);
}

static const char *script_or(struct cell_call *call, const char *name, const char *fallback)
{
	const char *text = script(call, name);

	return text ? text : fallback;
}

static void note(const char *call, const char *what)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/calls", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	dprintf(fd, "%s %s\n", call, what);
	close(fd);
}

/* Not a hash of the real kind, but different for different text. */
static const uint8_t *digest(struct cell_call *call, const char *text)
{
	uint8_t *bytes = cell_arena_calloc(cell_arena(call), 32, 1);
	uint32_t hash = cell_method_hash(text);

	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)(hash >> 8 * (i % 4)) ^ (uint8_t)i;
	return bytes;
}

#define BIT(value) (1u << (value))
#define ALL_PLACES 0xffeu

static const char *const replicas[] = { "none", "raft" };
static const char *const time_header[] = { "<time.h>" }, *const math[] = { "-lm" };
static const struct macro_argument table_arguments[] = {
	{ .name = "prefix", .kind = MACRO_VALUE_KIND_STRING },
	{ .name = "replicate", .kind = MACRO_VALUE_KIND_IDENTIFIER, .n_choices = 2,
	  .choices = replicas },
	{ .name = "cached", .kind = MACRO_VALUE_KIND_BOOL },
};
static const struct macro_argument require_arguments[] = {
	{ .name = "role", .kind = MACRO_VALUE_KIND_STRING, .required = true },
};
static const struct macro_macro_description macros[] = {
	{ .ns = "auth", .name = "require",
	  .places = BIT(MACRO_PLACE_FUNCTION) | BIT(MACRO_PLACE_PROTOTYPE),
	  .may = BIT(MACRO_ADDITION_WRAP), .n_arguments = 1, .arguments = require_arguments },
	{ .ns = "cell", .name = "handler", .places = BIT(MACRO_PLACE_FUNCTION),
	  .may = BIT(MACRO_ADDITION_WRAP) | BIT(MACRO_ADDITION_DECLARATIONS) },
	{ .ns = "cell", .name = "remote", .places = BIT(MACRO_PLACE_FILE), .any_arguments = true,
	  .repeatable = true },
	{ .ns = "db", .name = "body", .places = BIT(MACRO_PLACE_PROTOTYPE),
	  .may = BIT(MACRO_ADDITION_BODY) },
	{ .ns = "db", .name = "grow", .places = BIT(MACRO_PLACE_STRUCT),
	  .may = BIT(MACRO_ADDITION_FIELDS) },
	{ .ns = "db", .name = "key", .places = BIT(MACRO_PLACE_MEMBER) },
	{ .ns = "db", .name = "math", .places = BIT(MACRO_PLACE_STRUCT), .n_headers = 1,
	  .headers = time_header, .n_link = 1, .link = math },
	{ .ns = "db", .name = "table", .places = BIT(MACRO_PLACE_STRUCT),
	  .may = BIT(MACRO_ADDITION_DECLARATIONS), .n_arguments = 3, .arguments = table_arguments },
	{ .ns = "db", .name = "unit", .places = BIT(MACRO_PLACE_STRUCT),
	  .may = BIT(MACRO_ADDITION_DECLARATIONS) },
	{ .ns = "db", .name = "warn", .places = ALL_PLACES },
};
static const char *const spaces[][1] = { { "auth" }, { "cell" }, { "db" } };
static const char *const providers[] = { "auth", "cell-cc", "celldb" };

static int what_macros(struct cell_call *call, void *self, const struct macro_hello *in,
		       struct macro_macros *out)
{
	struct macro_catalog *catalogs = cell_arena_calloc(cell_arena(call), 3, sizeof *catalogs);
	struct macro_state *state = cell_arena_calloc(cell_arena(call), 1, sizeof *state);
	const char *off = script_or(call, "off", "");

	(void)self;
	(void)in;
	note("hello", "");
	*state = (struct macro_state){ "table:account", 32,
				       digest(call, script_or(call, "state", "")) };
	for (int i = 0; i < 3; i++) {
		catalogs[i] = (struct macro_catalog){
			.cell = providers[i], .n_namespaces = 1, .namespaces = spaces[i],
		};
		if (strcmp(off, spaces[i][0]) == 0) {
			catalogs[i].trouble = "it said nothing for 2 s";
			continue;
		}
		catalogs[i].key = i == 2 ? script_or(call, "key", "local") : "local";
		catalogs[i].n_digest = 32;
		catalogs[i].digest = digest(call, script_or(call, "version", "1"));
		catalogs[i].n_states = i == 2;
		catalogs[i].states = state;
	}
	*out = (struct macro_macros){ 3, catalogs };
	return 0;
}

static int get_info(struct cell_call *call, void *self, const struct macro_macro_names *in,
		    struct macro_macro_info *out)
{
	(void)call;
	(void)self;
	(void)in;
	note("info", "");
	*out = (struct macro_macro_info){ sizeof macros / sizeof macros[0], macros };
	return 0;
}

static const struct macro_attribute *find(const struct macro_plan_request *in, const char *ns,
					  const char *name)
{
	for (size_t i = 0; i < in->n_attributes; i++)
		if (strcmp(in->attributes[i].ns, ns) == 0 &&
		    strcmp(in->attributes[i].name, name) == 0)
			return &in->attributes[i];
	return NULL;
}

static const char *noun(const struct macro_plan_request *in)
{
	const struct macro_attribute *table = find(in, "db", "table");

	for (size_t i = 0; table && i < table->n_values; i++)
		if (strcmp(table->values[i].name, "prefix") == 0)
			return table->values[i].text;
	return in->declaration->name;
}

#define PRINT(call, ...) cell_arena_printf(cell_arena(call), __VA_ARGS__)

static int plan(struct cell_call *call, void *self, const struct macro_plan_request *in,
		struct macro_plan *out)
{
	struct macro_planned_symbol *symbols =
		cell_arena_calloc(cell_arena(call), 4, sizeof *symbols);
	struct macro_planned_wrap *wraps = cell_arena_calloc(cell_arena(call), 2, sizeof *wraps);
	struct macro_diagnostic *warning = cell_arena_calloc(cell_arena(call), 1, sizeof *warning);
	static struct macro_planned_field field = { "version", "int", 0 };
	static struct macro_planned_use use = { "auth", "app", 0 };
	const struct macro_attribute *a;

	(void)self;
	note("plan", in->declaration->name);
	*out = (struct macro_plan){ .symbols = symbols, .wraps = wraps, .n_digest = 32,
				    .digest = digest(call, script_or(call, "state", "")) };
	if ((a = find(in, "db", "table"))) {
		symbols[out->n_symbols++] = (struct macro_planned_symbol){
			PRINT(call, "%s_get", noun(in)), false, MACRO_PIECE_KIND_INLINE, a->id,
		};
		symbols[out->n_symbols++] = (struct macro_planned_symbol){
			PRINT(call, "%s_shared", noun(in)), false, MACRO_PIECE_KIND_ONCE, a->id,
		};
	}
	if ((a = find(in, "db", "grow"))) {
		field.attribute = a->id;
		out->n_fields = 1;
		out->fields = &field;
	}
	if ((a = find(in, "auth", "require"))) {
		wraps[out->n_wraps++] =
			(struct macro_planned_wrap){ .phase = MACRO_PHASE_AUTHORIZE, .attribute = a->id };
		use.attribute = a->id;
		out->n_uses = 1;
		out->uses = &use;
	}
	if ((a = find(in, "cell", "handler")))
		wraps[out->n_wraps++] =
			(struct macro_planned_wrap){ .phase = MACRO_PHASE_ENTRY, .attribute = a->id };
	if ((a = find(in, "db", "body")))
		out->body = a->id;
	if ((a = find(in, "db", "warn"))) {
		*warning = (struct macro_diagnostic){
			.severity = MACRO_DIAGNOSTIC_SEVERITY_WARNING, .attribute = a->id,
			.text = "this is slow", .ns = "db",
		};
		out->n_diagnostics = 1;
		out->diagnostics = warning;
	}
	return 0;
}

static const char *wrapper(struct cell_call *call, const char *before, const char *symbol,
			   const char *next, int add)
{
	return PRINT(call, "%sint %s(int x)\n{\n\treturn %s(x) + %d;\n}\n", before, symbol, next, add);
}

static void wrappers_make(struct cell_call *call, const struct macro_plan_request *in,
			  struct macro_generated_code *out, struct macro_piece *pieces)
{
	const struct macro_attribute *require = find(in, "auth", "require");
	const struct macro_attribute *handler = find(in, "cell", "handler");
	const char *name = in->declaration->name, *next = name;

	if (require && !handler) {
		out->rename = PRINT(call, "cell_body_%s", name);
		next = out->rename;
	}
	if (require) {
		const char *symbol = handler ? PRINT(call, "cell_30_%s", name) : name;

		pieces[out->n_pieces++] = (struct macro_piece){
			.anchor = MACRO_ANCHOR_WRAP, .kind = MACRO_PIECE_KIND_INLINE,
			.text = wrapper(call, handler || in->declaration->is_static ? "static " : "",
					symbol, next, 30),
			.attribute = require->id, .symbol = symbol,
			.phase = MACRO_PHASE_AUTHORIZE, .ns = "auth",
		};
		next = symbol;
	}
	if (!handler)
		return;
	pieces[out->n_pieces++] = (struct macro_piece){
		.anchor = MACRO_ANCHOR_WRAP, .kind = MACRO_PIECE_KIND_INLINE,
		.text = wrapper(call, "static ", PRINT(call, "cell_run_%s", name), next, 0),
		.attribute = handler->id, .symbol = PRINT(call, "cell_run_%s", name),
		.phase = MACRO_PHASE_ENTRY, .ns = "cell",
	};
	pieces[out->n_pieces++] = (struct macro_piece){
		.kind = MACRO_PIECE_KIND_ONCE, .attribute = handler->id, .ns = "cell", .symbol = "",
		.text = PRINT(call, "int (*cell_method_%s)(int) = cell_run_%s;\n", name, name),
	};
}

static void pieces_make(struct cell_call *call, const struct macro_plan_request *in,
			struct macro_generated_code *out, struct macro_piece *pieces)
{
	const char *name = in->declaration->name, *x = noun(in);
	const struct macro_attribute *a;

	wrappers_make(call, in, out, pieces);
	if ((a = find(in, "db", "table"))) {
		pieces[out->n_pieces++] = (struct macro_piece){
			.kind = MACRO_PIECE_KIND_INLINE, .attribute = a->id, .ns = "db", .symbol = "",
			.text = PRINT(call,
				      "static inline int %s_get(struct %s *row)\n{\n"
				      "\t(void)row;\n\treturn %s;\n}\n%s",
				      x, name, script_or(call, "text", "1"),
				      script_or(call, "bad", "")),
		};
		pieces[out->n_pieces++] = (struct macro_piece){
			.anchor = MACRO_ANCHOR_END, .kind = MACRO_PIECE_KIND_ONCE,
			.attribute = a->id, .ns = "db", .symbol = "",
			.text = PRINT(call, "int %s_shared = sizeof(struct %s);\n", x, name),
		};
	}
	if ((a = find(in, "db", "grow")))
		pieces[out->n_pieces++] = (struct macro_piece){
			.anchor = MACRO_ANCHOR_STRUCT_END, .attribute = a->id, .ns = "db",
			.symbol = "", .text = "int version;\n",
		};
	if ((a = find(in, "db", "body")))
		pieces[out->n_pieces++] = (struct macro_piece){
			.anchor = MACRO_ANCHOR_BODY, .attribute = a->id, .ns = "db", .symbol = "",
			.text = "{\n\treturn 7;\n}\n",
		};
	if ((a = find(in, "db", "unit")))
		pieces[out->n_pieces++] = (struct macro_piece){
			.kind = MACRO_PIECE_KIND_UNIT, .attribute = a->id, .ns = "db", .symbol = "",
			.text = "int cell_unit_value = 5;\n",
		};
}

/* The number of each member: the kept one, else the next that is free. */
static const char *number_of(struct cell_call *call, const struct macro_plan_request *in,
			     const char *key, unsigned *next)
{
	for (size_t i = 0; i < in->n_kept; i++)
		for (size_t k = 0; k < in->kept[i].n_kept; k++)
			if (strcmp(in->kept[i].kept[k].key, key) == 0)
				return in->kept[i].kept[k].value;
	return PRINT(call, "%u", (*next)++);
}

static void keep_numbers(struct cell_call *call, const struct macro_plan_request *in,
			 struct macro_generated_code *out)
{
	const struct macro_type *type = &in->types[in->declaration->type - 1];
	struct macro_kept *kept = cell_arena_calloc(cell_arena(call), type->n_members + 1,
						    sizeof *kept);
	struct macro_kept_of *of = cell_arena_calloc(cell_arena(call), 1, sizeof *of);
	unsigned next = 1;

	for (size_t i = 0; i < in->n_kept; i++)
		next += (unsigned)in->kept[i].n_kept;
	for (size_t i = 0; i < type->n_members; i++) {
		kept[i].key = PRINT(call, "field %s", type->members[i].name);
		kept[i].value = number_of(call, in, kept[i].key, &next);
	}
	*of = (struct macro_kept_of){ "db", type->n_members, kept };
	out->kept = of;
	out->n_kept = 1;
}

static int expand(struct cell_call *call, void *self, const struct macro_expansion_request *in,
		  struct macro_generated_code *out)
{
	const struct macro_plan_request *request = in->request;
	const struct macro_attribute *a = find(request, "db", "table");
	struct macro_declared *declared = cell_arena_calloc(cell_arena(call), 1, sizeof *declared);
	struct macro_state *state = cell_arena_calloc(cell_arena(call), 1, sizeof *state);
	const uint8_t *now = digest(call, script_or(call, "state", ""));
	struct macro_piece *pieces = cell_arena_calloc(cell_arena(call), 16, sizeof *pieces);

	(void)self;
	note("expand", request->declaration->name);
	if (in->n_plan != 32 || memcmp(in->plan, now, 32) != 0)
		return cell_refuse(call, CELL_ABORTED, "the plan has changed");
	*out = (struct macro_generated_code){ .pieces = pieces, .rename = "",
					      .degraded = script(call, "degraded") != NULL };
	pieces_make(call, request, out, pieces);
	if (!a)
		return 0;
	keep_numbers(call, request, out);
	*state = (struct macro_state){ "table:account", 32, now };
	out->states = state;
	out->n_states = 1;
	*declared = (struct macro_declared){
		.ns = "db", .name = PRINT(call, "table %s", request->declaration->name),
		.n_digest = 32, .digest = digest(call, "body"), .n_body = 4,
		.body = (const uint8_t *)"body", .attribute = a->id,
	};
	out->declared = declared;
	out->n_declared = 1;
	return 0;
}

/* FOLDER/next is the state from now on. */
static void provisioned_state(struct cell_call *call, struct macro_provisioned *out)
{
	struct macro_state *state = cell_arena_calloc(cell_arena(call), 1, sizeof *state);
	char next[512], now[512];

	snprintf(next, sizeof next, "%s/next", folder);
	snprintf(now, sizeof now, "%s/state", folder);
	(void)rename(next, now);
	*state = (struct macro_state){ "table:account", 32,
				       digest(call, script_or(call, "state", "")) };
	out->states = state;
	out->n_states = 1;
}

static int provision(struct cell_call *call, void *self, const struct macro_provision_request *in,
		     struct macro_provisioned *out)
{
	struct macro_diagnostic *why = cell_arena_calloc(cell_arena(call), 1, sizeof *why);
	const char **changes = cell_arena_calloc(cell_arena(call), 1, sizeof *changes);
	const char *refusal = script(call, "refuse");

	(void)self;
	for (size_t i = 0; i < in->n_declared; i++)
		note("provision", in->declared[i].name);
	*out = (struct macro_provisioned){ 0 };
	if (refusal) {
		*why = (struct macro_diagnostic){ .attribute = (uint32_t)in->n_declared,
						  .text = refusal, .ns = "db" };
		out->diagnostics = why;
		out->n_diagnostics = 1;
		out->status = cell_status_to_wire(CELL_FAILED_PRECONDITION);
		return 0;
	}
	provisioned_state(call, out);
	changes[0] = "created table account";
	out->changes = changes;
	out->n_changes = 1;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct macro_handlers handlers = {
		.what_macros_do_you_provide = what_macros, .get_macro_info = get_info,
		.plan_expansion = plan, .coordinate_expansion = expand, .provision = provision,
	};
	struct cell_call *call = cell_open("macro");
	int err;

	folder = argc > 1 ? argv[1] : ".";
	err = cell_serve(call, &macro_service, &handlers, NULL);
	return cell_exit(call, err ? err : cell_loop_run(call));
}
