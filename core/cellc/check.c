#include "check.h"

#include "../libcell/guess.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Room for " (did you mean '…'?)". */
#define MEANT_SIZE (GUESS_MAX + 24)

static const char *const kind_names[] = {
	[MACRO_VALUE_KIND_ANY] = "anything",
	[MACRO_VALUE_KIND_STRING] = "a string",
	[MACRO_VALUE_KIND_INTEGER] = "an integer",
	[MACRO_VALUE_KIND_BOOL] = "true or false",
	[MACRO_VALUE_KIND_IDENTIFIER] = "an identifier",
	[MACRO_VALUE_KIND_LIST] = "a list",
	[MACRO_VALUE_KIND_RECORD] = "a record",
	[MACRO_VALUE_KIND_FLOAT] = "a number",
	[MACRO_VALUE_KIND_NULL] = "null",
	[MACRO_VALUE_KIND_TOKENS] = "an expression",
};

static const char *kind_name(enum macro_value_kind kind)
{
	return (unsigned)kind <= MACRO_VALUE_KIND_TOKENS ? kind_names[kind] : "something";
}

const char *check_place_name(enum macro_place place)
{
	switch (place) {
	case MACRO_PLACE_FILE: return "nothing (alone, with a semicolon)";
	case MACRO_PLACE_STRUCT: return "a struct";
	case MACRO_PLACE_UNION: return "a union";
	case MACRO_PLACE_ENUM: return "an enum";
	case MACRO_PLACE_ENUMERATOR: return "an enumerator";
	case MACRO_PLACE_MEMBER: return "a member";
	case MACRO_PLACE_FUNCTION: return "a function with a body";
	case MACRO_PLACE_PROTOTYPE: return "a function without a body";
	case MACRO_PLACE_PARAMETER: return "a parameter";
	case MACRO_PLACE_TYPEDEF: return "a typedef";
	case MACRO_PLACE_VARIABLE: return "a variable";
	default: return "this";
	}
}

static const char *meant(const struct guess *guess, char out[static MEANT_SIZE])
{
	out[0] = 0;
	if (guess->best)
		(void)snprintf(out, MEANT_SIZE, " (did you mean '%s'?)", guess->best);
	return out;
}

static const char *provider(const struct check_known *known, const char *ns)
{
	for (size_t i = 0; i < known->n_namespaces; i++)
		if (strcmp(known->namespaces[i], ns) == 0)
			return known->cells[i];
	return NULL;
}

const struct macro_macro_description *check_find(const struct check_known *known,
						 const char *ns, const char *name)
{
	for (size_t i = 0; i < known->n_macros; i++)
		if (strcmp(known->macros[i].ns, ns) == 0 &&
		    strcmp(known->macros[i].name, name) == 0)
			return &known->macros[i];
	return NULL;
}

/* ---- names ------------------------------------------------------------------------------
 */

static int unknown_namespace(const struct check_known *known, const struct attribute *a,
			     struct diag *diag)
{
	struct guess guess = { .word = a->ns };
	char text[MEANT_SIZE];

	for (size_t i = 0; i < known->n_namespaces; i++)
		guess_try(&guess, known->namespaces[i]);
	diag_say(diag, SEVERITY_ERROR, &a->at, a->ns,
		 "%s::%s: no cell provides the namespace '%s'%s", a->ns, a->name, a->ns,
		 meant(&guess, text));
	return -EINVAL;
}

static int unknown_macro(const struct check_known *known, const struct attribute *a,
			 const char *cell, struct diag *diag)
{
	struct guess guess = { .word = a->name };
	char text[MEANT_SIZE];

	for (size_t i = 0; i < known->n_macros; i++)
		if (strcmp(known->macros[i].ns, a->ns) == 0)
			guess_try(&guess, known->macros[i].name);
	diag_say(diag, SEVERITY_ERROR, &a->name_at, a->ns,
		 "%s::%s: cell '%s' provides no such macro%s", a->ns, a->name, cell,
		 meant(&guess, text));
	return -EINVAL;
}

static int wrong_place(const struct macro_macro_description *macro, const struct attribute *a,
		       enum macro_place place, struct diag *diag)
{
	char list[256] = "";
	size_t len = 0;

	for (int i = MACRO_PLACE_FILE; i <= MACRO_PLACE_VARIABLE; i++) {
		int n;

		if (!(macro->places >> i & 1))
			continue;
		n = snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "",
			     check_place_name((enum macro_place)i));
		len += n > 0 && (size_t)n < sizeof list - len ? (size_t)n : 0;
	}
	diag_say(diag, SEVERITY_ERROR, &a->name_at, a->ns, "%s::%s does not belong on %s",
		 a->ns, a->name, check_place_name(place));
	if (len)
		diag_say(diag, SEVERITY_NOTE, NULL, a->ns, "it belongs on %s", list);
	return -EINVAL;
}

