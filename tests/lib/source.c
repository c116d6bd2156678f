#include "source.h"

#include <cell/cell.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPES_MAX 256
#define ITEMS_MAX 128
#define FIELDS_MAX 64

enum item_kind { ITEM_TEXT, ITEM_BARE, ITEM_STRUCT, ITEM_ENUM, ITEM_TYPEDEF, ITEM_FUNCTION };

struct item {
	enum item_kind kind;
	const char *name, *text, *doc;
	struct macro_attribute *attributes;
	size_t n_attributes;
	struct macro_declaration declaration;
	struct macro_kept kept[16];
	size_t n_kept;
	struct macro_kept_of kept_of;
	struct macro_plan_request request;
	char *kept_text;
};

struct source {
	const char *program;
	struct macro_type types[TYPES_MAX];
	const char *spellings[TYPES_MAX];
	size_t n_types;
	struct item items[ITEMS_MAX];
	size_t n_items;
	uint32_t last_id;
	const struct cell_macro_provider *more[4];
	size_t n_more;
	const char *untagged; /* the values of an enum without a tag */
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "source: %s\n", what);
	abort();
}

static void *take(size_t n, size_t size)
{
	void *at = calloc(n ? n : 1, size);

	must(at != NULL, "no memory");
	return at;
}

__attribute__((format(printf, 1, 2))) static char *format(const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	must(n >= 0, "no memory");
	return text;
}

static char *cut(const char *start, const char *end)
{
	while (start < end && isspace((unsigned char)*start))
		start++;
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	return format("%.*s", (int)(end - start), start);
}

struct source *source_new(const char *program)
{
	struct source *source = take(1, sizeof *source);

	source->program = program;
	return source;
}

/* --- types ---------------------------------------------------------------------------- */

static const struct {
	const char *name, *alias; /* of a typedef: what it stands for */
	enum macro_type_kind kind;
	uint64_t size;
} basic[] = {
	{ "void", NULL, MACRO_TYPE_KIND_VOID, 0 },
	{ "bool", NULL, MACRO_TYPE_KIND_BOOL, 1 },
	{ "char", NULL, MACRO_TYPE_KIND_CHAR, 1 },
	{ "signed char", NULL, MACRO_TYPE_KIND_SIGNED, 1 },
	{ "unsigned char", NULL, MACRO_TYPE_KIND_UNSIGNED, 1 },
	{ "short", NULL, MACRO_TYPE_KIND_SIGNED, 2 },
	{ "unsigned short", NULL, MACRO_TYPE_KIND_UNSIGNED, 2 },
	{ "int", NULL, MACRO_TYPE_KIND_SIGNED, 4 },
	{ "unsigned int", NULL, MACRO_TYPE_KIND_UNSIGNED, 4 },
	{ "long", NULL, MACRO_TYPE_KIND_SIGNED, 8 },
	{ "unsigned long", NULL, MACRO_TYPE_KIND_UNSIGNED, 8 },
	{ "long long", NULL, MACRO_TYPE_KIND_SIGNED, 8 },
	{ "float", NULL, MACRO_TYPE_KIND_FLOAT, 4 },
	{ "double", NULL, MACRO_TYPE_KIND_FLOAT, 8 },
	{ "long double", NULL, MACRO_TYPE_KIND_FLOAT, 16 },
	{ "__int128", NULL, MACRO_TYPE_KIND_SIGNED, 16 },
	{ "uint8_t", "unsigned char", MACRO_TYPE_KIND_TYPEDEF, 1 },
	{ "int16_t", "short", MACRO_TYPE_KIND_TYPEDEF, 2 },
	{ "int32_t", "int", MACRO_TYPE_KIND_TYPEDEF, 4 },
	{ "uint32_t", "unsigned int", MACRO_TYPE_KIND_TYPEDEF, 4 },
	{ "int64_t", "long", MACRO_TYPE_KIND_TYPEDEF, 8 },
	{ "uint64_t", "unsigned long", MACRO_TYPE_KIND_TYPEDEF, 8 },
	{ "size_t", "unsigned long", MACRO_TYPE_KIND_TYPEDEF, 8 },
	{ "ssize_t", "long", MACRO_TYPE_KIND_TYPEDEF, 8 },
	{ "time_t", "long", MACRO_TYPE_KIND_TYPEDEF, 8 },
};

