/* Looking things up in a schema, the way people spell them. */
#include "schema.h"

#include "schema_index.h"

#include "../libcell/guess.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void *schema_index_find(const struct schema_index *index, const char *name)
{
	size_t low = 0, high = index->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, schema_index_name(index->items[middle]));

		if (order == 0)
			return index->items[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Equal but for case and underscores: "greet_many" is "GreetMany". */
static bool is_same_method(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == '_' || *a == '-')
			a++;
		while (*b == '_')
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
	}
}

/* Whether SUFFIX (LEN bytes) is NAME or the end of it after a dot, in any case. */
static bool is_end_of(const char *name, const char *suffix, size_t len)
{
	size_t n = strlen(name);

	return n >= len && strncasecmp(name + n - len, suffix, len) == 0 &&
	       (n == len || name[n - len - 1] == '.');
}

/* The nearest so far among names in any spelling. */
struct near {
	char word[GUESS_MAX + 1]; /* in snake case; "" if it is too long for a guess */
	const char *name;
	size_t distance;
};

static struct near near_begin(const char *word)
{
	struct near near = { .name = NULL };

	if (strlen(word) <= GUESS_MAX / 2)
		schema_snake(near.word, sizeof near.word, word);
	return near;
}

static void near_try(struct near *near, const char *name)
{
	struct guess guess = { .word = near->word };
	char spelled[GUESS_MAX + 2];

	guess_try(&guess, schema_snake(spelled, sizeof spelled, name));
	if (guess.best && (!near->name || guess.distance < near->distance)) {
		near->name = name;
		near->distance = guess.distance;
	}
}

/* LAST is what was typed of the method's own name; it is shown as commands spell it. */
static int method_absent(const struct schema *schema, const char *text, const char *last,
			 struct cell_error *err)
{
	struct near near = near_begin(last);
	char spelled[128];

	for (size_t i = 0; i < schema->private->services.n; i++) {
		const struct schema_service *s = schema->private->services.items[i];

		for (size_t k = 0; s->is_served && k < s->n_methods; k++)
			near_try(&near, s->methods[k].name);
	}
	if (!near.name)
		return cell_fail(err, CELL_NOT_FOUND, "no method '%.80s'", text);
	return cell_fail(err, CELL_NOT_FOUND, "no method '%.80s' (did you mean '%s'?)", text,
			 schema_snake(spelled, sizeof spelled, near.name));
}

void schema_set_common(struct schema *schema, const char *full_name)
{
	struct schema_service *service =
		schema_index_find(&schema->private->services, full_name);

	if (service)
		service->is_common = true;
}

/* Search the services that are common, or those that are not. 0 with *RET_METHOD NULL: none.
 */
static int method_search(const struct schema *schema, const char *text, bool is_common,
			 const struct schema_method **ret_method, struct cell_error *err)
{
	const char *cut = strrchr(text, '/') ? strrchr(text, '/') : strrchr(text, '.');
	const char *last = cut ? cut + 1 : text;
	const struct schema_method *found = NULL;

	for (size_t i = 0; i < schema->private->services.n; i++) {
		const struct schema_service *s = schema->private->services.items[i];

		if (!s->is_served || s->is_common != is_common ||
		    (cut && !is_end_of(s->name, text, (size_t)(cut - text))))
			continue;
		for (size_t k = 0; k < s->n_methods; k++) {
			if (!is_same_method(last, s->methods[k].name))
				continue;
			if (found)
				return cell_fail(err, CELL_INVALID_ARGUMENT,
						 "'%.60s' could be %.70s or %.70s", text,
						 found->full_name, s->methods[k].full_name);
			found = &s->methods[k];
		}
	}
	*ret_method = found;
	return 0;
}

int schema_find_method(const struct schema *schema, const char *text,
		       const struct schema_method **ret_method, struct cell_error *err)
{
	const char *cut = strrchr(text, '/') ? strrchr(text, '/') : strrchr(text, '.');
	const struct schema_method *found = NULL;
	int r = method_search(schema, text, false, &found, err);

	if (r == 0 && !found)
		r = method_search(schema, text, true, &found, err);
	if (r == 0 && !found)
		return method_absent(schema, text, cut ? cut + 1 : text, err);
	if (r == 0)
		*ret_method = found;
	return r;
}

const struct schema_method *schema_method(const struct schema *schema, const char *full_name)
{
	for (size_t i = 0; i < schema->private->services.n; i++) {
		const struct schema_service *s = schema->private->services.items[i];

		for (size_t k = 0; k < s->n_methods; k++)
			if (strcmp(s->methods[k].full_name, full_name) == 0)
				return &s->methods[k];
	}
	return NULL;
}

