/* From JSON text to protobuf bytes; json_decode.c is the way back. */
#include "json.h"

#include "text.h"

#include "../libcell/guess.h"

#include <cell/codec.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text to values -------------------------------------------------------------- */

/*
 * What stands for an integer that jansson's 63 bits cannot hold: a string of this mark and
 * its digits. No sane text has a NUL in a string followed by a number of 19 digits.
 */
#define BIG_MARK      '\0'
#define BIG_MARK_JSON "\\u0000"

/*
 * A copy of TEXT in which integers of 19 digits and more are such strings. *RET_LEN bytes,
 * the caller's; NULL if there is no memory.
 */
static char *bigs_quote(const char *text, size_t len, size_t *ret_len)
{
	/* 19 digits become 19 + 8 bytes: less than twice as much. */
	char *out = malloc(2 * len + 1), *to = out;
	bool is_quoted = false;

	for (size_t i = 0; out && i < len;) {
		size_t n = 0;

		if (text[i] == '"')
			is_quoted = !is_quoted;
		if (is_quoted && text[i] == '\\' && i + 1 < len)
			*to++ = text[i++];
		if (!is_quoted && (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')))
			while (i + n < len && text[i + n] &&
			       strchr("0123456789+-.eE", text[i + n]))
				n++;
		if (n >= 19 && !memchr(text + i, '.', n) && !memchr(text + i, 'e', n) &&
		    !memchr(text + i, 'E', n)) {
			to += sprintf(to, "\"" BIG_MARK_JSON);
			memcpy(to, text + i, n);
			to += n;
			*to++ = '"';
		} else {
			n = n ? n : 1;
			memcpy(to, text + i, n);
			to += n;
		}
		i += n;
	}
	*ret_len = out ? (size_t)(to - out) : 0;
	return out;
}

int json_parse(json_t **ret_value, const char *text, size_t len, const char *name,
	       struct cell_error *err)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_error_t error;
	json_t *value = json_loadb(text, len, flags, &error);

	if (!value && json_error_code(&error) == json_error_numeric_overflow) {
		size_t quoted_len;
		char *quoted = bigs_quote(text, len, &quoted_len);

		if (!quoted)
			return cell_fail(err, -ENOMEM, "%s: no memory", name);
		value = json_loadb(quoted, quoted_len, flags, &error);
		free(quoted);
	}
	if (!value)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "%s:%d:%d: %s", name, error.line,
				 error.column, error.text);
	*ret_value = value;
	return 0;
}

/* ---- where in the request ------------------------------------------------------------ */

struct path {
	const struct path *up; /* NULL: the request itself */
	const char *name;      /* of a field, or NULL */
	const char *key;       /* of a map's entry, or NULL */
	size_t index;          /* of an item, if neither */
};

/* Write the path, cut to SIZE; returns OUT. */
static char *path_write(const struct path *path, char *out, size_t size)
{
	const struct path *way[2 * JSON_NESTING_MAX + 4];
	size_t n = 0, len = 0;

	for (; path && n < sizeof way / sizeof way[0]; path = path->up)
		way[n++] = path;
	out[0] = '\0';
	while (n-- && len < size - 1) {
		const struct path *step = way[n];
		const char *dot = step->up ? "." : "";

		if (step->name)
			len += (size_t)snprintf(out + len, size - len, "%s%s", dot,
						step->name);
		else if (step->key)
			len += (size_t)snprintf(out + len, size - len, "[\"%s\"]", step->key);
		else
			len += (size_t)snprintf(out + len, size - len, "[%zu]", step->index);
	}
	return out;
}

struct encoder {
	struct cell_error *err;
	uint8_t *bytes;
	size_t len;
	size_t size;
};

__attribute__((format(printf, 4, 5))) static int path_fail(struct encoder *e,
							   const struct path *path, int code,
							   const char *format, ...)
{
	char where[160], what[CELL_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof what, format, args);
	va_end(args);
	return cell_fail(e->err, code, "%s: %s", path_write(path, where, sizeof where), what);
}