/* ---- arguments --------------------------------------------------------------------------
 */

struct checking {
	const struct macro_macro_description *macro;
	const struct attribute *attribute;
	struct macro_value *values;
	struct diag *diag;
	int err;
};

static const struct place *place_of(const struct checking *c, size_t value)
{
	return c->attribute->value_places ? &c->attribute->value_places[value]
					  : &c->attribute->name_at;
}

#define SAY(c, value, format, ...)                                                           \
	((c)->err = -EINVAL,                                                                 \
	 diag_say((c)->diag, SEVERITY_ERROR, place_of((c), (value)), (c)->attribute->ns,     \
		  "%s::%s: " format, (c)->attribute->ns, (c)->attribute->name, __VA_ARGS__))

static bool is_kind(struct macro_value *value, enum macro_value_kind wanted)
{
	if (wanted == MACRO_VALUE_KIND_ANY || value->kind == wanted)
		return true;
	/* stdbool.h's macros may have been expanded. */
	if (wanted == MACRO_VALUE_KIND_BOOL && value->kind == MACRO_VALUE_KIND_INTEGER &&
	    (value->integer == 0 || value->integer == 1)) {
		value->kind = MACRO_VALUE_KIND_BOOL;
		return true;
	}
	if (wanted == MACRO_VALUE_KIND_FLOAT)
		return value->kind == MACRO_VALUE_KIND_INTEGER;
	if (wanted == MACRO_VALUE_KIND_TOKENS)
		return value->kind == MACRO_VALUE_KIND_IDENTIFIER ||
		       value->kind == MACRO_VALUE_KIND_INTEGER;
	return false;
}

static void say_kind(struct checking *c, size_t value, const struct macro_argument *argument)
{
	const struct macro_value *v = &c->values[value];

	SAY(c, value, "'%s' wants %s, not %s", argument->name, kind_name(argument->kind),
	    kind_name(v->kind));
	if (argument->kind == MACRO_VALUE_KIND_STRING &&
	    v->kind == MACRO_VALUE_KIND_IDENTIFIER)
		diag_say(c->diag, SEVERITY_NOTE, NULL, c->attribute->ns, "write \"%s\"",
			 v->text);
	else if (argument->kind == MACRO_VALUE_KIND_IDENTIFIER &&
		 v->kind == MACRO_VALUE_KIND_STRING)
		diag_say(c->diag, SEVERITY_NOTE, NULL, c->attribute->ns,
			 "write %s, without quotes", v->text);
	else if (argument->kind == MACRO_VALUE_KIND_LIST)
		diag_say(c->diag, SEVERITY_NOTE, NULL, c->attribute->ns, "a list is [a, b]");
}

static void check_choice(struct checking *c, size_t value,
			 const struct macro_argument *argument)
{
	const char *text = c->values[value].text;
	struct guess guess = { .word = text };
	char list[200] = "", near[MEANT_SIZE];
	size_t len = 0;

	if (!argument->n_choices)
		return;
	for (size_t i = 0; i < argument->n_choices; i++) {
		int n = snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "",
				 argument->choices[i]);

		if (strcmp(argument->choices[i], text) == 0)
			return;
		guess_try(&guess, argument->choices[i]);
		len += n > 0 && (size_t)n < sizeof list - len ? (size_t)n : 0;
	}
	SAY(c, value, "'%s' cannot be '%s': it is one of %s%s", argument->name, text, list,
	    meant(&guess, near));
}

static void check_value(struct checking *c, size_t value,
			const struct macro_argument *argument)
{
	struct macro_value *v = &c->values[value];

	if (!is_kind(v, argument->kind)) {
		say_kind(c, value, argument);
		return;
	}
	if (v->kind == MACRO_VALUE_KIND_STRING || v->kind == MACRO_VALUE_KIND_IDENTIFIER)
		check_choice(c, value, argument);
	if (v->kind != MACRO_VALUE_KIND_LIST || argument->of == MACRO_VALUE_KIND_ANY)
		return;
	for (size_t i = value + 1; i < c->attribute->n_values; i++)
		if (c->values[i].parent == value + 1 && !is_kind(&c->values[i], argument->of))
			SAY(c, i, "'%s' is a list of %s, not %s", argument->name,
			    kind_name(argument->of) +
				    (strncmp(kind_name(argument->of), "a ", 2) == 0 ? 2 : 0),
			    kind_name(c->values[i].kind));
}