static int type_search(const struct schema_index *index, const char *text, const void **found,
		       struct near *near, struct cell_error *err)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < index->n; i++) {
		const char *name = schema_index_name(index->items[i]);
		const char *dot = strrchr(name, '.');

		near_try(near, dot ? dot + 1 : name);
		if (!is_end_of(name, text, len))
			continue;
		if (*found)
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "'%.60s' could be %.70s or %.70s", text,
					 schema_index_name(*found), name);
		*found = index->items[i];
	}
	return 0;
}

int schema_find_type(const struct schema *schema, const char *text,
		     struct schema_type_ref *ret_type, struct cell_error *err)
{
	const struct schema_private *private = schema->private;
	const struct schema_index *all[] = { &private->messages, &private->enums,
					     &private->services };
	const void *found[3] = { NULL, NULL, NULL };
	struct near near = near_begin(text);

	/* An exact full name is never ambiguous. */
	for (size_t i = 0; i < 3; i++) {
		found[i] = schema_index_find(all[i], text);
		if (found[i])
			goto out;
	}
	for (size_t i = 0; i < 3; i++) {
		const void *before = found[0] ? found[0] : found[1];
		int r = type_search(all[i], text, &found[i], &near, err);

		if (r < 0)
			return r;
		if (before && found[i] && before != found[i])
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "'%.60s' could be %.70s or %.70s", text,
					 schema_index_name(before),
					 schema_index_name(found[i]));
	}
	if (!found[0] && !found[1] && !found[2])
		return near.name
			       ? cell_fail(
					 err, CELL_NOT_FOUND,
					 "no message or enum '%.80s' (did you mean '%.80s'?)",
					 text, near.name)
			       : cell_fail(err, CELL_NOT_FOUND, "no message or enum '%.80s'",
					   text);
out:
	*ret_type = (struct schema_type_ref){ found[0], found[1], found[2] };
	return 0;
}

const struct schema_field *schema_field(const struct schema_message *message, uint32_t number)
{
	size_t low = 0, high = message->n_fields;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct schema_field *field = message->by_number[middle];

		if (field->number == number)
			return field;
		if (field->number > number)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct schema_field *schema_field_named(const struct schema_message *message,
					      const char *name)
{
	for (size_t i = 0; i < message->n_fields; i++)
		if (strcmp(message->fields[i].name, name) == 0)
			return &message->fields[i];
	for (size_t i = 0; i < message->n_fields; i++)
		if (strcmp(message->fields[i].json_name, name) == 0)
			return &message->fields[i];
	return NULL;
}

const char *schema_type_name(const struct schema_field *field)
{
	static const char *const names[] = {
		[SCHEMA_DOUBLE] = "double",     [SCHEMA_FLOAT] = "float",
		[SCHEMA_INT64] = "int64",       [SCHEMA_UINT64] = "uint64",
		[SCHEMA_INT32] = "int32",       [SCHEMA_FIXED64] = "fixed64",
		[SCHEMA_FIXED32] = "fixed32",   [SCHEMA_BOOL] = "bool",
		[SCHEMA_STRING] = "string",     [SCHEMA_BYTES] = "bytes",
		[SCHEMA_UINT32] = "uint32",     [SCHEMA_SFIXED32] = "sfixed32",
		[SCHEMA_SFIXED64] = "sfixed64", [SCHEMA_SINT32] = "sint32",
		[SCHEMA_SINT64] = "sint64",
	};

	if (field->message)
		return field->message->name;
	if (field->enumeration)
		return field->enumeration->name;
	return names[field->type];
}

unsigned schema_wire_type(enum schema_type type)
{
	switch (type) {
	case SCHEMA_DOUBLE:
	case SCHEMA_FIXED64:
	case SCHEMA_SFIXED64: return 1;
	case SCHEMA_STRING:
	case SCHEMA_BYTES:
	case SCHEMA_MESSAGE: return 2;
	case SCHEMA_FLOAT:
	case SCHEMA_FIXED32:
	case SCHEMA_SFIXED32: return 5;
	default: return 0;
	}
}

char *schema_snake(char *out, size_t size, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; name[i] && n + 2 < size; i++) {
		unsigned char c = (unsigned char)name[i];
		bool after_small =
			i && !isupper((unsigned char)name[i - 1]) && name[i - 1] != '_';
		bool before_small = i && isupper((unsigned char)name[i - 1]) &&
				    islower((unsigned char)name[i + 1]);

		/* "GetHTTPPage" is get_http_page. */
		if (isupper(c) && (after_small || before_small))
			out[n++] = '_';
		out[n++] = (char)tolower(c);
	}
	out[n] = '\0';
	return out;
}