static const char *kind_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "a list";
	case JSON_STRING: return "a string";
	case JSON_INTEGER:
	case JSON_REAL: return "a number";
	case JSON_NULL: return "null";
	default: return "true or false";
	}
}

static int kind_fail(struct encoder *e, const struct path *path, const char *wanted,
		     const json_t *value)
{
	return path_fail(e, path, CELL_INVALID_ARGUMENT, "wants %s, got %s", wanted,
			 kind_name(value));
}

/* ---- the bytes ------------------------------------------------------------------------ */

static uint8_t *room(struct encoder *e, size_t n)
{
	size_t wanted, size = e->size ? e->size : 256;
	uint8_t *bytes;

	if (__builtin_add_overflow(e->len, n, &wanted))
		return NULL;
	while (size < wanted)
		if (__builtin_mul_overflow(size, (size_t)2, &size))
			return NULL;
	if (size != e->size) {
		bytes = realloc(e->bytes, size);
		if (!bytes)
			return NULL;
		e->bytes = bytes;
		e->size = size;
	}
	return e->bytes + e->len;
}

static int no_memory(struct encoder *e)
{
	return cell_fail(e->err, -ENOMEM, "no memory for a message of more than %zu bytes",
			 e->len);
}

static int put_varint(struct encoder *e, uint64_t value)
{
	uint8_t *at = room(e, 10);

	if (!at)
		return no_memory(e);
	e->len += (size_t)(cell_encode_varint(at, value) - at);
	return 0;
}

static int put_fixed(struct encoder *e, uint64_t value, size_t n)
{
	uint8_t *at = room(e, n);

	if (!at)
		return no_memory(e);
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(value >> (8 * i));
	e->len += n;
	return 0;
}

static int put_bytes(struct encoder *e, const void *bytes, size_t len)
{
	int r = put_varint(e, len);
	uint8_t *at = r ? NULL : room(e, len);

	if (!at)
		return r ? r : no_memory(e);
	if (len)
		memcpy(at, bytes, len);
	e->len += len;
	return 0;
}

static int put_tag(struct encoder *e, uint32_t number, unsigned wire)
{
	return put_varint(e, (uint64_t)number << 3 | wire);
}

/* Put the length of what was written since START in front of it. */
static int close_at(struct encoder *e, size_t start)
{
	size_t len = e->len - start;
	unsigned n = cell_varint_size(len);

	if (!room(e, n))
		return no_memory(e);
	memmove(e->bytes + start + n, e->bytes + start, len);
	(void)cell_encode_varint(e->bytes + start, len);
	e->len += n;
	return 0;
}

/* ---- numbers ----------------------------------------------------------------------------
 */

/* An integer of either sign, before its type's range is known. */
struct integer {
	bool is_negative;
	uint64_t magnitude;
};

/* Digits with an optional minus; true and *RET if that is all of TEXT (LEN bytes). */
static bool integer_parse(const char *text, size_t len, struct integer *ret)
{
	struct integer integer = { .is_negative = len && *text == '-' };
	size_t i = integer.is_negative;

	if (i == len)
		return false;
	for (; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' ||
		    __builtin_mul_overflow(integer.magnitude, (uint64_t)10,
					   &integer.magnitude) ||
		    __builtin_add_overflow(integer.magnitude, (uint64_t)(text[i] - '0'),
					   &integer.magnitude))
			return false;
	}
	*ret = integer;
	return true;
}

static bool is_big(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && json_string_length(value) >= 20 && text[0] == BIG_MARK &&
	       (text[1] == '-' || (text[1] >= '0' && text[1] <= '9'));
}

