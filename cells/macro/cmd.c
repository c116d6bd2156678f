/* cell macro: which macros there are, and what they take. See cell-macro(1). */
#include "macro.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <cell/macro.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opts_argument arguments[] = {
	{ "COMMAND", .help = "list: every macro; info: what one is, and its arguments; trust: let "
			     "the project take a namespace from the cell that provides it now" },
	{ "NAME", .help = "a namespace, db; or, of info, a macro, db::table", .is_optional = true },
	{ "KEY", .help = "of trust: the key that the cell must have", .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell macro list", "the macros of all providers that run" },
	{ "cell macro info cell::message", "what one does, where it may stand, what it takes" },
	{ "cell macro trust db", "go on with the cell that provides db now" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell macro",
	.summary = "show the macros that cells provide, and trust who provides them",
	.text = "Macros are C attributes that cellc hands to cells. This shows those that the "
		"cells of this node answer. A project takes the answers of the cell and key that "
		"it met first; trust accepts another one, in the project of the current folder.",
	.examples = examples,
	.arguments = arguments,
	.has_json = true,
};

static const char *const places[] = {
	[MACRO_PLACE_FILE] = "file",           [MACRO_PLACE_STRUCT] = "struct",
	[MACRO_PLACE_UNION] = "union",         [MACRO_PLACE_ENUM] = "enum",
	[MACRO_PLACE_ENUMERATOR] = "enumerator", [MACRO_PLACE_MEMBER] = "member",
	[MACRO_PLACE_FUNCTION] = "function",   [MACRO_PLACE_PROTOTYPE] = "prototype",
	[MACRO_PLACE_PARAMETER] = "parameter", [MACRO_PLACE_TYPEDEF] = "typedef",
	[MACRO_PLACE_VARIABLE] = "variable",
};
static const char *const additions[] = {
	[MACRO_ADDITION_FIELDS] = "fields",
	[MACRO_ADDITION_WRAP] = "a wrapper",
	[MACRO_ADDITION_BODY] = "a body",
	[MACRO_ADDITION_DECLARATIONS] = "declarations",
	[MACRO_ADDITION_FILES] = "files",
	[MACRO_ADDITION_ASM] = "asm",
};
static const char *const kinds[] = {
	[MACRO_VALUE_KIND_ANY] = "anything",       [MACRO_VALUE_KIND_STRING] = "string",
	[MACRO_VALUE_KIND_INTEGER] = "integer",    [MACRO_VALUE_KIND_BOOL] = "bool",
	[MACRO_VALUE_KIND_IDENTIFIER] = "name",    [MACRO_VALUE_KIND_LIST] = "list",
	[MACRO_VALUE_KIND_RECORD] = "record",      [MACRO_VALUE_KIND_FLOAT] = "number",
	[MACRO_VALUE_KIND_NULL] = "null",          [MACRO_VALUE_KIND_TOKENS] = "expression",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The names of the bits that are set, "struct, member". */
static void bits_print(char *out, size_t size, uint32_t bits, const char *const *names, size_t n)
{
	out[0] = '\0';
	for (size_t i = 1; i < n; i++)
		if (bits & CELL_MACRO_BIT(i))
			(void)snprintf(out + strlen(out), size - strlen(out), "%s%s",
				       *out ? ", " : "", names[i]);
}

static json_t *bits_json(uint32_t bits, const char *const *names, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 1; i < n; i++)
		if (bits & CELL_MACRO_BIT(i))
			(void)json_array_append_new(list, json_string(names[i]));
	return list;
}

static const char *kind_name(enum macro_value_kind kind)
{
	return (size_t)kind < COUNT(kinds) ? kinds[kind] : "unknown";
}

/* --- list --------------------------------------------------------------------------------------- */

static json_t *catalog_json(const struct macro_catalog *catalog)
{
	json_t *macros = json_array(), *namespaces = json_array();

	for (size_t i = 0; i < catalog->n_namespaces; i++)
		(void)json_array_append_new(namespaces, json_string(catalog->namespaces[i]));
	for (size_t i = 0; i < catalog->n_macros; i++) {
		const struct macro_macro_name *macro = &catalog->macros[i];

		(void)json_array_append_new(
			macros, json_pack("{s:s, s:s, s:s, s:o}", "namespace", macro->ns, "name",
					  macro->name, "summary", macro->summary, "places",
					  bits_json(macro->places, places, COUNT(places))));
	}
	return json_pack("{s:s, s:o, s:s, s:s, s:o}", "cell", catalog->cell, "namespaces",
			 namespaces, "key", catalog->key, "trouble", catalog->trouble, "macros",
			 macros);
}

static void catalog_rows(struct out *out, const struct macro_catalog *catalog)
{
	char name[160], where[160];

	for (size_t i = 0; i < catalog->n_macros; i++) {
		const struct macro_macro_name *macro = &catalog->macros[i];

		(void)snprintf(name, sizeof name, "%s::%s", macro->ns, macro->name);
		bits_print(where, sizeof where, macro->places, places, COUNT(places));
		out_print(out, OUT_PLAIN, "%-24s %-12s %s (%s)\n", name, catalog->cell,
			  macro->summary, where);
	}
}

static int list(struct command *command)
{
	struct macro_hello hello = { .protocol = 1 };
	struct macro_macros all;
	int err = macro_what_macros_do_you_provide(command_call(command), &hello, &all);
	json_t *json;

	if (err)
		return err;
	if (command->is_json) {
		json = json_array();
		for (size_t i = 0; i < all.n_catalogs; i++)
			(void)json_array_append_new(json, catalog_json(&all.catalogs[i]));
		return command_json(command, json);
	}
	for (size_t i = 0; i < all.n_catalogs; i++)
		catalog_rows(&command->out, &all.catalogs[i]);
	for (size_t i = 0; i < all.n_catalogs; i++)
		if (*all.catalogs[i].trouble)
			command_note(command, "%s: %s", all.catalogs[i].cell,
				     all.catalogs[i].trouble);
	return 0;
}

/* --- info ------------------------------------------------------------------------------------------ */

static json_t *argument_json(const struct macro_argument *argument)
{
	json_t *choices = json_array();

	for (size_t i = 0; i < argument->n_choices; i++)
		(void)json_array_append_new(choices, json_string(argument->choices[i]));
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:o, s:s}", "name", argument->name,
			 "kind", kind_name(argument->kind), "of",
			 argument->kind == MACRO_VALUE_KIND_LIST ? kind_name(argument->of) : "",
			 "positional", argument->positional, "required", argument->required,
			 "default", argument->fallback, "choices", choices, "doc", argument->doc);
}

