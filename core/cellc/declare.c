#include "declare.h"

#include "vector.h"

static const char *const prefixes[] = {
	"typedef",  "static",   "extern",       "const",         "volatile",  "inline",
	"register", "__inline", "__inline__",   "__extension__", "_Noreturn", "_Thread_local",
	"__thread", "__const",  "thread_local", "__volatile__",  NULL,
};

/* --- places in the text -------------------------------------------------------------------
 */

static size_t text_offset(const struct declare_context *context, size_t offset)
{
	return context->offset(context->userdata, offset);
}

static bool is(const struct token *token, char punctuator)
{
	return token->kind == TOKEN_PUNCTUATOR && token->punctuator == (uint8_t)punctuator;
}

static bool is_word_byte(char byte)
{
	return byte == '_' || byte == '$' || (byte & 0x80) || (byte >= '0' && byte <= '9') ||
	       (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* The next token that is code, from the lexer's place on: not a directive's. */
static void code_next(struct lexer *lexer, struct token *ret)
{
	while (lex_next(lexer, ret) == TOKEN_PUNCTUATOR && ret->punctuator == '#' &&
	       ret->is_first) {
		lexer->in_directive = true;
		lex_skip_line(lexer);
	}
}

/* The list of attributes that ends at byte END; NULL if none does. */
static const struct range *list_ending(const struct unit *unit, size_t end)
{
	const struct ranges *lists = &unit->scan.lists;

	for (size_t i = 0; i < lists->n && lists->items[i].start < end; i++)
		if (lists->items[i].end == end)
			return &lists->items[i];
	return NULL;
}

/* Behind spaces and comments before AT, going back. */
static size_t skip_back(const struct unit *unit, size_t at)
{
	const struct ranges *comments = &unit->scan.comments;
	size_t low, high;

	for (;;) {
		while (at > 0 && strchr(" \t\r\n\f\v", unit->text[at - 1]) &&
		       unit->text[at - 1])
			at--;
		low = 0;
		high = comments->n;
		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (comments->items[middle].end < at)
				low = middle + 1;
			else
				high = middle;
		}
		if (low == comments->n || comments->items[low].end != at)
			return at;
		at = comments->items[low].start;
	}
}

size_t declare_specifier(const struct unit *unit, size_t end)
{
	static const char *const names[] = { "__attribute__", "__attribute", "__declspec",
					     "_Alignas",      "alignas",     NULL };
	size_t at = end, depth = 0, word;

	do {
		at--;
		depth += unit->text[at] == ')';
		depth -= unit->text[at] == '(';
	} while (at > 0 && depth > 0);
	word = at = skip_back(unit, at);
	while (word > 0 && is_word_byte(unit->text[word - 1]))
		word--;
	for (const char *const *name = names; *name; name++)
		if (at - word == strlen(*name) &&
		    memcmp(unit->text + word, *name, at - word) == 0)
			return word;
	return end;
}

/* START of a declaration's own words, moved before all attributes and specifiers. */
static size_t start_extend(const struct unit *unit, size_t start)
{
	for (;;) {
		size_t at = skip_back(unit, start), word = at;
		const struct range *list = list_ending(unit, at);

		if (list) {
			start = list->start;
			continue;
		}
		if (at > 0 && unit->text[at - 1] == ')') {
			word = declare_specifier(unit, at);
			if (word == at)
				return start;
			start = word;
			continue;
		}
		while (word > 0 && is_word_byte(unit->text[word - 1]))
			word--;
		for (const char *const *prefix = prefixes;; prefix++) {
			if (!*prefix)
				return start;
			if (at - word == strlen(*prefix) &&
			    memcmp(unit->text + word, *prefix, at - word) == 0)
				break;
		}
		start = word;
	}
}

/* The semicolon's end, looked for from AT on; LEN if there is none. */
static size_t semicolon_end(const struct unit *unit, size_t at)
{
	struct lexer lexer;
	struct token token;
	long depth = 0;

	lex_init(&lexer, unit->text, unit->len, at);
	for (;;) {
		code_next(&lexer, &token);
		if (token.kind == TOKEN_END)
			return unit->len;
		if (is(&token, '(') || is(&token, '[') || is(&token, '{'))
			depth++;
		else if (is(&token, ')') || is(&token, ']') || is(&token, '}'))
			depth--;
		else if (is(&token, ';') && depth <= 0)
			return token.end;
	}
}

/*
 * The next braces from AT on that are in no parentheses: their bytes. Macros are not
 * expanded, so that braces in them do not count. False if there are none.
 */
static bool braces_find(const struct unit *unit, size_t at, size_t *ret_open,
			size_t *ret_close)
{
	struct lexer lexer;
	struct token token;
	long depth = 0, braces = 0;

	lex_init(&lexer, unit->text, unit->len, at);
	for (;;) {
		code_next(&lexer, &token);
		if (token.kind == TOKEN_END)
			return false;
		if (is(&token, '(') || is(&token, '['))
			depth++;
		else if (is(&token, ')') || is(&token, ']'))
			depth--;
		else if (is(&token, '{') && (braces > 0 || depth <= 0)) {
			if (braces++ == 0)
				*ret_open = token.start;
		} else if (is(&token, '}') && braces > 0 && --braces == 0) {
			*ret_close = token.start;
			return true;
		}
	}
}

/* Whether the parentheses from the lexer's place on hold just the names of SOURCE's
 * parameters. */
static bool is_old_style(struct lexer lexer, const struct clang_declaration *source)
{
	struct token token;

	if (source->n_parts == 0)
		return false;
	for (size_t i = 0; i < source->n_parts; i++) {
		code_next(&lexer, &token);
		if (!source->parts[i].name[0] ||
		    !lex_is(&lexer, &token, source->parts[i].name))
			return false;
		code_next(&lexer, &token);
		if (!is(&token, i + 1 < source->n_parts ? ',' : ')'))
			return false;
	}
	return true;
}

enum macro_place declare_place(const struct declare_context *context,
			       const struct clang_declaration *source)
{
	const struct unit *unit = context->unit;
	struct lexer lexer;
	struct token token;
	long depth = 0;

	if (source->place != MACRO_PLACE_PROTOTYPE)
		return source->place;
	/* Which comes first behind its parameters. */
	lex_init(&lexer, unit->text, unit->len, text_offset(context, source->name_at));
	for (;;) {
		code_next(&lexer, &token);
		if (is(&token, '(') && depth == 0 && is_old_style(lexer, source))
			return MACRO_PLACE_FUNCTION;
		if (is(&token, '(') || is(&token, '['))
			depth++;
		else if (is(&token, ')') || is(&token, ']'))
			depth--;
		else if (is(&token, '{') && depth <= 0)
			return MACRO_PLACE_FUNCTION;
		else if (token.kind == TOKEN_END ||
			 ((is(&token, ';') || is(&token, ',')) && depth <= 0))
			return MACRO_PLACE_PROTOTYPE;
	}
}

void declare_bytes(const struct declare_context *context,
		   const struct clang_declaration *source, struct declaration *ret)
{
	const struct unit *unit = context->unit;
	size_t end = text_offset(context, source->end);

	ret->start = start_extend(unit, text_offset(context, source->start));
	ret->name = text_offset(context, source->name_at);
	switch (declare_place(context, source)) {
	case MACRO_PLACE_FUNCTION:
		if (braces_find(unit, ret->name, &ret->open, &ret->close)) {
			ret->end = ret->close + 1;
			return;
		}
		break;
	case MACRO_PLACE_STRUCT:
	case MACRO_PLACE_UNION:
	case MACRO_PLACE_ENUM:
		if (source->is_definition &&
		    braces_find(unit, text_offset(context, source->start), &ret->open,
				&ret->close) &&
		    ret->close + 1 > end)
			end = ret->close + 1;
		break;
	default: break;
	}
	ret->end = semicolon_end(unit, end);
}

bool declare_is_own(const struct declare_context *context, const struct clang_mark *mark,
		    size_t start)
{
	const struct attribute *attribute = &context->unit->scan.attributes[mark->attribute];
	size_t at =
		attribute->is_in_macro ? text_offset(context, mark->at) : attribute->list_end;
	struct lexer lexer;
	struct token token;

	/* Attributes are inherited from an earlier declaration of the same name. */
	lex_init(&lexer, context->unit->text, context->unit->len, at);
	for (;;) {
		code_next(&lexer, &token);
		if (token.kind == TOKEN_END || token.start >= start)
			return true;
		if (is(&token, ';') || is(&token, '{') || is(&token, '}'))
			return false;
	}
}

/* --- building a request -------------------------------------------------------------------
 */

struct builder {
	const struct declare_context *context;
	VECTOR(const struct clang_type *) sources; /* of the types, by index */
	VECTOR(struct macro_type) types;
	VECTOR(const struct attribute *) attributes; /* by id - 1 */
	VECTOR(const struct clang_mark *) marks;     /* the same; NULL for context */
};

static struct macro_attribute attribute_add(struct builder *builder, size_t index,
					    const struct clang_mark *mark)
{
	const struct attribute *attribute = &builder->context->unit->scan.attributes[index];
	uint32_t id = 0;

	for (size_t i = 0; i < builder->marks.n && mark; i++)
		if (builder->marks.items[i] == mark)
			id = (uint32_t)i + 1;
	if (!id) {
		*VECTOR_ADD(builder->context->arena, &builder->attributes) = attribute;
		*VECTOR_ADD(builder->context->arena, &builder->marks) = mark;
		id = (uint32_t)builder->attributes.n;
	}
	return (struct macro_attribute){ .id = id,
					 .ns = attribute->ns,
					 .name = attribute->name,
					 .n_values = attribute->n_values,
					 .values = attribute->values };
}

/* The attributes of SOURCE that are its own; of a part, START is the whole declaration's. */
static const struct macro_attribute *attributes_make(struct builder *builder,
						     const struct clang_declaration *source,
						     size_t start, size_t *ret_n)
{
	struct macro_attribute *all =
		memory_new(builder->context->arena, source->n_marks, sizeof *all);
	size_t n = 0;

	for (size_t i = 0; i < source->n_marks; i++)
		if (declare_is_own(builder->context, &source->marks[i], start))
			all[n++] = attribute_add(builder, source->marks[i].attribute,
						 &source->marks[i]);
	*ret_n = n;
	return all;
}

static const char *doc_of(const struct builder *builder,
			  const struct clang_declaration *source, bool is_part)
{
	const struct declare_context *context = builder->context;
	size_t start = start_extend(context->unit, text_offset(context, source->start));

	return declare_doc(context->unit, start,
			   is_part ? text_offset(context, source->end) : 0, context->arena);
}

static bool is_same_type(const struct clang_type *a, const struct clang_type *b)
{
	return a == b ||
	       (a->kind == b->kind && a->is_const == b->is_const &&
		a->definition == b->definition && strcmp(a->spelling, b->spelling) == 0 &&
		(!strstr(a->spelling, "{...}") || a->element == b->element));
}

static uint32_t type_add(struct builder *builder, const struct clang_type *source);

static void members_make(struct builder *builder, const struct clang_declaration *record,
			 struct macro_type *type)
{
	size_t start = text_offset(builder->context, record->start);
	struct macro_member *members =
		memory_new(builder->context->arena, record->n_parts, sizeof *members);

	for (size_t i = 0; i < record->n_parts; i++) {
		const struct clang_declaration *part = &record->parts[i];

		members[i] = (struct macro_member){
			.name = part->name,
			.type = type_add(builder, part->type),
			.offset_bits = part->offset_bits,
			.bits = part->bits,
			.doc = doc_of(builder, part, true),
		};
		members[i].attributes =
			attributes_make(builder, part, start, &members[i].n_attributes);
	}
	type->members = members;
	type->n_members = record->n_parts;
}

static void enumerators_make(struct builder *builder, const struct clang_declaration *record,
			     struct macro_type *type)
{
	size_t start = text_offset(builder->context, record->start);
	struct macro_enumerator *enumerators =
		memory_new(builder->context->arena, record->n_parts, sizeof *enumerators);

	for (size_t i = 0; i < record->n_parts; i++) {
		const struct clang_declaration *part = &record->parts[i];

		enumerators[i] = (struct macro_enumerator){
			.name = part->name,
			.value = part->value,
			.doc = doc_of(builder, part, true),
		};
		enumerators[i].attributes =
			attributes_make(builder, part, start, &enumerators[i].n_attributes);
	}
	type->enumerators = enumerators;
	type->n_enumerators = record->n_parts;
}

/* The index of SOURCE in the table, where it is put with all that it is made of. */
static uint32_t type_add(struct builder *builder, const struct clang_type *source)
{
	struct macro_type type = { 0 };
	size_t index;

	if (!source)
		return 0;
	for (size_t i = 0; i < builder->sources.n; i++)
		if (is_same_type(builder->sources.items[i], source))
			return (uint32_t)i + 1;
	if (builder->sources.n == DECLARE_TYPES_MAX)
		return 0;
	index = builder->sources.n;
	*VECTOR_ADD(builder->context->arena, &builder->sources) = source;
	type = (struct macro_type){
		.kind = source->kind,
		.spelling = source->spelling,
		.tag = source->tag,
		.size = source->size,
		.align = source->align,
		.is_const = source->is_const,
		.length = source->length,
		.is_flexible = source->is_flexible,
		.doc = "",
	};
	*VECTOR_ADD(builder->context->arena, &builder->types) = type;
	type.element = type_add(builder, source->element);
	if (source->definition) {
		const struct clang_declaration *record = source->definition;

		if (source->kind == MACRO_TYPE_KIND_ENUM)
			enumerators_make(builder, record, &type);
		else
			members_make(builder, record, &type);
		type.attributes =
			attributes_make(builder, record,
					text_offset(builder->context, record->start),
					&type.n_attributes);
		type.doc = doc_of(builder, record, false);
	}
	builder->types.items[index] = type;
	return (uint32_t)index + 1;
}

struct attribute_list {
	VECTOR(struct macro_attribute) all;
};

/* Those of SOURCE and of its parts; anonymous members' parts are its own. */
static void attributes_collect(struct builder *builder,
			       const struct clang_declaration *source, size_t start,
			       struct attribute_list *list)
{
	const struct macro_attribute *own;
	size_t n;

	own = attributes_make(builder, source, start, &n);
	for (size_t i = 0; i < n; i++)
		*VECTOR_ADD(builder->context->arena, &list->all) = own[i];
	for (size_t i = 0; i < source->n_parts; i++) {
		const struct clang_declaration *part = &source->parts[i];

		attributes_collect(builder, part, start, list);
		if (part->place == MACRO_PLACE_MEMBER && !part->name[0] && part->type &&
		    part->type->definition)
			attributes_collect(builder, part->type->definition, start, list);
	}
}

/*
 * A declaration of a header sees what its own file says: else it would be another question in
 * each file that includes it. OTHER and OWN are attributes.
 */
static bool is_around(const struct attribute *other, const struct attribute *own)
{
	return !own->is_in_header || (other->at.file && own->at.file &&
				      strcmp(other->at.file, own->at.file) == 0);
}

/* Of the namespaces that are ON the declaration, of its file, and not its own. */
static bool is_context(const struct builder *builder, const struct attribute_list *on,
		       const struct attribute *attribute)
{
	const struct attribute *own = builder->attributes.n ? builder->attributes.items[0] : NULL;

	if (attribute->is_in_macro || (own && !is_around(attribute, own)))
		return false;
	for (size_t i = 0; i < builder->attributes.n; i++)
		if (builder->attributes.items[i] == attribute)
			return false;
	for (size_t i = 0; i < on->all.n; i++)
		if (strcmp(on->all.items[i].ns, attribute->ns) == 0)
			return true;
	return false;
}

static bool is_service(const char *ns, const char *name)
{
	return strcmp(ns, "cell") == 0 && strcmp(name, "service") == 0;
}

/*
 * What stands for the whole file. A service whose state is a struct of the file is that of its
 * handlers that ask for no state, too, unless [[cell::service]]; says another.
 */
static void context_collect(struct builder *builder, const struct attribute_list *on,
			    size_t but_start, struct attribute_list *list)
{
	const struct scan *scan = &builder->context->unit->scan;
	bool has_service = false;

	for (size_t i = 0; i < scan->n_attributes; i++) {
		const struct attribute *a = &scan->attributes[i];

		if (!a->is_bare || a->list_start == but_start || !is_context(builder, on, a))
			continue;
		has_service |= is_service(a->ns, a->name);
		*VECTOR_ADD(builder->context->arena, &list->all) = attribute_add(builder, i, NULL);
	}
	for (size_t i = 0; but_start == SIZE_MAX && !has_service && i < scan->n_attributes; i++)
		if (!scan->attributes[i].is_bare &&
		    is_service(scan->attributes[i].ns, scan->attributes[i].name) &&
		    is_context(builder, on, &scan->attributes[i]))
			*VECTOR_ADD(builder->context->arena, &list->all) =
				attribute_add(builder, i, NULL);
}

static void request_fill(struct builder *builder, const struct macro_declaration *declaration,
			 const struct attribute_list *on,
			 const struct attribute_list *context, struct declaration *ret)
{
	ret->request = (struct macro_plan_request){
		.declaration = declaration,
		.n_types = builder->types.n,
		.types = builder->types.items,
		.n_attributes = on->all.n,
		.attributes = on->all.items,
		.n_context = context->all.n,
		.context = context->all.items,
		.target = builder->context->target,
		.program = "",
	};
	ret->attributes = builder->attributes.items;
	ret->n_attributes = builder->attributes.n;
}

static void parameters_make(struct builder *builder, const struct clang_declaration *source,
			    size_t start, struct macro_declaration *declaration)
{
	struct macro_parameter *parameters =
		memory_new(builder->context->arena, source->n_parts, sizeof *parameters);

	for (size_t i = 0; i < source->n_parts; i++) {
		parameters[i].name = source->parts[i].name;
		parameters[i].type = type_add(builder, source->parts[i].type);
		parameters[i].attributes = attributes_make(builder, &source->parts[i], start,
							   &parameters[i].n_attributes);
	}
	declaration->parameters = parameters;
	declaration->n_parameters = source->n_parts;
}

/* Where its members, enumerators or parameters stand. */
static void parts_place(const struct declare_context *context,
			const struct clang_declaration *source, struct declaration *ret)
{
	struct place *places = memory_new(context->arena, source->n_parts, sizeof *places);
	const char **names = memory_new(context->arena, source->n_parts, sizeof *names);

	for (size_t i = 0; i < source->n_parts; i++) {
		size_t at = text_offset(context, source->parts[i].name_at);

		names[i] = source->parts[i].name;
		places[i] =
			lines_place(&context->unit->scan.lines, at, at + strlen(names[i]));
	}
	ret->members = places;
	ret->member_names = names;
	ret->n_members = source->n_parts;
}

void declare_make(const struct declare_context *context,
		  const struct clang_declaration *source, struct declaration *ret)
{
	struct macro_declaration *declaration =
		memory_new(context->arena, 1, sizeof *declaration);
	size_t start = text_offset(context, source->start);
	struct attribute_list on = { 0 }, around = { 0 };
	struct builder builder = { .context = context };

	declare_bytes(context, source, ret);
	*declaration = (struct macro_declaration){
		.place = declare_place(context, source),
		.name = source->name,
		.is_variadic = source->is_variadic,
		.is_static = source->is_static,
		.is_inline = source->is_inline,
		.doc = declare_doc(context->unit, ret->start, 0, context->arena),
	};
	/* First, so that their ids are the lowest. */
	attributes_collect(&builder, source, start, &on);
	context_collect(&builder, &on, SIZE_MAX, &around);
	declaration->type = type_add(&builder, source->type);
	if (source->place == MACRO_PLACE_PROTOTYPE)
		parameters_make(&builder, source, start, declaration);
	request_fill(&builder, declaration, &on, &around, ret);
	parts_place(context, source, ret);
	ret->at = lines_place(&context->unit->scan.lines, ret->name,
			      ret->name + strlen(source->name));
	ret->is_in_header = lines_marker(&context->unit->scan.lines, ret->name)->depth > 0;
}

void declare_bare(const struct declare_context *context, const struct attribute *attributes,
		  size_t n, struct declaration *ret)
{
	struct macro_declaration *declaration =
		memory_new(context->arena, 1, sizeof *declaration);
	const struct attribute *all = context->unit->scan.attributes;
	struct attribute_list on = { 0 }, around = { 0 };
	struct builder builder = { .context = context };

	declaration->place = MACRO_PLACE_FILE;
	declaration->name = "";
	declaration->doc =
		declare_doc(context->unit, attributes->list_start, 0, context->arena);
	for (size_t i = 0; i < n; i++)
		*VECTOR_ADD(context->arena, &on.all) =
			attribute_add(&builder, (size_t)(attributes - all) + i, NULL);
	context_collect(&builder, &on, attributes->list_start, &around);
	request_fill(&builder, declaration, &on, &around, ret);
	ret->at = attributes->at;
	ret->is_in_header = attributes->is_in_header;
	ret->start = attributes->list_start;
	ret->end = attributes->list_end;
}