/* The argument that value I is for; NULL after the mistake was said. */
static const struct macro_argument *argument_of(struct checking *c, size_t i,
						size_t *n_positional)
{
	const struct macro_macro_description *macro = c->macro;
	const char *name = c->values[i].name;
	struct guess guess = { .word = name };
	char near[MEANT_SIZE];
	size_t n_places = 0;

	if (*name) {
		for (size_t k = 0; k < macro->n_arguments; k++) {
			if (strcmp(macro->arguments[k].name, name) == 0)
				return &macro->arguments[k];
			guess_try(&guess, macro->arguments[k].name);
		}
		SAY(c, i, "no argument '%s'%s", name, meant(&guess, near));
		return NULL;
	}
	while (n_places < macro->n_arguments && macro->arguments[n_places].positional)
		n_places++;
	if (*n_positional < n_places)
		return &macro->arguments[(*n_positional)++];
	if (macro->n_arguments == 0)
		SAY(c, i, "%s", "takes no arguments");
	else if (n_places == 0)
		SAY(c, i, "arguments need their names: %s = …", macro->arguments[0].name);
	else
		SAY(c, i, "only %zu argument%s may stand without a name", n_places,
		    n_places == 1 ? "" : "s");
	return NULL;
}

/* db::check(a > b): one expression. */
static void check_raw(struct checking *c)
{
	struct macro_value *value = c->values;
	size_t n = 0;

	for (size_t i = 0; i < c->attribute->n_values; i++)
		n += c->values[i].parent == 0;
	if (n == 1 && *value->name) {
		SAY(c, 0, "wants an expression, not '%s = …' (did you mean '=='?)",
		    value->name);
	} else if (n != 1) {
		c->err = -EINVAL;
		diag_say(c->diag, SEVERITY_ERROR, &c->attribute->name_at, c->attribute->ns,
			 "%s::%s: wants one expression", c->attribute->ns,
			 c->attribute->name);
	} else if (value->kind == MACRO_VALUE_KIND_IDENTIFIER) {
		value->kind = MACRO_VALUE_KIND_TOKENS;
	}
}

static void check_arguments(struct checking *c)
{
	const struct macro_macro_description *macro = c->macro;
	uint64_t given = 0;
	size_t n_positional = 0;

	for (size_t i = 0; i < c->attribute->n_values; i++) {
		const struct macro_argument *argument;
		size_t index;

		if (c->values[i].parent)
			continue;
		argument = argument_of(c, i, &n_positional);
		if (!argument)
			continue;
		index = (size_t)(argument - macro->arguments);
		if (index < 64 && (given >> index & 1)) {
			SAY(c, i, "argument '%s' is given twice", argument->name);
			continue;
		}
		given |= index < 64 ? UINT64_C(1) << index : 0;
		check_value(c, i, argument);
	}
	for (size_t i = 0; i < macro->n_arguments && i < 64; i++) {
		if (!macro->arguments[i].required || (given >> i & 1))
			continue;
		c->err = -EINVAL;
		diag_say(c->diag, SEVERITY_ERROR, &c->attribute->name_at, c->attribute->ns,
			 "%s::%s: argument '%s' is missing", macro->ns, macro->name,
			 macro->arguments[i].name);
	}
}

int check_attribute(const struct check_known *known, const struct attribute *attribute,
		    enum macro_place place, struct macro_value *values, struct diag *diag)
{
	const char *cell = provider(known, attribute->ns);
	struct checking c = { .attribute = attribute, .values = values, .diag = diag };

	if (!cell)
		return unknown_namespace(known, attribute, diag);
	c.macro = check_find(known, attribute->ns, attribute->name);
	if (!c.macro)
		return unknown_macro(known, attribute, cell, diag);
	if (!(c.macro->places >> place & 1))
		return wrong_place(c.macro, attribute, place, diag);
	if (c.macro->raw_argument)
		check_raw(&c);
	else if (!c.macro->any_arguments)
		check_arguments(&c);
	return c.err;
}

int check_repeated(const struct check_known *known, const struct attribute *const *attributes,
		   size_t n, struct diag *diag)
{
	int err = 0;

	for (size_t i = 1; i < n; i++) {
		const struct attribute *a = attributes[i];
		const struct macro_macro_description *macro =
			check_find(known, a->ns, a->name);

		if (!macro || macro->repeatable)
			continue;
		for (size_t k = 0; k < i; k++) {
			if (strcmp(a->ns, attributes[k]->ns) != 0 ||
			    strcmp(a->name, attributes[k]->name) != 0)
				continue;
			diag_say(diag, SEVERITY_ERROR, &a->name_at, a->ns,
				 "%s::%s stands here twice", a->ns, a->name);
			diag_say(diag, SEVERITY_NOTE, &attributes[k]->name_at, a->ns,
				 "the first one is here");
			err = -EINVAL;
			break;
		}
	}
	return err;
}
