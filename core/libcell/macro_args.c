/* Attributes against the table of macros: names, places, arguments. */
#include "guess.h"
#include "macro_work.h"

#include <cell/cell.h>
#include <ctype.h>
#include <string.h>

/* --- reading arguments ------------------------------------------------------------------ */

const struct macro_value *cell_macro_next(const struct macro_attribute *attribute,
					  const struct macro_value *parent,
					  const struct macro_value *after)
{
	uint32_t index = parent ? (uint32_t)(parent - attribute->values) + 1 : 0;

	/* By number: an attribute without values has no array to point into. */
	for (size_t i = after ? (size_t)(after - attribute->values) + 1 : 0; i < attribute->n_values;
	     i++)
		if (attribute->values[i].parent == index)
			return &attribute->values[i];
	return NULL;
}

static const struct cell_macro_argument *positional(const struct cell_macro *macro, size_t index)
{
	for (const struct cell_macro_argument *argument = macro->arguments;
	     argument && argument->name; argument++)
		if (argument->is_positional && index-- == 0)
			return argument;
	return NULL;
}

const struct macro_value *cell_macro_argument(const struct cell_macro_work *work,
					      const struct macro_attribute *attribute,
					      const char *name)
{
	const struct cell_macro *macro = macro_of(work->provider, attribute);
	const struct cell_macro_argument *argument;
	size_t index = 0;

	for (const struct macro_value *value = NULL;
	     (value = cell_macro_next(attribute, NULL, value));) {
		if (*value->name) {
			if (strcmp(value->name, name) == 0)
				return value;
			continue;
		}
		argument = macro ? positional(macro, index++) : NULL;
		if (argument && strcmp(argument->name, name) == 0)
			return value;
	}
	return NULL;
}

const char *cell_macro_text(const struct cell_macro_work *work,
			    const struct macro_attribute *attribute, const char *name,
			    const char *fallback)
{
	const struct macro_value *value = cell_macro_argument(work, attribute, name);

	return value ? value->text : fallback;
}

int64_t cell_macro_integer(const struct cell_macro_work *work,
			   const struct macro_attribute *attribute, const char *name,
			   int64_t fallback)
{
	const struct macro_value *value = cell_macro_argument(work, attribute, name);

	return value ? value->integer : fallback;
}

bool cell_macro_flag(const struct cell_macro_work *work, const struct macro_attribute *attribute,
		     const char *name, bool fallback)
{
	return cell_macro_integer(work, attribute, name, fallback) != 0;
}

/* --- checking them ----------------------------------------------------------------------- */

static const char *kind_name(enum macro_value_kind kind)
{
	switch (kind) {
	case MACRO_VALUE_KIND_STRING: return "a string";
	case MACRO_VALUE_KIND_INTEGER: return "an integer";
	case MACRO_VALUE_KIND_BOOL: return "true or false";
	case MACRO_VALUE_KIND_IDENTIFIER: return "a name";
	case MACRO_VALUE_KIND_LIST: return "a list, [a, b]";
	case MACRO_VALUE_KIND_RECORD: return "a record, (a, b = c)";
	case MACRO_VALUE_KIND_FLOAT: return "a number";
	case MACRO_VALUE_KIND_NULL: return "null";
	case MACRO_VALUE_KIND_TOKENS: return "an expression";
	case MACRO_VALUE_KIND_ANY: break;
	}
	return "a value";
}

static bool kind_fits(enum macro_value_kind wanted, const struct macro_value *value)
{
	switch (wanted) {
	case MACRO_VALUE_KIND_ANY: return true;
	/* `true` may have become 1 on the way, by a macro. */
	case MACRO_VALUE_KIND_BOOL:
		return value->kind == MACRO_VALUE_KIND_BOOL ||
		       (value->kind == MACRO_VALUE_KIND_INTEGER &&
			(value->integer == 0 || value->integer == 1));
	case MACRO_VALUE_KIND_FLOAT:
		return value->kind == MACRO_VALUE_KIND_FLOAT ||
		       value->kind == MACRO_VALUE_KIND_INTEGER;
	case MACRO_VALUE_KIND_TOKENS:
		return value->kind != MACRO_VALUE_KIND_LIST &&
		       value->kind != MACRO_VALUE_KIND_RECORD;
	default: return value->kind == wanted;
	}
}