static uint32_t type_new(struct source *source, const char *spelling)
{
	must(source->n_types < TYPES_MAX, "too many types");
	source->spellings[source->n_types] = spelling;
	source->types[source->n_types] = (struct macro_type){ .spelling = spelling, .tag = "",
							      .doc = "" };
	return (uint32_t)++source->n_types;
}

static uint32_t type_of(struct source *source, const char *spelling);

static uint32_t type_of_base(struct source *source, const char *spelling)
{
	uint32_t at, element = 0;

	for (size_t i = 0; i < sizeof basic / sizeof *basic; i++) {
		if (strcmp(basic[i].name, spelling) != 0)
			continue;
		if (basic[i].alias)
			element = type_of(source, basic[i].alias);
		at = type_new(source, spelling);
		source->types[at - 1].kind = basic[i].kind;
		source->types[at - 1].size = source->types[at - 1].align = (uint32_t)basic[i].size;
		source->types[at - 1].size = basic[i].size;
		source->types[at - 1].element = element;
		source->types[at - 1].tag = basic[i].alias ? spelling : "";
		return at;
	}
	must(strncmp(spelling, "struct ", 7) == 0 || strncmp(spelling, "union ", 6) == 0,
	     spelling);
	at = type_new(source, spelling); /* incomplete */
	source->types[at - 1].kind = spelling[0] == 's' ? MACRO_TYPE_KIND_STRUCT
							: MACRO_TYPE_KIND_UNION;
	source->types[at - 1].tag = strchr(spelling, ' ') + 1;
	if (spelling[0] == 'u') /* all are alike here */
		source->types[at - 1].size = source->types[at - 1].align = 4;
	return at;
}

static uint32_t type_of(struct source *source, const char *given)
{
	char *spelling = cut(given, given + strlen(given));
	size_t len = strlen(spelling);
	uint32_t at, element;

	for (size_t i = 0; i < source->n_types; i++)
		if (strcmp(source->spellings[i], spelling) == 0)
			return (uint32_t)i + 1;
	if (spelling[len - 1] == ']') {
		char *open = strrchr(spelling, '[');

		element = type_of(source, cut(spelling, open));
		at = type_new(source, spelling);
		source->types[at - 1].kind = MACRO_TYPE_KIND_ARRAY;
		source->types[at - 1].element = element;
		source->types[at - 1].length = strtoull(open + 1, NULL, 10);
		source->types[at - 1].is_flexible = open[1] == ']';
		source->types[at - 1].align = source->types[element - 1].align;
		source->types[at - 1].size = source->types[at - 1].length *
					     source->types[element - 1].size;
		return at;
	}
	if (spelling[len - 1] == '*') {
		element = type_of(source, cut(spelling, spelling + len - 1));
		at = type_new(source, spelling);
		source->types[at - 1].kind = MACRO_TYPE_KIND_POINTER;
		source->types[at - 1].element = element;
		source->types[at - 1].size = source->types[at - 1].align = 8;
		return at;
	}
	if (strncmp(spelling, "const ", 6) == 0 ||
	    (len > 6 && strcmp(spelling + len - 6, "*const") == 0)) {
		bool behind = spelling[0] != 'c' || (len > 6 && strcmp(spelling + len - 6, "*const") == 0);
		char *rest = behind ? cut(spelling, spelling + len - 5)
				    : cut(spelling + 6, spelling + len);

		element = type_of(source, rest);
		at = type_new(source, spelling);
		source->types[at - 1] = source->types[element - 1];
		source->types[at - 1].spelling = spelling;
		source->types[at - 1].is_const = true;
		return at;
	}
	return type_of_base(source, spelling);
}

/* --- attributes ------------------------------------------------------------------------ */

/* "ns::name(value, name = value), …"; values are strings, numbers, true, false, names. */
static struct macro_attribute *attributes_of(struct source *source, const char *text, size_t *ret_n)
{
	struct macro_attribute *attributes = take(8, sizeof *attributes);
	size_t n = 0;