/* 1 if VALUE is an integer (*RET), 0 if it is none, -1 if it is one beyond 64 bits. */
static int integer_get(const json_t *value, struct integer *ret)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (json_is_integer(value)) {
		json_int_t n = json_integer_value(value);

		*ret = (struct integer){ n < 0, n < 0 ? 0 - (uint64_t)n : (uint64_t)n };
		return 1;
	}
	if (json_is_real(value)) {
		double n = json_real_value(value), magnitude = n < 0 ? -n : n;

		/* 2^64 is a double, the largest integer is not; all doubles from here on are
		 * whole. */
		if (magnitude >= 18446744073709551616.0)
			return -1;
		if ((double)(uint64_t)magnitude != magnitude)
			return 0;
		*ret = (struct integer){ n < 0, (uint64_t)magnitude };
		return 1;
	}
	if (!text)
		return 0;
	if (is_big(value)) {
		text++;
		len--;
	}
	if (integer_parse(text, len, ret))
		return 1;
	return len > 19 && strspn(text + (*text == '-'), "0123456789") + (*text == '-') == len
		       ? -1
		       : 0;
}

/* The integer in VALUE as bits of 64, checked against MIN and MAX. */
static int integer_value(struct encoder *e, const struct path *path, const json_t *value,
			 const char *type, int64_t min, uint64_t max, uint64_t *ret)
{
	struct integer n = { 0 };
	int r = integer_get(value, &n);

	if (r == 0 && json_is_string(value))
		return path_fail(e, path, CELL_INVALID_ARGUMENT, "'%.60s' is no integer",
				 json_string_value(value));
	if (r == 0 && json_is_real(value))
		return path_fail(e, path, CELL_INVALID_ARGUMENT, "%g is no integer",
				 json_real_value(value));
	if (r == 0)
		return kind_fail(e, path, "an integer", value);
	if (r < 0 || (n.is_negative && n.magnitude > 0 - (uint64_t)min) ||
	    (!n.is_negative && n.magnitude > max))
		return path_fail(e, path, CELL_OUT_OF_RANGE,
				 "out of range: %s goes from %" PRId64 " to %" PRIu64, type,
				 min, max);
	*ret = n.is_negative ? 0 - n.magnitude : n.magnitude;
	return 0;
}

static int double_value(struct encoder *e, const struct path *path, const json_t *value,
			double *ret)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_number(value)) {
		*ret = json_number_value(value);
		return 0;
	}
	if (!text)
		return kind_fail(e, path, "a number", value);
	if (is_big(value))
		text++;
	if (strcmp(text, "NaN") == 0)
		*ret = (double)NAN;
	else if (strcmp(text, "Infinity") == 0)
		*ret = (double)INFINITY;
	else if (strcmp(text, "-Infinity") == 0)
		*ret = (double)-INFINITY;
	else if (!*text || strspn(text, "0123456789+-.eE") != strlen(text) ||
		 (*ret = strtod(text, &end), *end))
		return path_fail(e, path, CELL_INVALID_ARGUMENT, "'%.60s' is no number",
				 text);
	else if (isinf(*ret))
		return path_fail(e, path, CELL_OUT_OF_RANGE, "out of range: %.60s", text);
	return 0;
}

static int put_float(struct encoder *e, const struct path *path, const json_t *value,
		     bool is_double)
{
	double number = 0;
	int r = double_value(e, path, value, &number);

	if (r < 0)
		return r;
	if (is_double)
		return put_fixed(e, cell_double_bits(number), 8);
	if (isfinite(number) && isinf((float)number))
		return path_fail(e, path, CELL_OUT_OF_RANGE, "out of range: float goes to %g",
				 (double)FLT_MAX);
	return put_fixed(e, cell_float_bits((float)number), 4);
}

/* ---- values
 * ---------------------------------------------------------------------------------- */

static int enum_value(struct encoder *e, const struct path *path,
		      const struct schema_enum *type, const json_t *value, uint64_t *ret)
{
	const char *text = json_string_value(value);
	struct guess guess = { .word = text ? text : "" };
	struct integer n;

	if (!text || is_big(value) || integer_parse(text, strlen(text), &n))
		return integer_value(e, path, value, "an enum", INT32_MIN, INT32_MAX, ret);
	for (size_t i = 0; i < type->n_values; i++) {
		if (strcmp(type->values[i].name, text) == 0) {
			*ret = (uint64_t)(int64_t)type->values[i].number;
			return 0;
		}
		guess_try(&guess, type->values[i].name);
	}
	if (guess.best)
		return path_fail(e, path, CELL_INVALID_ARGUMENT,
				 "no such value of %s: '%.60s' (did you mean \"%s\"?)",
				 type->short_name, text, guess.best);
	return path_fail(e, path, CELL_INVALID_ARGUMENT, "no such value of %s: '%.60s'",
			 type->short_name, text);
}