static void check_choice(struct cell_macro_work *work, const struct macro_attribute *attribute,
			 const struct cell_macro_argument *argument,
			 const struct macro_value *value)
{
	struct guess guess = { .word = value->text };

	for (const char *const *choice = argument->choices; *choice; choice++) {
		if (strcmp(*choice, value->text) == 0)
			return;
		guess_try(&guess, *choice);
	}
	if (guess.best)
		(void)cell_macro_refuse(work, attribute, value,
					"'%s' is no %s (did you mean '%s'?)", value->text,
					argument->name, guess.best);
	else
		(void)cell_macro_refuse(work, attribute, value, "'%s' is no %s", value->text,
					argument->name);
	for (const char *const *choice = argument->choices; *choice; choice++)
		cell_macro_note(work, "%s = %s%s%s", argument->name,
				value->kind == MACRO_VALUE_KIND_STRING ? "\"" : "", *choice,
				value->kind == MACRO_VALUE_KIND_STRING ? "\"" : "");
}

static void check_kind(struct cell_macro_work *work, const struct macro_attribute *attribute,
		       const struct cell_macro_argument *argument,
		       const struct macro_value *value)
{
	bool is_text = value->kind == MACRO_VALUE_KIND_STRING ||
		       value->kind == MACRO_VALUE_KIND_IDENTIFIER;

	if (!kind_fits(argument->kind, value)) {
		(void)cell_macro_refuse(work, attribute, value, "'%s' must be %s, not %s",
					argument->name, kind_name(argument->kind),
					kind_name(value->kind));
		return;
	}
	if (argument->choices && is_text)
		check_choice(work, attribute, argument, value);
	if (value->kind != MACRO_VALUE_KIND_LIST || argument->kind != MACRO_VALUE_KIND_LIST)
		return;
	for (const struct macro_value *item = NULL;
	     (item = cell_macro_next(attribute, value, item));) {
		if (!kind_fits(argument->of, item))
			(void)cell_macro_refuse(work, attribute, item,
						"'%s' is a list of which each must be %s, not %s",
						argument->name, kind_name(argument->of),
						kind_name(item->kind));
		else if (argument->choices && *item->text)
			check_choice(work, attribute, argument, item);
	}
}

static const struct cell_macro_argument *find_argument(const struct cell_macro *macro,
						       const char *name)
{
	for (const struct cell_macro_argument *argument = macro->arguments;
	     argument && argument->name; argument++)
		if (strcmp(argument->name, name) == 0)
			return argument;
	return NULL;
}

static void refuse_unknown(struct cell_macro_work *work, const struct cell_macro *macro,
			   const struct macro_attribute *attribute,
			   const struct macro_value *value)
{
	struct guess guess = { .word = value->name };

	for (const struct cell_macro_argument *argument = macro->arguments;
	     argument && argument->name; argument++)
		guess_try(&guess, argument->name);
	if (guess.best)
		(void)cell_macro_refuse(work, attribute, value,
					"no argument '%s' (did you mean '%s'?)", value->name,
					guess.best);
	else
		(void)cell_macro_refuse(work, attribute, value, "no argument '%s'", value->name);
}

/* The table's line for VALUE, the INDEXth without a name; NULL when that was refused. */
static const struct cell_macro_argument *match(struct cell_macro_work *work,
					       const struct cell_macro *macro,
					       const struct macro_attribute *attribute,
					       const struct macro_value *value, size_t *index)
{
	const struct cell_macro_argument *argument;

	if (*value->name) {
		argument = find_argument(macro, value->name);
		if (!argument && !macro->takes_any_argument)
			refuse_unknown(work, macro, attribute, value);
		return argument;
	}
	argument = positional(macro, (*index)++);
	if (!argument && !macro->takes_any_argument)
		(void)cell_macro_refuse(work, attribute, value, *index == 1
						? "an argument needs its name: name = value"
						: "one argument too many without a name");
	return argument;
}

static bool is_earlier(const struct cell_macro_work *work, const struct macro_attribute *attribute,
		       const struct cell_macro_argument *argument, const struct macro_value *value)
{
	return cell_macro_argument(work, attribute, argument->name) != value;
}

static void check_expression(struct cell_macro_work *work, const struct macro_attribute *attribute)
{
	const struct macro_value *first = cell_macro_next(attribute, NULL, NULL);

	if (!first)
		(void)cell_macro_refuse(work, attribute, NULL, "needs an expression");
	else if (cell_macro_next(attribute, NULL, first))
		(void)cell_macro_refuse(work, attribute, cell_macro_next(attribute, NULL, first),
					"takes one expression");
}