	while (*text) {
		struct macro_attribute *one = &attributes[n++];
		const char *name = strstr(text, "::"), *end;
		struct macro_value *values = take(16, sizeof *values);

		must(name != NULL && n < 8, text);
		*one = (struct macro_attribute){ .id = ++source->last_id, .ns = cut(text, name),
						 .values = values };
		end = name + 2 + strspn(name + 2, "abcdefghijklmnopqrstuvwxyz_");
		one->name = cut(name + 2, end);
		text = end;
		if (*text == '(') {
			for (text++; *text != ')';) {
				struct macro_value *value = &values[one->n_values++];

				text += strspn(text, ", ");
				*value = (struct macro_value){ .name = "", .text = "" };
				end = text + strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
				if (end > text && end[strspn(end, " ")] == '=') {
					value->name = cut(text, end);
					text = end + strspn(end, " =");
				}
				if (*text == '"') {
					end = strchr(text + 1, '"');
					value->kind = MACRO_VALUE_KIND_STRING;
					value->text = format("%.*s", (int)(end - text - 1), text + 1);
					text = end + 1;
					continue;
				}
				end = text + strcspn(text, ",) ");
				value->text = cut(text, end);
				value->kind = MACRO_VALUE_KIND_IDENTIFIER;
				if (isdigit((unsigned char)*text) || *text == '-') {
					value->kind = MACRO_VALUE_KIND_INTEGER;
					value->integer = strtoll(text, NULL, 10);
				} else if (strcmp(value->text, "true") == 0 ||
					   strcmp(value->text, "false") == 0) {
					value->kind = MACRO_VALUE_KIND_BOOL;
					value->integer = *text == 't';
				}
				text = end;
			}
			text++;
		}
		text += strspn(text, ", ");
	}
	*ret_n = n;
	return attributes;
}

/* --- declarations ----------------------------------------------------------------------- */

static struct item *item_new(struct source *source, enum item_kind kind, const char *name)
{
	struct item *item = &source->items[source->n_items++];

	must(source->n_items <= ITEMS_MAX, "too many items");
	*item = (struct item){ .kind = kind, .name = name, .doc = "" };
	return item;
}

void source_text(struct source *source, const char *text)
{
	item_new(source, ITEM_TEXT, "")->text = text;
}

void source_bare(struct source *source, const char *attributes)
{
	struct item *item = item_new(source, ITEM_BARE, "");

	item->attributes = attributes_of(source, attributes, &item->n_attributes);
	item->declaration = (struct macro_declaration){ .place = MACRO_PLACE_FILE, .name = "",
							.doc = "" };
	item->text = "";
}

static char *commented(const char *doc, const char *text)
{
	return *doc ? format("/* %s */\n%s", doc, text) : format("%s", text);
}

/* One member, "[[attributes]] type name[n] : bits". Returns its text without attributes. */
static char *member_read(struct source *source, char *text, struct macro_member *member,
			 uint64_t *offset_bits)
{
	char *end, *name, *type, *bits = NULL, *plain, *array = NULL;

	*member = (struct macro_member){ .name = "", .doc = "" };
	if (strncmp(text, "//", 2) == 0) {
		end = strchr(text, '\n');
		member->doc = cut(text + 2, end);
		text = cut(end, end + strlen(end));
	}
	if (strncmp(text, "[[", 2) == 0) {
		end = strstr(text, "]]");
		member->attributes = attributes_of(source, cut(text + 2, end),
						   &member->n_attributes);
		text = cut(end + 2, text + strlen(text));
	}
	plain = format("%s", text);
	if ((bits = strchr(text, ':'))) {
		member->bits = (uint32_t)strtoul(bits + 1, NULL, 10);
		text = cut(text, bits);
	}
	if ((array = strchr(text, '[')))
		end = array;
	else
		end = text + strlen(text);
	for (name = end; name > text && (isalnum((unsigned char)name[-1]) || name[-1] == '_');)
		name--;
	member->name = cut(name, end);
	type = array ? format("%s%s", cut(text, name), array) : cut(text, name);
	member->type = type_of(source, type);
	if (!member->bits) {
		uint64_t align = 8ull * source->types[member->type - 1].align;

		*offset_bits = align ? (*offset_bits + align - 1) / align * align : *offset_bits;
	}
	member->offset_bits = *offset_bits;
	*offset_bits += member->bits ? member->bits : 8 * source->types[member->type - 1].size;
	return *member->doc ? format("\t/* %s */\n\t%s;\n", member->doc, plain)
			    : format("\t%s;\n", plain);
}