static int put_base64(struct encoder *e, const struct path *path, const json_t *value)
{
	size_t len = json_string_length(value), n = 0;
	uint8_t *bytes = malloc(len / 4 * 3 + 3);
	int r;

	if (!bytes)
		return no_memory(e);
	if (text_base64_decode(bytes, &n, json_string_value(value), len))
		r = put_bytes(e, bytes, n);
	else
		r = path_fail(e, path, CELL_INVALID_ARGUMENT,
			      "bytes are written in base64; this is none");
	free(bytes);
	return r;
}

static uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static int put_integer(struct encoder *e, const struct path *path,
		       const struct schema_field *field, const json_t *value)
{
	static const struct {
		int64_t min;
		uint64_t max;
	} ranges[] = {
		[SCHEMA_INT64] = { INT64_MIN, INT64_MAX },
		[SCHEMA_UINT64] = { 0, UINT64_MAX },
		[SCHEMA_INT32] = { INT32_MIN, INT32_MAX },
		[SCHEMA_FIXED64] = { 0, UINT64_MAX },
		[SCHEMA_FIXED32] = { 0, UINT32_MAX },
		[SCHEMA_UINT32] = { 0, UINT32_MAX },
		[SCHEMA_SFIXED32] = { INT32_MIN, INT32_MAX },
		[SCHEMA_SFIXED64] = { INT64_MIN, INT64_MAX },
		[SCHEMA_SINT32] = { INT32_MIN, INT32_MAX },
		[SCHEMA_SINT64] = { INT64_MIN, INT64_MAX },
	};
	unsigned wire = schema_wire_type(field->type);
	uint64_t n = 0;
	int r = integer_value(e, path, value, schema_type_name(field),
			      ranges[field->type].min, ranges[field->type].max, &n);

	if (r < 0)
		return r;
	if (wire)
		return put_fixed(e, n, wire == 1 ? 8 : 4);
	if (field->type == SCHEMA_SINT32 || field->type == SCHEMA_SINT64)
		n = zigzag((int64_t)n);
	return put_varint(e, n);
}

/* One scalar without its tag. */
static int put_scalar(struct encoder *e, const struct path *path,
		      const struct schema_field *field, const json_t *value)
{
	uint64_t number = 0;
	int r;

	switch (field->type) {
	case SCHEMA_DOUBLE:
	case SCHEMA_FLOAT: return put_float(e, path, value, field->type == SCHEMA_DOUBLE);
	case SCHEMA_BOOL:
		if (!json_is_boolean(value))
			return kind_fail(e, path, "true or false", value);
		return put_varint(e, json_is_true(value));
	case SCHEMA_STRING:
		if (!json_is_string(value) || is_big(value))
			return is_big(value) ? path_fail(e, path, CELL_INVALID_ARGUMENT,
							 "wants a string, got a number")
					     : kind_fail(e, path, "a string", value);
		return put_bytes(e, json_string_value(value), json_string_length(value));
	case SCHEMA_BYTES:
		if (!json_is_string(value))
			return kind_fail(e, path, "a string of base64", value);
		return put_base64(e, path, value);
	case SCHEMA_ENUM:
		r = enum_value(e, path, field->enumeration, value, &number);
		return r ? r : put_varint(e, number);
	default: return put_integer(e, path, field, value);
	}
}

static int put_message(struct encoder *e, const struct path *path, unsigned depth,
		       const struct schema_message *type, const json_t *value);

