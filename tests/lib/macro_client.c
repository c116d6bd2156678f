/*
 * What cellc asks the macro cell, from a line of shell.
 *
 *	macro_client plan|expand [OPTION…] DECLARATION ATTRIBUTE…
 *	macro_client provision NS NAME
 *
 * DECLARATION is "function f", "static function f", "prototype f" or "struct s"; an ATTRIBUTE
 * is 'ns::name("text", key = 3, flag = true, word)'. Prints what is said, one line each, and
 * then the text; ends with 1 if there was an error.
 *
 *	--strict    --off NS    --order NS    --times N (all at once)    --wrong-plan
 */
#include <cell/cell.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "macro.cell.h"

static struct cell_call *call;
static struct macro_attribute attributes[16];
static struct macro_declaration declaration;
static struct macro_type type;
static const char *off[8], *order[8];
static struct macro_plan_request request = { .attributes = attributes, .program = "",
					     .features_off = off, .order = order };

static char *word(const char *from, size_t len)
{
	return cell_arena_strndup(cell_arena(call), from, len);
}

static const char *blanks(const char *at)
{
	return at + strspn(at, " ,");
}

static size_t name_len(const char *at)
{
	size_t len = 0;

	while (isalnum((unsigned char)at[len]) || at[len] == '_')
		len++;
	return len;
}

static const char *read_value(const char *at, struct macro_value *value)
{
	size_t len = name_len(at);

	*value = (struct macro_value){ .name = "", .text = "" };
	if (len && at[len + strspn(at + len, " ")] == '=') {
		value->name = word(at, len);
		at += len + strspn(at + len, " =");
	}
	len = name_len(at);
	if (*at == '"') {
		value->kind = MACRO_VALUE_KIND_STRING;
		value->text = word(at + 1, strcspn(at + 1, "\""));
		return at + strlen(value->text) + 2;
	}
	value->text = word(at, len);
	value->kind = MACRO_VALUE_KIND_IDENTIFIER;
	if (isdigit((unsigned char)*at) || strcmp(value->text, "true") == 0 ||
	    strcmp(value->text, "false") == 0) {
		value->kind = isdigit((unsigned char)*at) ? MACRO_VALUE_KIND_INTEGER
							  : MACRO_VALUE_KIND_BOOL;
		value->integer = *at == 't' ? 1 : atoi(at);
		value->text = "";
	}
	return at + len;
}

static void read_attribute(const char *at)
{
	struct macro_attribute *attribute = &attributes[request.n_attributes++];
	struct macro_value *values = cell_arena_calloc(cell_arena(call), 8, sizeof *values);
	size_t len = name_len(at);

	attribute->id = (uint32_t)request.n_attributes;
	attribute->ns = word(at, len);
	at += len + 2;
	len = name_len(at);
	attribute->name = word(at, len);
	attribute->values = values;
	at += len;
	at += *at == '(';
	while (*(at = blanks(at)) && *at != ')' && attribute->n_values < 8)
		at = read_value(at, &values[attribute->n_values++]);
}

static void read_declaration(const char *text)
{
	const char *name = strrchr(text, ' ') + 1;

	declaration.name = name;
	declaration.is_static = strncmp(text, "static ", 7) == 0;
	declaration.place = strstr(text, "struct")	? MACRO_PLACE_STRUCT
			    : strstr(text, "prototype") ? MACRO_PLACE_PROTOTYPE
							: MACRO_PLACE_FUNCTION;
	type = (struct macro_type){ .kind = MACRO_TYPE_KIND_STRUCT, .tag = name, .spelling = text };
	request.types = &type;
	request.n_types = 1;
	declaration.type = declaration.place == MACRO_PLACE_STRUCT ? 1 : 0;
	request.declaration = &declaration;
}