void source_struct(struct source *source, const char *doc, const char *attributes,
		   const char *tag, const char *members)
{
	struct item *item = item_new(source, ITEM_STRUCT, tag);
	struct macro_member *list = take(FIELDS_MAX, sizeof *list);
	const char *spelling = format("struct %s", tag);
	uint32_t at = type_of(source, spelling), align = 1;
	char *body = format("%s", "");
	uint64_t offset_bits = 0;
	size_t n = 0;

	item->attributes = attributes_of(source, attributes, &item->n_attributes);
	for (const char *end; (end = strchr(members, ';')); members = end + 1) {
		body = format("%s%s", body,
			      member_read(source, cut(members, end), &list[n], &offset_bits));
		if (source->types[list[n].type - 1].align > align)
			align = source->types[list[n].type - 1].align;
		must(++n < FIELDS_MAX, "too many members");
	}
	source->types[at - 1].size = ((offset_bits + 7) / 8 + align - 1) / align * align;
	source->types[at - 1].align = align;
	source->types[at - 1].members = list;
	source->types[at - 1].n_members = n;
	source->types[at - 1].attributes = item->attributes;
	source->types[at - 1].n_attributes = item->n_attributes;
	source->types[at - 1].doc = doc;
	for (size_t i = 0; i < source->n_types; i++) /* const, and named before */
		if (strcmp(source->spellings[i], format("const %s", spelling)) == 0) {
			source->types[i] = source->types[at - 1];
			source->types[i].spelling = source->spellings[i];
			source->types[i].is_const = true;
		}
	item->text = commented(doc, format("struct %s {\n%s};\n", tag, body));
	item->doc = doc;
	item->declaration = (struct macro_declaration){ .place = MACRO_PLACE_STRUCT, .name = tag,
							.type = at, .doc = doc };
}

void source_enum(struct source *source, const char *tag, const char *values)
{
	struct item *item = item_new(source, ITEM_ENUM, tag);
	struct macro_enumerator *list = take(FIELDS_MAX, sizeof *list);
	uint32_t at = type_new(source, *tag ? format("enum %s", tag) : "enum");
	int64_t next = 0;
	size_t n = 0;

	for (const char *from = values; *from;) {
		const char *end = from + strcspn(from, ","), *equals = memchr(from, '=', (size_t)(end - from));

		next = equals ? strtoll(equals + 1, NULL, 10) : next;
		list[n++] = (struct macro_enumerator){ .name = cut(from, equals ? equals : end),
						       .value = next++, .doc = "" };
		from = *end ? end + 1 : end;
	}
	source->types[at - 1].kind = MACRO_TYPE_KIND_ENUM;
	source->types[at - 1].tag = tag;
	source->types[at - 1].size = source->types[at - 1].align = 4;
	source->types[at - 1].enumerators = list;
	source->types[at - 1].n_enumerators = n;
	/* One without a tag is of use through a typedef alone, which then shows it. */
	source->types[at - 1].doc = "";
	item->text = *tag ? format("enum %s { %s };\n", tag, values) : "";
	if (!*tag)
		source->untagged = values;
}

void source_typedef(struct source *source, const char *old, const char *name)
{
	struct item *item = item_new(source, ITEM_TYPEDEF, name);
	uint32_t element = type_of(source, old), at = type_new(source, name);

	source->types[at - 1].kind = MACRO_TYPE_KIND_TYPEDEF;
	source->types[at - 1].tag = name;
	source->types[at - 1].element = element;
	source->types[at - 1].size = source->types[element - 1].size;
	source->types[at - 1].align = source->types[element - 1].align;
	item->text = strcmp(old, "enum") == 0
			     ? format("typedef enum { %s } %s;\n", source->untagged, name)
			     : format("typedef %s %s;\n", old, name);
}