/* One value of FIELD with its tag. */
static int put_one(struct encoder *e, const struct path *path, unsigned depth,
		   const struct schema_field *field, const json_t *value)
{
	size_t start;
	int r = put_tag(e, field->number, schema_wire_type(field->type));

	if (r < 0 || field->type != SCHEMA_MESSAGE)
		return r < 0 ? r : put_scalar(e, path, field, value);
	start = e->len;
	r = put_message(e, path, depth + 1, field->message, value);
	return r < 0 ? r : close_at(e, start);
}

static int put_list(struct encoder *e, const struct path *path, unsigned depth,
		    const struct schema_field *field, const json_t *list)
{
	size_t start = 0, n = json_array_size(list);
	int r = 0;

	if (!json_is_array(list))
		return kind_fail(e, path, "a list", list);
	if (field->is_packed && n) {
		r = put_tag(e, field->number, 2);
		start = e->len;
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct path item = { .up = path, .index = i };
		const json_t *value = json_array_get(list, i);

		if (json_is_null(value))
			return path_fail(e, &item, CELL_INVALID_ARGUMENT,
					 "null cannot be in a list");
		r = field->is_packed ? put_scalar(e, &item, field, value)
				     : put_one(e, &item, depth, field, value);
	}
	return r == 0 && field->is_packed && n ? close_at(e, start) : r;
}

/* JSON has only strings for keys; the field's type says what they mean. */
static int put_key(struct encoder *e, const struct path *path, const struct schema_field *key,
		   const char *text, size_t len)
{
	json_t *value;
	int r;

	if (key->type == SCHEMA_BOOL && strcmp(text, "true") != 0 &&
	    strcmp(text, "false") != 0)
		return path_fail(e, path, CELL_INVALID_ARGUMENT,
				 "the key must be true or false");
	value = key->type == SCHEMA_BOOL ? json_boolean(*text == 't')
					 : json_stringn(text, len);
	if (!value)
		return no_memory(e);
	r = put_tag(e, 1, schema_wire_type(key->type));
	r = r ? r : put_scalar(e, path, key, value);
	json_decref(value);
	return r;
}

static int put_map(struct encoder *e, const struct path *path, unsigned depth,
		   const struct schema_field *field, const json_t *map)
{
	const struct schema_message *entry = field->message;
	const char *key;
	json_t *value;
	size_t len;

	if (!json_is_object(map))
		return kind_fail(e, path, "an object", map);
	json_object_keylen_foreach((json_t *)(uintptr_t)map, key, len, value)
	{
		const struct path at = { .up = path, .key = key };
		size_t start;
		int r = put_tag(e, field->number, 2);

		if (json_is_null(value))
			return path_fail(e, &at, CELL_INVALID_ARGUMENT,
					 "null cannot be in a map");
		start = e->len;
		r = r ? r : put_key(e, &at, entry->by_number[0], key, len);
		r = r ? r : put_one(e, &at, depth, entry->by_number[1], value);
		r = r ? r : close_at(e, start);
		if (r)
			return r;
	}
	return 0;
}

/* Timestamp and Duration: seconds and nanoseconds, spelled as one string. */
static int put_time(struct encoder *e, const struct path *path,
		    const struct schema_message *type, const json_t *value)
{
	const char *text = json_string_value(value);
	int64_t seconds = 0;
	int32_t nanos = 0;
	bool is_right;
	int r = 0;

	if (!text)
		return kind_fail(e, path, "a string", value);
	is_right = type->special == SCHEMA_TIMESTAMP
			   ? text_timestamp_read(&seconds, &nanos, text)
			   : text_duration_read(&seconds, &nanos, text);
	if (!is_right)
		return path_fail(e, path, CELL_INVALID_ARGUMENT,
				 "'%.60s' is no %s, such as \"%s\"", text,
				 type->special == SCHEMA_TIMESTAMP ? "time" : "duration",
				 type->special == SCHEMA_TIMESTAMP ? "2031-05-06T07:08:09Z"
								   : "1.5s");
	if (seconds)
		r = put_tag(e, 1, 0) ?: put_varint(e, (uint64_t)seconds);
	if (r == 0 && nanos)
		r = put_tag(e, 2, 0) ?: put_varint(e, (uint64_t)(int64_t)nanos);
	return r;
}