/* Whether there is an error among them. */
static bool say(const struct macro_diagnostic *diagnostics, size_t n)
{
	bool failed = false;

	for (size_t i = 0; i < n; i++) {
		const struct macro_diagnostic *d = &diagnostics[i];

		failed = failed || d->severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR;
		printf("%s: %u: %s: %s\n", d->severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR ? "error" : "warning",
		       d->attribute, d->ns, d->text);
		for (size_t k = 0; k < d->n_notes; k++)
			printf("note: %s\n", d->notes[k]);
	}
	return failed;
}

static int fail(int err)
{
	printf("%s: %s\n", cell_status_name(err), cell_error(call)->text);
	return 1;
}

static int plan_print(const struct macro_plan *plan)
{
	for (size_t i = 0; i < plan->n_wraps; i++)
		printf("wrap %u\n", plan->wraps[i].phase);
	for (size_t i = 0; i < plan->n_symbols; i++)
		printf("symbol %s\n", plan->symbols[i].name);
	return 0;
}

static int code_print(const struct macro_generated_code *code)
{
	if (say(code->diagnostics, code->n_diagnostics))
		return 1;
	if (code->degraded)
		printf("degraded\n");
	if (*code->rename)
		printf("rename %s\n", code->rename);
	for (size_t i = 0; i < code->n_pieces; i++)
		printf("%s", code->pieces[i].text);
	return 0;
}

static int expand(bool is_strict, bool is_wrong, unsigned times, bool only_plan)
{
	struct macro_expansion_request expansion = { .request = &request, .strict = is_strict };
	struct macro_coordinate_expansion_future futures[64];
	struct macro_generated_code code;
	struct macro_plan plan;
	int err = macro_plan_expansion(call, &request, &plan);

	if (err)
		return fail(err);
	if (say(plan.diagnostics, plan.n_diagnostics))
		return 1;
	if (only_plan)
		return plan_print(&plan);
	expansion.plan = is_wrong ? (const uint8_t *)"wrong" : plan.digest;
	expansion.n_plan = is_wrong ? 5 : plan.n_digest;
	for (unsigned i = 0; i < times; i++)
		futures[i] = macro_coordinate_expansion_start(call, &expansion);
	for (unsigned i = 0; i < times; i++) {
		err = macro_coordinate_expansion_wait(&futures[i], &code);
		if (err)
			return fail(err);
	}
	return code_print(&code);
}

static int provision(const char *ns, const char *name)
{
	struct macro_declared declared = { .ns = ns, .name = name, .attribute = 1 };
	struct macro_provision_request in = { .n_declared = 1, .declared = &declared, .program = "" };
	struct macro_provisioned out;
	int err = macro_provision(call, &in, &out);

	if (err)
		return fail(err);
	for (size_t i = 0; i < out.n_changes; i++)
		printf("%s\n", out.changes[i]);
	if (out.status)
		printf("status %u\n", out.status);
	return say(out.diagnostics, out.n_diagnostics);
}

int main(int argc, char **argv)
{
	bool is_strict = false, is_wrong = false, only_plan;
	unsigned times = 1;
	int at = 2, r;

	call = cell_open("macro-client");
	if (argc == 4 && strcmp(argv[1], "provision") == 0) {
		r = provision(argv[2], argv[3]);
		cell_close(call);
		return r;
	}
	only_plan = argc > 1 && strcmp(argv[1], "plan") == 0;
	for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
		if (strcmp(argv[at], "--strict") == 0)
			is_strict = true;
		else if (strcmp(argv[at], "--wrong-plan") == 0)
			is_wrong = true;
		else if (strcmp(argv[at], "--off") == 0)
			off[request.n_features_off++] = argv[++at];
		else if (strcmp(argv[at], "--order") == 0)
			order[request.n_order++] = argv[++at];
		else if (strcmp(argv[at], "--times") == 0)
			times = (unsigned)atoi(argv[++at]);
	}
	if (argc - at < 2 || argc - at > 9 || times > 64)
		return 2;
	read_declaration(argv[at++]);
	while (at < argc)
		read_attribute(argv[at++]);
	r = expand(is_strict, is_wrong, times, only_plan);
	cell_close(call);
	return r;
}