void source_function(struct source *source, const char *doc, const char *attributes,
		     bool is_static, const char *name, const char *parameters, const char *body)
{
	struct item *item = item_new(source, ITEM_FUNCTION, name);
	struct macro_parameter *list = take(16, sizeof *list);
	const char *from = parameters;
	size_t n = 0;

	item->attributes = attributes_of(source, attributes, &item->n_attributes);
	while (*from) {
		const char *end = from + strcspn(from, ","), *start = end;

		while (start > from && (isalnum((unsigned char)start[-1]) || start[-1] == '_'))
			start--;
		list[n++] = (struct macro_parameter){ .name = cut(start, end),
						      .type = type_of(source, cut(from, start)) };
		from = *end ? end + 1 : end;
	}
	item->doc = doc;
	item->declaration = (struct macro_declaration){
		.place = MACRO_PLACE_FUNCTION, .name = name, .type = type_of(source, "int"),
		.n_parameters = n, .parameters = list, .is_static = is_static, .doc = doc,
	};
	item->text = commented(doc, format("%sint %s(%s)\n%s\n", is_static ? "static " : "", name,
					   parameters, body));
}

static struct item *item_find(struct source *source, const char *name)
{
	for (size_t i = 0; i < source->n_items; i++)
		if (strcmp(source->items[i].name, name) == 0 && source->items[i].n_attributes)
			return &source->items[i];
	must(false, name);
	return NULL;
}

void source_kept(struct source *source, const char *name, const char *key, const char *value)
{
	struct item *item = item_find(source, name);

	item->kept[item->n_kept++] = (struct macro_kept){ key, value };
}

/* --- requests ---------------------------------------------------------------------------- */

static const struct macro_plan_request *request_of(struct source *source, struct item *item)
{
	struct macro_attribute *all = take(ITEMS_MAX, sizeof *all);
	struct macro_attribute *context = take(ITEMS_MAX, sizeof *context);
	const struct macro_type *type = &source->types[item->declaration.type - 1];
	size_t n = item->n_attributes, n_context = 0;

	memcpy(all, item->attributes, n * sizeof *all);
	if (item->kind == ITEM_STRUCT)
		for (size_t i = 0; i < type->n_members; i++)
			for (size_t j = 0; j < type->members[i].n_attributes; j++)
				all[n++] = type->members[i].attributes[j];
	for (size_t i = 0; i < source->n_items; i++)
		for (size_t j = 0; source->items[i].kind == ITEM_BARE &&
				   j < source->items[i].n_attributes; j++)
			context[n_context++] = source->items[i].attributes[j];
	item->kept_of = (struct macro_kept_of){ "cell", item->n_kept, item->kept };
	item->request = (struct macro_plan_request){
		.declaration = &item->declaration, .n_types = source->n_types,
		.types = source->types, .n_attributes = n, .attributes = all,
		.n_context = n_context, .context = context,
		.n_kept = item->n_kept ? 1 : 0, .kept = &item->kept_of,
		.program = source->program,
		.target = &(const struct macro_target){ "x86_64-linux-gnu", 8, false },
	};
	return &item->request;
}

const struct macro_plan_request *source_request(struct source *source, const char *name)
{
	return request_of(source, item_find(source, name));
}

static const char *first_error(const struct macro_diagnostic *diagnostics, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text;

		if (diagnostics[i].severity != MACRO_DIAGNOSTIC_SEVERITY_ERROR)
			continue;
		text = format("%s", diagnostics[i].text);
		for (size_t j = 0; j < diagnostics[i].n_notes; j++)
			text = format("%s\nnote: %s", text, diagnostics[i].notes[j]);
		return text;
	}
	return NULL;
}

static char *replaced(const char *text, const char *what, const char *with)
{
	char *out = format("%s", "");
	const char *at;

	for (; (at = strstr(text, what)); text = at + strlen(what))
		out = format("%s%.*s%s", out, (int)(at - text), text, with);
	return format("%s%s", out, text);
}

void source_provider(struct source *source, const struct cell_macro_provider *provider)
{
	must(source->n_more < 4, "too many providers");
	source->more[source->n_more++] = provider;
}

/* What all providers made of one declaration. */
struct made {
	struct macro_piece pieces[64];
	size_t n;
};