static int field_absent(struct encoder *e, const struct path *path,
			const struct schema_message *type, const char *name)
{
	struct guess guess = { .word = name };
	const struct path at = { .up = path, .name = name };

	for (size_t i = 0; i < type->n_fields; i++)
		guess_try(&guess, type->fields[i].name);
	for (size_t i = 0; i < type->n_fields; i++)
		guess_try(&guess, type->fields[i].json_name);
	if (guess.best)
		return path_fail(e, &at, CELL_INVALID_ARGUMENT,
				 "no such field (did you mean \"%s\"?)", guess.best);
	if (type->n_fields == 0)
		return path_fail(e, &at, CELL_INVALID_ARGUMENT, "no such field; %s has none",
				 type->short_name);
	return path_fail(e, &at, CELL_INVALID_ARGUMENT, "no such field in %s",
			 type->short_name);
}

/* Refuses a second value for FIELD, under its other name or by its oneof. */
static int field_is_free(struct encoder *e, const struct path *path,
			 const struct schema_message *type, const struct schema_field *field,
			 const json_t *object, const char *name)
{
	const char *other = strcmp(name, field->name) == 0 ? field->json_name : field->name;

	if (strcmp(other, name) != 0 && json_object_get(object, other) &&
	    schema_field_named(type, other) == field)
		return path_fail(e, path, CELL_INVALID_ARGUMENT,
				 "given twice, as '%s' and '%s'", name, other);
	for (size_t i = 0; field->oneof && i < type->n_fields; i++) {
		const struct schema_field *rival = &type->fields[i];
		const json_t *value;

		if (rival->oneof != field->oneof || rival == field)
			continue;
		value = json_object_get(object, rival->name)
				?: json_object_get(object, rival->json_name);
		if (value && !json_is_null(value))
			return path_fail(e, path, CELL_INVALID_ARGUMENT,
					 "only one of '%s' and '%s' may be set (oneof %s)",
					 field->name, rival->name, field->oneof->name);
	}
	return 0;
}

static int put_message(struct encoder *e, const struct path *path, unsigned depth,
		       const struct schema_message *type, const json_t *value)
{
	const char *name;
	json_t *member;

	if (depth > JSON_NESTING_MAX)
		return path_fail(e, path, CELL_INVALID_ARGUMENT,
				 "messages nest more than %d deep", JSON_NESTING_MAX);
	if (type->special == SCHEMA_TIMESTAMP || type->special == SCHEMA_DURATION)
		return put_time(e, path, type, value);
	if (type->special == SCHEMA_WRAPPER)
		return put_one(e, path, depth, &type->fields[0], value);
	if (!json_is_object(value))
		return kind_fail(e, path, "an object", value);
	json_object_foreach((json_t *)(uintptr_t)value, name, member)
	{
		const struct schema_field *field = schema_field_named(type, name);
		const struct path at = { .up = path, .name = name };
		int r;

		if (!field)
			return field_absent(e, path, type, name);
		if (json_is_null(member))
			continue;
		r = field_is_free(e, &at, type, field, value, name);
		if (r == 0)
			r = field->is_map        ? put_map(e, &at, depth, field, member)
			    : field->is_repeated ? put_list(e, &at, depth, field, member)
						 : put_one(e, &at, depth, field, member);
		if (r < 0)
			return r;
	}
	return 0;
}

int json_to_bytes(const struct schema_message *type, const json_t *value, const char *name,
		  struct cell_arena *arena, const uint8_t **ret_bytes, size_t *ret_len,
		  struct cell_error *err)
{
	const struct path path = { .name = name };
	struct encoder e = { .err = err };
	int r = put_message(&e, &path, 0, type, value);
	uint8_t *bytes = r < 0 ? NULL : cell_arena_alloc(arena, e.len);

	if (bytes) {
		if (e.len)
			memcpy(bytes, e.bytes, e.len);
		*ret_bytes = bytes;
		*ret_len = e.len;
	} else if (r == 0) {
		r = no_memory(&e);
	}
	free(e.bytes);
	return r;
}
