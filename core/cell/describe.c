/* cell describe: what a running cell serves, from its own schema. */
#include "node.h"
#include "print.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <string.h>

struct options {
	uint64_t instance;
	bool all;
};

static const struct opts_option options[] = {
	{ 'i', "instance", OPTS_NUMBER, offsetof(struct options, instance), .value = "ID",
	  .help = "ask this instance (any; one is started if none runs)", .min = 1 },
	{ 'a', "all", OPTS_FLAG, offsetof(struct options, all),
	  .help = "also what every cell serves (OPS)" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "the cell; without it: all that the node knows", .words = OPTS_CELL,
	  .is_optional = true },
	{ "NAME", .help = "only this method, service, message or enum", .words = OPTS_TYPE,
	  .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell describe", "which cells there are" },
	{ "cell describe greeter", "all that greeter serves" },
	{ "cell describe greeter greet_many", "one method, and its messages" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell describe",
	.summary = "show what a cell serves",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

/* ---- which cells ------------------------------------------------------------------------
 */

static const struct out_column columns[] = {
	{ .title = "CELL" },
	{ .title = "STATE" },
	{ .title = "INSTANCES", .is_right = true },
	{ .title = "USES", .may_shrink = true },
	{ .title = "SUMMARY", .may_shrink = true },
	{ 0 },
};

static char *uses_text(struct cell_call *call, const struct core_cell_info *cell)
{
	char *text = cell_arena_strdup(cell_arena(call), "");

	for (size_t i = 0; text && i < cell->n_uses; i++)
		text = cell_arena_printf(cell_arena(call), "%s%s%s", text, i ? " " : "",
					 cell->uses[i]);
	return text;
}

static json_t *cell_json(const struct core_cell_info *cell)
{
	json_t *uses = json_array();

	for (size_t i = 0; i < cell->n_uses; i++)
		(void)json_array_append_new(uses, json_string(cell->uses[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:s, s:b, s:s}", "cell", cell->name,
			 "summary", cell->summary, "manifest", cell->manifest, "state",
			 node_state_name(cell->state), "instances",
			 (json_int_t)cell->instances, "uses", uses, "macros", cell->macros,
			 "boot", cell->boot, "reason", cell->reason);
}

static int describe_cells(struct command *command)
{
	struct cell_call *call = command_call(command);
	const struct core_cell_info *cells;
	struct out_table *rows;
	json_t *list;
	size_t n;
	int err = node_cells(call, &cells, &n);

	if (err)
		return err;
	rows = out_table_new(columns);
	list = json_array();
	for (size_t i = 0; i < n; i++) {
		const char *uses = uses_text(call, &cells[i]);

		out_cell(rows, OUT_BOLD, "%s", cells[i].name);
		out_cell(rows, node_state_style(cells[i].state), "%s",
			 cells[i].state == CORE_INSTANCE_STATE_GONE
				 ? "-"
				 : node_state_name(cells[i].state));
		out_cell(rows, OUT_PLAIN, "%u", cells[i].instances);
		out_cell(rows, OUT_PLAIN, "%s", uses ? uses : "");
		out_cell(rows, OUT_PLAIN, "%s", cells[i].summary);
		(void)json_array_append_new(list, cell_json(&cells[i]));
	}
	if (command->is_json)
		err = command_json(command, json_pack("{s:O}", "cells", list));
	else
		out_table_print(rows, &command->out);
	json_decref(list);
	out_table_free(rows);
	return err;
}

/* ---- one cell
 * ------------------------------------------------------------------------------- */

/* What is to be shown: all services, one of them, one method, or one type. */
struct view {
	const struct schema *schema;
	const struct schema_service *service;
	const struct schema_method *method;
	struct schema_type_ref type;
	struct print_types types;
	bool with_common;
};

static void services_each(struct view *view,
			  void (*fn)(void *, const struct schema_service *), void *userdata)
{
	for (size_t i = 0; i < view->schema->n_files; i++) {
		const struct schema_file *file = &view->schema->files[i];

		for (size_t k = 0; k < file->n_services; k++) {
			const struct schema_service *s = &file->services[k];
			bool is_shown = s->is_served && (!s->is_common || view->with_common);

			if (view->service ? view->service == s : is_shown)
				fn(userdata, s);
		}
	}
}

static int view_choose(struct view *view, const char *name, struct cell_error *err)
{
	struct cell_error second;
	int r;

	if (!name)
		return 0;
	/* A method named like a message is what is meant: its messages are shown with it. */
	r = schema_find_method(view->schema, name, &view->method, err);
	if (r == 0)
		return 0;
	if (schema_find_type(view->schema, name, &view->type, &second) == 0) {
		view->service = view->type.service;
		return 0;
	}
	/* Of two reasons the one that knows what was meant. */
	if (!strstr(err->text, "did you mean") && r == CELL_NOT_FOUND) {
		if (strstr(second.text, "did you mean") || second.code != CELL_NOT_FOUND)
			*err = second;
		else
			return cell_fail(err, CELL_NOT_FOUND,
					 "no method, message or enum '%.80s'", name);
	}
	return err->code;
}

static void add_service_types(void *userdata, const struct schema_service *service)
{
	struct view *view = userdata;

	for (size_t i = 0; i < service->n_methods; i++)
		print_types_add_method(&view->types, &service->methods[i]);
}

static void view_collect(struct view *view)
{
	if (view->method)
		print_types_add_method(&view->types, view->method);
	else if (view->type.message)
		print_types_add(&view->types, view->type.message);
	else if (!view->type.enumeration)
		services_each(view, add_service_types, view);
}

/* Whether the message is one that users write: no map's entry, nothing that JSON spells as
 * text. */
static bool is_written(const struct schema_message *message)
{
	return !message->is_map_entry && message->special == SCHEMA_ORDINARY;
}

static void print_a_service(void *userdata, const struct schema_service *service)
{
	const struct out *out = userdata;

	print_service(out, service);
	fputc('\n', out->file);
}

static void view_print(struct view *view, const struct out *out)
{
	bool is_first = true;

	if (view->method) {
		print_method(out, view->method);
		fputc('\n', out->file);
	} else if (view->type.enumeration) {
		print_enum(out, view->type.enumeration);
	} else if (!view->type.message) {
		services_each(view, print_a_service, (void *)(uintptr_t)out);
	}
	for (size_t i = 0; i < view->types.n_messages; i++) {
		if (!is_written(view->types.messages[i]))
			continue;
		if (!is_first)
			fputc('\n', out->file);
		print_message(out, view->types.messages[i]);
		is_first = false;
	}
	for (size_t i = 0; i < view->types.n_enums; i++) {
		if (!is_first)
			fputc('\n', out->file);
		print_enum(out, view->types.enums[i]);
		is_first = false;
	}
}

static void json_a_service(void *userdata, const struct schema_service *service)
{
	(void)json_array_append_new(userdata, print_service_json(service));
}

static json_t *view_json(struct view *view, const char *cell)
{
	json_t *services = json_array(), *methods = json_array();
	json_t *messages = json_array(), *enums = json_array();

	if (view->method)
		(void)json_array_append_new(methods, print_method_json(view->method));
	else if (view->type.enumeration)
		(void)json_array_append_new(enums, print_enum_json(view->type.enumeration));
	else if (!view->type.message)
		services_each(view, json_a_service, services);
	for (size_t i = 0; i < view->types.n_messages; i++)
		if (!view->types.messages[i]->is_map_entry)
			(void)json_array_append_new(messages,
						    print_message_json(
							    view->types.messages[i]));
	for (size_t i = 0; i < view->types.n_enums; i++)
		(void)json_array_append_new(enums, print_enum_json(view->types.enums[i]));
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "cell", cell, "services", services,
			 "methods", methods, "messages", messages, "enums", enums);
}

static int describe(struct command *command, const struct options *o, const char *cell,
		    const char *name)
{
	struct cell_call *call = command_call(command);
	struct view view = { 0 };
	struct schema *schema = NULL;
	int err = node_schema(call, cell, o->instance, &schema);

	if (err)
		return err;
	view.schema = schema;
	view.with_common = o->all;
	err = view_choose(&view, name, cell_error_slot(call));
	if (err == 0) {
		view_collect(&view);
		if (command->is_json)
			err = command_json(command, view_json(&view, cell));
		else
			view_print(&view, &command->out);
	}
	print_types_free(&view.types);
	schema_release(schema);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;
	const char *cell;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	cell = command_arg(&command, 0);
	return command_end(&command,
			   cell ? describe(&command, &o, cell, command_arg(&command, 1))
				: describe_cells(&command));
}