/* The wrappers around ITEM, innermost first; the outermost is what the runtime calls. */
static char *wrapped(const struct item *item, const struct made *made)
{
	const char *next = item->name;
	char *out = format("%s", "");
	int64_t below = 1000;

	for (;;) {
		const struct macro_piece *best = NULL;

		for (size_t i = 0; i < made->n; i++)
			if (made->pieces[i].anchor == MACRO_ANCHOR_WRAP &&
			    made->pieces[i].phase < below &&
			    (!best || made->pieces[i].phase > best->phase))
				best = &made->pieces[i];
		if (!best)
			return out;
		out = format("%s\n%s", out, replaced(best->text, "$next$", next));
		next = best->symbol;
		below = best->phase;
	}
}

static bool is_on(const struct item *item, const char *ns)
{
	for (size_t i = 0; i < item->n_attributes; i++)
		if (strcmp(item->attributes[i].ns, ns) == 0)
			return true;
	return false;
}

static const char *ask(struct source *source, struct item *item, struct cell_call *call,
		       const struct cell_macro_provider *provider, void *self, struct made *made)
{
	const struct macro_plan_request *request = request_of(source, item);
	struct macro_go go = { .request = request };
	struct macro_generated_code code;
	struct macro_plan plan;
	const char *error;

	if (!is_on(item, provider->namespaces[0]))
		return NULL;
	if (cell_macro_plan(call, provider, self, request, &plan) < 0)
		return format("%s", cell_error(call)->text);
	error = first_error(plan.diagnostics, plan.n_diagnostics);
	if (error)
		return error;
	if (cell_macro_expand(call, provider, self, &go, NULL, NULL, &code) < 0)
		return format("%s", cell_error(call)->text);
	error = first_error(code.diagnostics, code.n_diagnostics);
	if (error)
		return error;
	must(made->n + code.n_pieces <= 64, "too many pieces");
	memcpy(&made->pieces[made->n], code.pieces, code.n_pieces * sizeof *code.pieces);
	made->n += code.n_pieces;
	item->kept_text = format("%s", item->kept_text ? item->kept_text : "");
	for (size_t i = 0; i < code.n_kept; i++)
		for (size_t j = 0; j < code.kept[i].n_kept; j++)
			item->kept_text = format("%s%s=%s\n", item->kept_text,
						 code.kept[i].kept[j].key,
						 code.kept[i].kept[j].value);
	return NULL;
}

static const char *expand_item(struct source *source, struct item *item, struct cell_call *call,
			       const struct cell_macro_provider *provider, void *self, char **text,
			       char **end, char **units)
{
	struct made *made = take(1, sizeof *made);
	const char *error = ask(source, item, call, provider, self, made);

	for (size_t i = 0; i < source->n_more && !error; i++)
		error = ask(source, item, call, source->more[i], NULL, made);
	if (error)
		return error;
	for (size_t i = 0; i < made->n; i++) {
		const struct macro_piece *piece = &made->pieces[i];

		if (piece->kind == MACRO_PIECE_KIND_UNIT)
			*units = format("%s%s\n", *units, piece->text);
		else if (piece->anchor == MACRO_ANCHOR_END)
			*end = format("%s%s\n", *end, piece->text);
		else if (piece->anchor != MACRO_ANCHOR_WRAP)
			*text = format("%s%s", *text, piece->text);
	}
	*text = format("%s%s\n", *text, wrapped(item, made));
	return NULL;
}

const char *source_expand(struct source *source, struct cell_call *call,
			  const struct cell_macro_provider *provider, void *self,
			  const char **ret_units)
{
	char *text = format("%s", ""), *end = format("%s", ""), *units = format("%s", "");

	for (size_t i = 0; i < source->n_items; i++) {
		struct item *item = &source->items[i];
		const char *error = NULL;

		text = format("%s%s\n", text, item->text);
		if (item->n_attributes)
			error = expand_item(source, item, call, provider, self, &text, &end,
					    &units);
		if (error) {
			*ret_units = error;
			return NULL;
		}
	}
	*ret_units = units;
	return format("%s%s", text, end);
}

const char *source_kept_text(struct source *source, const char *name)
{
	const char *text = item_find(source, name)->kept_text;

	return text ? text : "";
}