static void check_arguments(struct cell_macro_work *work, const struct cell_macro *macro,
			    const struct macro_attribute *attribute)
{
	const struct cell_macro_argument *argument;
	size_t index = 0;

	/* Parents come first and are no scalars; so nothing that walks them goes round. */
	for (size_t i = 0; i < attribute->n_values; i++) {
		const struct macro_value *value = &attribute->values[i];

		if (value->parent > i ||
		    (value->parent &&
		     attribute->values[value->parent - 1].kind != MACRO_VALUE_KIND_LIST &&
		     attribute->values[value->parent - 1].kind != MACRO_VALUE_KIND_RECORD)) {
			(void)cell_macro_refuse(work, attribute, NULL,
						"the request's arguments are not a table");
			return;
		}
	}
	if (macro->takes_expression) {
		check_expression(work, attribute);
		return;
	}
	for (const struct macro_value *value = NULL;
	     (value = cell_macro_next(attribute, NULL, value));) {
		argument = match(work, macro, attribute, value, &index);
		if (!argument)
			continue;
		if (is_earlier(work, attribute, argument, value))
			(void)cell_macro_refuse(work, attribute, value, "'%s' is given twice",
						argument->name);
		else
			check_kind(work, attribute, argument, value);
	}
	for (argument = macro->arguments; argument && argument->name; argument++)
		if (argument->is_required && !cell_macro_argument(work, attribute, argument->name))
			(void)cell_macro_refuse(work, attribute, NULL, "needs '%s', %s",
						argument->name, kind_name(argument->kind));
}

/* --- where attributes stand -------------------------------------------------------------- */

/* What an attribute stands on: the declaration (index 0), or its INDEXth part. */
struct place {
	enum macro_place place;
	size_t index;
};

static bool has_id(const struct macro_attribute *attributes, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (attributes[i].id == id)
			return true;
	return false;
}

static struct place place_of(const struct cell_macro_work *work, uint32_t id)
{
	const struct macro_declaration *declaration = work->request->declaration;
	const struct macro_type *type = cell_macro_plain_type(work, declaration->type);
	bool has_type = declaration->place != MACRO_PLACE_FUNCTION &&
			declaration->place != MACRO_PLACE_PROTOTYPE &&
			declaration->place != MACRO_PLACE_VARIABLE;

	for (size_t i = 0; i < declaration->n_parameters; i++)
		if (has_id(declaration->parameters[i].attributes,
			   declaration->parameters[i].n_attributes, id))
			return (struct place){ MACRO_PLACE_PARAMETER, i + 1 };
	for (size_t i = 0; has_type && type && i < type->n_members; i++)
		if (has_id(type->members[i].attributes, type->members[i].n_attributes, id))
			return (struct place){ MACRO_PLACE_MEMBER, i + 1 };
	for (size_t i = 0; has_type && type && i < type->n_enumerators; i++)
		if (has_id(type->enumerators[i].attributes, type->enumerators[i].n_attributes, id))
			return (struct place){ MACRO_PLACE_ENUMERATOR, i + 1 };
	return (struct place){ declaration->place, 0 };
}

static const char *place_name(enum macro_place place)
{
	static const char *const names[] = {
		[MACRO_PLACE_UNSPECIFIED] = "nothing",
		[MACRO_PLACE_FILE] = "a line of its own, [[ns::name]];",
		[MACRO_PLACE_STRUCT] = "a struct",
		[MACRO_PLACE_UNION] = "a union",
		[MACRO_PLACE_ENUM] = "an enum",
		[MACRO_PLACE_ENUMERATOR] = "an enumerator",
		[MACRO_PLACE_MEMBER] = "a member",
		[MACRO_PLACE_FUNCTION] = "a function with a body",
		[MACRO_PLACE_PROTOTYPE] = "a function without a body",
		[MACRO_PLACE_PARAMETER] = "a parameter",
		[MACRO_PLACE_TYPEDEF] = "a typedef",
		[MACRO_PLACE_VARIABLE] = "a variable",
	};

	return (size_t)place < sizeof names / sizeof *names ? names[place] : names[0];
}

static void check_place(struct cell_macro_work *work, const struct cell_macro *macro,
			const struct macro_attribute *attribute)
{
	struct place here = place_of(work, attribute->id);

	if ((unsigned)here.place > MACRO_PLACE_VARIABLE ||
	    !(macro->places & CELL_MACRO_BIT(here.place))) {
		(void)cell_macro_refuse(work, attribute, NULL, "does not belong on %s",
					place_name(here.place));
		for (unsigned i = 1; i <= MACRO_PLACE_VARIABLE; i++)
			if (macro->places & CELL_MACRO_BIT(i))
				cell_macro_note(work, "it belongs on %s", place_name(i));
		return;
	}
	for (size_t i = 0; !macro->is_repeatable && i < work->request->n_attributes; i++) {
		const struct macro_attribute *other = &work->request->attributes[i];
		struct place there;

		if (other == attribute)
			return;
		if (strcmp(other->name, attribute->name) != 0 || strcmp(other->ns, attribute->ns) != 0)
			continue;
		there = place_of(work, other->id);
		if (there.place == here.place && there.index == here.index) {
			(void)cell_macro_refuse(work, attribute, NULL, "stands here twice");
			return;
		}
	}
}