static json_t *macro_json(const struct macro_macro_description *macro)
{
	json_t *list = json_array();

	for (size_t i = 0; i < macro->n_arguments; i++)
		(void)json_array_append_new(list, argument_json(&macro->arguments[i]));
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:b, s:b, s:b, s:o}", "namespace", macro->ns,
			 "name", macro->name, "doc", macro->doc, "places",
			 bits_json(macro->places, places, COUNT(places)), "adds",
			 bits_json(macro->may, additions, COUNT(additions)), "repeatable",
			 macro->repeatable, "any_arguments", macro->any_arguments, "expression",
			 macro->raw_argument, "arguments", list);
}

static void argument_print(struct out *out, const struct macro_argument *argument)
{
	char what[64];

	if (argument->kind == MACRO_VALUE_KIND_LIST)
		(void)snprintf(what, sizeof what, "list of %s", kind_name(argument->of));
	else
		(void)snprintf(what, sizeof what, "%s", kind_name(argument->kind));
	out_print(out, OUT_PLAIN, "    %-16s %-16s %s%s%s\n", argument->name, what, argument->doc,
		  argument->required ? " (required)" : "",
		  argument->positional ? " (may stand without its name)" : "");
	if (*argument->fallback)
		out_print(out, OUT_PLAIN, "    %-16s %-16s default: %s\n", "", "",
			  argument->fallback);
	for (size_t i = 0; i < argument->n_choices; i++)
		out_print(out, OUT_PLAIN, "    %-16s %-16s %s %s\n", "", "",
			  i ? "       " : "one of:", argument->choices[i]);
}

static void macro_print(struct out *out, const struct macro_macro_description *macro)
{
	char line[256];

	out_print(out, OUT_PLAIN, "%s::%s\n", macro->ns, macro->name);
	for (const char *at = macro->doc; *at;) {
		size_t len = strcspn(at, "\n");

		out_print(out, OUT_PLAIN, "    %.*s\n", (int)len, at);
		at += len + (at[len] == '\n');
	}
	bits_print(line, sizeof line, macro->places, places, COUNT(places));
	out_print(out, OUT_PLAIN, "  stands on: %s%s\n", line, macro->repeatable ? "; repeatable" : "");
	bits_print(line, sizeof line, macro->may, additions, COUNT(additions));
	out_print(out, OUT_PLAIN, "  adds: %s\n", *line ? line : "nothing by itself");
	if (macro->raw_argument)
		out_print(out, OUT_PLAIN, "  takes: an expression\n");
	else if (macro->any_arguments)
		out_print(out, OUT_PLAIN, "  takes: arguments with names of yours\n");
	if (macro->n_arguments)
		out_print(out, OUT_PLAIN, "  arguments:\n");
	for (size_t i = 0; i < macro->n_arguments; i++)
		argument_print(out, &macro->arguments[i]);
}