static void refuse_no_macro(struct cell_macro_work *work, const struct macro_attribute *attribute)
{
	struct guess guess = { .word = attribute->name };

	for (const struct cell_macro *macro = work->provider->macros; macro->name; macro++)
		if (strcmp(macro_ns(work->provider, macro), attribute->ns) == 0)
			guess_try(&guess, macro->name);
	if (guess.best)
		(void)cell_macro_refuse(work, attribute, NULL,
					"no such macro (did you mean '%s'?)", guess.best);
	else
		(void)cell_macro_refuse(work, attribute, NULL, "no such macro");
}

void macro_check_attributes(struct cell_macro_work *work)
{
	const struct macro_plan_request *request = work->request;

	if (!request->declaration) {
		(void)cell_macro_refuse(work, NULL, NULL, "the request has no declaration");
		return;
	}
	for (size_t i = 0; i < request->n_attributes; i++) {
		const struct macro_attribute *attribute = &request->attributes[i];
		const struct cell_macro *macro = macro_of(work->provider, attribute);

		if (!macro_owns(work->provider, attribute->ns))
			continue;
		if (!macro) {
			refuse_no_macro(work, attribute);
			continue;
		}
		check_place(work, macro, attribute);
		check_arguments(work, macro, attribute);
	}
	for (size_t i = 0; i < request->n_context; i++) {
		const struct macro_attribute *attribute = &request->context[i];
		const struct cell_macro *macro = macro_of(work->provider, attribute);

		if (macro)
			check_arguments(work, macro, attribute);
	}
}

/* --- the table itself --------------------------------------------------------------------- */

static bool is_word(const char *word)
{
	if (!isalpha((unsigned char)*word) && *word != '_')
		return false;
	for (; *word; word++)
		if (!isalnum((unsigned char)*word) && *word != '_')
			return false;
	return true;
}

static int check_table_arguments(struct cell_call *call, const struct cell_macro *macro)
{
	bool had_named = false;

	for (const struct cell_macro_argument *argument = macro->arguments;
	     argument && argument->name; argument++) {
		if (!is_word(argument->name))
			return cell_refuse(call, CELL_INVALID_ARGUMENT,
					   "macro '%s': argument '%s' is no name", macro->name,
					   argument->name);
		if (find_argument(macro, argument->name) != argument)
			return cell_refuse(call, CELL_INVALID_ARGUMENT,
					   "macro '%s': argument '%s' is listed twice",
					   macro->name, argument->name);
		if (argument->is_positional && had_named)
			return cell_refuse(call, CELL_INVALID_ARGUMENT,
					   "macro '%s': positional argument '%s' behind a named one",
					   macro->name, argument->name);
		if (argument->is_required && argument->fallback)
			return cell_refuse(call, CELL_INVALID_ARGUMENT,
					   "macro '%s': argument '%s' is required and has a fallback",
					   macro->name, argument->name);
		had_named = had_named || !argument->is_positional;
	}
	return 0;
}

static int check_table_macro(struct cell_call *call, const struct cell_macro_provider *provider,
			     const struct cell_macro *macro)
{
	const struct macro_attribute self = { .ns = macro_ns(provider, macro),
					      .name = macro->name };

	if (!is_word(macro->name))
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "'%s' is no name of a macro",
				   macro->name);
	if (!macro_owns(provider, self.ns))
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "macro '%s': '%s' is none of the namespaces", macro->name,
				   self.ns);
	if (macro_of(provider, &self) != macro)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "macro '%s::%s' is listed twice",
				   self.ns, macro->name);
	if (!macro->places)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "macro '%s' has no places",
				   macro->name);
	if (!macro->doc || !*macro->doc)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "macro '%s' is not documented",
				   macro->name);
	return check_table_arguments(call, macro);
}

int macro_check_table(struct cell_call *call, const struct cell_macro_provider *provider)
{
	int r = 0;

	if (!provider->namespaces || !provider->namespaces[0] || !provider->macros)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "a provider needs a namespace and a table of macros");
	for (const char *const *ns = provider->namespaces; *ns; ns++)
		if (!is_word(*ns))
			return cell_refuse(call, CELL_INVALID_ARGUMENT,
					   "'%s' is no namespace", *ns);
	for (const struct cell_macro *macro = provider->macros; r == 0 && macro->name; macro++)
		r = check_table_macro(call, provider, macro);
	return r;
}