static int info_print(struct command *command, const struct macro_macro_info *info, const char *ns)
{
	json_t *json = json_array();
	size_t n = 0;

	for (size_t i = 0; i < info->n_macros; i++) {
		if (ns && strcmp(info->macros[i].ns, ns) != 0)
			continue;
		n++;
		if (command->is_json)
			(void)json_array_append_new(json, macro_json(&info->macros[i]));
		else
			macro_print(&command->out, &info->macros[i]);
	}
	if (n == 0) {
		json_decref(json);
		return command_fail(command, CELL_NOT_FOUND,
				    "no running cell provides macros of '%s' (see: cell macro list)",
				    ns);
	}
	if (command->is_json)
		return command_json(command, json);
	json_decref(json);
	return 0;
}

static int info(struct command *command, const char *name)
{
	bool is_macro = strstr(name, "::") != NULL;
	struct macro_macro_names names = { .n_names = is_macro, .names = &name };
	struct macro_macro_info found;
	int err = macro_get_macro_info(command_call(command), &names, &found);

	return err ? err : info_print(command, &found, is_macro ? NULL : name);
}

/* --- trust ------------------------------------------------------------------------------------------ */

static bool provides(const struct macro_catalog *catalog, const char *ns)
{
	for (size_t i = 0; i < catalog->n_namespaces; i++)
		if (strcmp(catalog->namespaces[i], ns) == 0)
			return true;
	return false;
}

/* cellc writes locks: the one beside this program, else that of $PATH. Returns negative. */
static int trust_write(struct command *command, const char *ns, const char *cell, const char *key)
{
	const char *const words[] = { "cellc", "--trust", ns, cell, key, NULL };
	char *const *argv = (char *const *)(uintptr_t)words;
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "cellc");
	char *slash;

	path[n > 0 ? n : 0] = 0;
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "cellc");
	if (access(path, X_OK) == 0)
		(void)execv(path, argv);
	else
		(void)execvp("cellc", argv);
	return command_fail(command, -errno, "running cellc: %s", strerror(errno));
}

static int trust(struct command *command, const char *ns, const char *wanted)
{
	struct macro_hello hello = { .protocol = 1 };
	const struct macro_catalog *found = NULL;
	struct macro_macros all;
	int err = macro_what_macros_do_you_provide(command_call(command), &hello, &all);

	if (err)
		return err;
	for (size_t i = 0; i < all.n_catalogs && !found; i++)
		if (provides(&all.catalogs[i], ns))
			found = &all.catalogs[i];
	if (!found)
		return command_fail(command, CELL_NOT_FOUND,
				    "no running cell provides macros of '%s' (see: cell macro list)",
				    ns);
	if (!*found->key)
		return command_fail(command, CELL_UNAVAILABLE, "%s: %s", found->cell,
				    *found->trouble ? found->trouble : "its key is not known");
	if (wanted && strcmp(wanted, found->key) != 0)
		return command_fail(command, CELL_FAILED_PRECONDITION,
				    "%s:: is provided by cell '%s' with key %s, not %s", ns,
				    found->cell, found->key, wanted);
	command_note(command, "trusting cell '%s' with key %s for %s::", found->cell, found->key,
		     ns);
	return trust_write(command, ns, found->cell, found->key);
}

int main(int argc, char **argv)
{
	struct command command;
	const char *what, *name, *key;

	if (!command_begin(&command, &table, argc, argv, NULL))
		return command.exit_code;
	what = command_arg(&command, 0);
	name = command_arg(&command, 1);
	key = command_arg(&command, 2);
	if (strcmp(what, "list") == 0 && !name)
		return command_end(&command, list(&command));
	if (strcmp(what, "info") == 0 && name && !key)
		return command_end(&command, info(&command, name));
	if (strcmp(what, "trust") == 0 && name)
		return command_end(&command, trust(&command, name, key));
	return command_usage(&command, strcmp(what, "list") == 0 ? "list takes no name"
				       : strcmp(what, "info") == 0 ? "info needs a name, and no more"
				       : strcmp(what, "trust") == 0
					       ? "trust needs a namespace"
					       : "list, info NAME, or trust NAMESPACE");
}
