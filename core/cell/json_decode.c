/* From protobuf bytes to JSON values, and examples of messages. */
#include "json.h"

#include "text.h"

#include <cell/codec.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Messages of examples go this deep, so that one that contains itself ends. */
#define EXAMPLE_NESTING_MAX 3

struct decoder {
	struct cell_error *err;
	const char *name;
	unsigned flags;
	unsigned values; /* made so far, and room given to fields */
};

/* What has come of one field so far. */
struct slot {
	json_t *value;
	uint8_t *bytes; /* of a message: all its pieces, as one that comes in parts is merged
			 */
	size_t len;
	size_t size;
	bool is_set;
};

static int no_memory(struct decoder *d)
{
	return cell_fail(d->err, -ENOMEM, "%s: no memory", d->name);
}

static int broken(struct decoder *d, const struct schema_message *type,
		  const struct schema_field *field, const char *why)
{
	return field ? cell_fail(d->err, -EPROTO, "%s: %.80s.%.60s: %s", d->name, type->name,
				 field->name, why)
		     : cell_fail(d->err, -EPROTO, "%s: %.80s: %s", d->name, type->name, why);
}

static int charge(struct decoder *d, size_t n)
{
	if (n > JSON_VALUES_MAX - d->values)
		return cell_fail(d->err, -EMSGSIZE, "%s: more than %u values", d->name,
				 JSON_VALUES_MAX);
	d->values += (unsigned)n;
	return 0;
}

/* ---- scalars ------------------------------------------------------------------------ */

/* JavaScript's numbers do not hold these, so they travel as text. */
static json_t *signed_text(int64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%" PRId64, value);
	return json_string(text);
}

static json_t *unsigned_text(uint64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%" PRIu64, value);
	return json_string(text);
}

static json_t *real(double value)
{
	if (isnan(value))
		return json_string("NaN");
	if (isinf(value))
		return json_string(value < 0 ? "-Infinity" : "Infinity");
	return json_real(value);
}

static json_t *enum_name(const struct schema_enum *type, int32_t number)
{
	for (size_t i = 0; i < type->n_values; i++)
		if (type->values[i].number == number)
			return json_string(type->values[i].name);
	return json_integer(number);
}

static json_t *base64(const uint8_t *bytes, size_t len)
{
	char *text = malloc(TEXT_BASE64_SIZE(len));
	json_t *value;

	if (!text)
		return NULL;
	text_base64_encode(text, bytes, len);
	value = json_string_nocheck(text);
	free(text);
	return value;
}

static int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

/* The value that BITS stand for; NULL if there is no memory. Not for strings and bytes. */
static json_t *scalar(const struct schema_field *field, uint64_t bits)
{
	uint32_t low = (uint32_t)bits;
	double number;
	float single;

	switch (field->type) {
	case SCHEMA_DOUBLE: memcpy(&number, &bits, sizeof number); return real(number);
	case SCHEMA_FLOAT:
		memcpy(&single, &low, sizeof single);
		return real(isfinite(single) ? text_float_as_double(single) : (double)single);
	case SCHEMA_INT64:
	case SCHEMA_SFIXED64: return signed_text((int64_t)bits);
	case SCHEMA_SINT64: return signed_text(unzigzag(bits));
	case SCHEMA_UINT64:
	case SCHEMA_FIXED64: return unsigned_text(bits);
	case SCHEMA_INT32:
	case SCHEMA_SFIXED32: return json_integer((int32_t)low);
	case SCHEMA_SINT32: return json_integer((int32_t)(low >> 1 ^ (0 - (low & 1))));
	case SCHEMA_UINT32:
	case SCHEMA_FIXED32: return json_integer(low);
	case SCHEMA_BOOL: return json_boolean(bits != 0);
	case SCHEMA_ENUM: return enum_name(field->enumeration, (int32_t)low);
	default: return NULL;
	}
}

/* One scalar's bits at AT; NULL if they are cut short. */
static const uint8_t *bits_read(enum schema_type type, const uint8_t *at, const uint8_t *end,
				uint64_t *ret_bits)
{
	struct cell_varint varint;
	uint32_t small = 0;

	switch (schema_wire_type(type)) {
	case 1: return cell_decode_fixed64(at, end, ret_bits);
	case 5:
		at = cell_decode_fixed32(at, end, &small);
		*ret_bits = small;
		return at;
	default:
		varint = cell_decode_varint(at, end);
		*ret_bits = varint.value;
		return varint.at;
	}
}

/* The default of a field without presence, or of a wrapper's member. */
static json_t *default_value(const struct schema_field *field)
{
	if (field->is_map)
		return json_object();
	if (field->is_repeated)
		return json_array();
	if (field->type == SCHEMA_STRING || field->type == SCHEMA_BYTES)
		return json_string("");
	if (field->type == SCHEMA_MESSAGE)
		return json_null();
	if (field->type == SCHEMA_ENUM)
		return json_string(field->enumeration->values[0].name);
	return scalar(field, 0);
}

/* ---- fields ---------------------------------------------------------------------------- */

static int decode_message(struct decoder *d, const struct schema_message *type,
			  unsigned depth, const uint8_t *at, const uint8_t *end,
			  json_t **ret);

/* Put VALUE, which it takes, into the slot: at the end of a list, or over what was there. */
static int slot_put(struct decoder *d, const struct schema_field *field, struct slot *slot,
		    json_t *value)
{
	if (!value)
		return no_memory(d);
	if (!field->is_repeated) {
		json_decref(slot->value);
		slot->value = value;
		return 0;
	}
	if (!slot->value)
		slot->value = json_array();
	return json_array_append_new(slot->value, value) < 0 ? no_memory(d) : 0;
}

/* A string or bytes field: its value, and whether it is empty. */
static int text_value(struct decoder *d, const struct schema_message *type,
		      const struct schema_field *field, const uint8_t *at, size_t len,
		      json_t **ret)
{
	if (field->type == SCHEMA_BYTES) {
		*ret = base64(at, len);
		return *ret ? 0 : no_memory(d);
	}
	*ret = json_stringn((const char *)at, len);
	return *ret ? 0 : broken(d, type, field, "not UTF-8 text");
}

/* A message field that has come before goes on: protobuf merges the two. */
static int slot_merge(struct decoder *d, struct slot *slot, const uint8_t *at, size_t len)
{
	size_t wanted = slot->len + len, size = slot->size ? slot->size : 64;

	while (size < wanted)
		size *= 2;
	if (size != slot->size) {
		uint8_t *bytes = realloc(slot->bytes, size);

		if (!bytes)
			return no_memory(d);
		slot->bytes = bytes;
		slot->size = size;
	}
	if (len)
		memcpy(slot->bytes + slot->len, at, len);
	slot->len = wanted;
	return 0;
}

/* The text that stands for a map's key. */
static const char *key_text(const json_t *key, char out[32])
{
	if (json_is_string(key))
		return json_string_value(key);
	if (json_is_integer(key)) {
		(void)snprintf(out, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(key));
		return out;
	}
	return json_is_true(key) ? "true" : "false";
}

static bool object_put(json_t *object, const json_t *key, json_t *value)
{
	char number[32];
	const char *text = key_text(key, number);
	size_t len = json_is_string(key) ? json_string_length(key) : strlen(text);

	return json_object_setn(object, text, len, value) == 0;
}

static int map_put(struct decoder *d, const struct schema_field *field, unsigned depth,
		   const uint8_t *at, const uint8_t *end, struct slot *slot)
{
	const struct schema_field *key = field->message->by_number[0];
	const struct schema_field *value = field->message->by_number[1];
	json_t *entry = NULL, *k, *v;
	int r;

	/* Both members, be they default or not. */
	r = decode_message(d, field->message, depth + 1, at, end, &entry);
	if (r < 0)
		return r;
	k = json_object_get(entry, key->json_name);
	v = json_object_get(entry, value->json_name);
	k = k ? json_incref(k) : default_value(key);
	if (v)
		json_incref(v);
	else if (value->type == SCHEMA_MESSAGE)
		r = decode_message(d, value->message, depth + 1, end, end, &v);
	else
		v = default_value(value);
	json_decref(entry);
	if (!slot->value)
		slot->value = json_object();
	if (r == 0 && (!k || !v || !slot->value || !object_put(slot->value, k, v)))
		r = no_memory(d);
	json_decref(k);
	json_decref(v);
	return r;
}

/* What follows a tag of wire type 2 for FIELD, from AT to END. */
static int field_bytes(struct decoder *d, const struct schema_message *type,
		       const struct schema_field *field, unsigned depth, const uint8_t *at,
		       const uint8_t *end, struct slot *slot)
{
	json_t *value = NULL;
	uint64_t bits;
	int r;

	if (field->is_map)
		return map_put(d, field, depth, at, end, slot);
	if (field->type == SCHEMA_MESSAGE && !field->is_repeated)
		return slot_merge(d, slot, at, (size_t)(end - at));
	if (field->type == SCHEMA_MESSAGE) {
		r = decode_message(d, field->message, depth + 1, at, end, &value);
		return r < 0 ? r : slot_put(d, field, slot, value);
	}
	if (field->type == SCHEMA_STRING || field->type == SCHEMA_BYTES) {
		r = text_value(d, type, field, at, (size_t)(end - at), &value);
		if (r < 0)
			return r;
		/* An empty one is as good as none where absence cannot be told. */
		slot->is_set = field->has_presence || field->is_repeated || at < end;
		return slot_put(d, field, slot, value);
	}
	/* Packed. */
	while (at < end) {
		at = bits_read(field->type, at, end, &bits);
		if (!at)
			return broken(d, type, field, "its items are cut short");
		r = charge(d, 1);
		r = r ? r : slot_put(d, field, slot, scalar(field, bits));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Another member of the same oneof is no longer what is set. */
static void oneof_clear(const struct schema_message *type, const struct schema_field *field,
			struct slot *slots)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		if (type->fields[i].oneof != field->oneof || &type->fields[i] == field)
			continue;
		json_decref(slots[i].value);
		slots[i].value = NULL;
		slots[i].len = 0;
		slots[i].is_set = false;
	}
}

static bool is_zero(const struct schema_field *field, uint64_t bits)
{
	if (field->type == SCHEMA_ENUM)
		return (int32_t)bits == field->enumeration->values[0].number &&
		       (uint32_t)bits == 0;
	return schema_wire_type(field->type) == 0 && field->type != SCHEMA_INT64 &&
			       field->type != SCHEMA_UINT64 && field->type != SCHEMA_SINT64 &&
			       field->type != SCHEMA_BOOL
		       ? (uint32_t)bits == 0
		       : bits == 0;
}

/* One field with its tag read; returns where the next begins, NULL with *RET_R set. */
static const uint8_t *field_read(struct decoder *d, const struct schema_message *type,
				 const struct schema_field *field, uint32_t tag,
				 unsigned depth, const uint8_t *at, const uint8_t *end,
				 struct slot *slots, int *ret_r)
{
	struct slot *slot = &slots[field - type->fields];
	const uint8_t *stop = NULL;
	struct cell_decoder length;
	uint64_t bits = 0;

	*ret_r = charge(d, 1);
	if (*ret_r)
		return NULL;
	if (field->oneof)
		oneof_clear(type, field, slots);
	slot->is_set = true;
	if ((tag & 7) == 2) {
		cell_decode_begin(&length, 0, NULL, NULL);
		at = cell_decode_length(&length, at, end, &stop);
		if (!at) {
			*ret_r = broken(d, type, field, "it is cut short");
			return NULL;
		}
		*ret_r = field_bytes(d, type, field, depth, at, stop, slot);
		return *ret_r ? NULL : stop;
	}
	at = bits_read(field->type, at, end, &bits);
	if (!at) {
		*ret_r = broken(d, type, field, "it is cut short");
		return NULL;
	}
	slot->is_set = field->has_presence || field->is_repeated || !is_zero(field, bits);
	*ret_r = slot_put(d, field, slot, scalar(field, bits));
	return *ret_r ? NULL : at;
}

/* Whether a field may come with WIRE: its own, or packed. */
static bool is_wire_right(const struct schema_field *field, unsigned wire)
{
	return wire == schema_wire_type(field->type) || (wire == 2 && field->is_repeated);
}

static int fields_read(struct decoder *d, const struct schema_message *type, unsigned depth,
		       const uint8_t *at, const uint8_t *end, struct slot *slots)
{
	struct cell_decoder skip;
	int r = 0;

	cell_decode_begin(&skip, 0, NULL, NULL);
	while (at < end) {
		struct cell_varint tag = cell_decode_varint(at, end);
		const struct schema_field *field;

		if (!tag.at || tag.value > UINT32_MAX || tag.value >> 3 == 0)
			return broken(d, type, NULL, "a field's tag makes no sense");
		field = schema_field(type, (uint32_t)tag.value >> 3);
		if (field && is_wire_right(field, tag.value & 7))
			at = field_read(d, type, field, (uint32_t)tag.value, depth, tag.at,
					end, slots, &r);
		else
			at = cell_decode_skip(&skip, tag.at, end, (uint32_t)tag.value);
		if (!at)
			return r ? r : broken(d, type, field, "it is cut short");
	}
	return 0;
}

/* ---- messages
 * ------------------------------------------------------------------------------ */

/* What a slot shows, which is the caller's; *RET is NULL if nothing is to be shown. */
static int slot_take(struct decoder *d, const struct schema_field *field, struct slot *slot,
		     unsigned depth, json_t **ret)
{
	*ret = NULL;
	if (slot->is_set && slot->value) {
		*ret = json_incref(slot->value);
		return 0;
	}
	if (slot->is_set && field->type == SCHEMA_MESSAGE && !field->is_repeated)
		return decode_message(d, field->message, depth + 1, slot->bytes,
				      slot->bytes + slot->len, ret);
	if (!(d->flags & JSON_EMIT_DEFAULTS) || field->has_presence)
		return 0;
	*ret = default_value(field);
	return *ret ? 0 : no_memory(d);
}

/* Timestamp and Duration: two numbers that are spelled as one string. */
static int time_take(struct decoder *d, const struct schema_message *type,
		     const json_t *object, json_t **ret)
{
	const char *seconds =
		json_string_value(json_object_get(object, type->by_number[0]->json_name));
	json_int_t nanos =
		json_integer_value(json_object_get(object, type->by_number[1]->json_name));
	int64_t whole = seconds ? strtoll(seconds, NULL, 10) : 0;
	char text[TEXT_TIME_SIZE];
	json_t *value;
	bool is_right;

	is_right = type->special == SCHEMA_TIMESTAMP
			   ? text_timestamp_write(text, whole, (int32_t)nanos)
			   : text_duration_write(text, whole, (int32_t)nanos);
	if (!is_right)
		return broken(d, type, NULL, "out of range");
	value = json_string(text);
	if (!value)
		return no_memory(d);
	*ret = value;
	return 0;
}

/* Takes OBJECT. */
static int special_take(struct decoder *d, const struct schema_message *type, json_t *object,
			json_t **ret)
{
	json_t *value;
	int r = 0;

	if (type->special == SCHEMA_WRAPPER) {
		value = json_object_get(object, type->fields[0].json_name);
		value = value ? json_incref(value) : default_value(&type->fields[0]);
		if (value)
			*ret = value;
		else
			r = no_memory(d);
	} else {
		r = time_take(d, type, object, ret);
	}
	json_decref(object);
	return r;
}

static int object_make(struct decoder *d, const struct schema_message *type, unsigned depth,
		       struct slot *slots, json_t **ret)
{
	json_t *object = json_object(), *value;
	int r = object ? 0 : no_memory(d);

	for (size_t i = 0; r == 0 && i < type->n_fields; i++) {
		r = slot_take(d, &type->fields[i], &slots[i], depth, &value);
		if (r == 0 && value &&
		    json_object_set_new(object, type->fields[i].json_name, value) < 0)
			r = no_memory(d);
	}
	if (r < 0) {
		json_decref(object);
		return r;
	}
	if (type->special != SCHEMA_ORDINARY)
		return special_take(d, type, object, ret);
	*ret = object;
	return 0;
}

static int decode_message(struct decoder *d, const struct schema_message *type,
			  unsigned depth, const uint8_t *at, const uint8_t *end, json_t **ret)
{
	struct slot *slots;
	int r;

	if (depth > 2 * JSON_NESTING_MAX)
		return broken(d, type, NULL, "messages nest too deep");
	/* Room for all fields is taken for each message, so it counts. */
	r = charge(d, 1 + type->n_fields);
	if (r < 0)
		return r;
	slots = calloc(type->n_fields ? type->n_fields : 1, sizeof *slots);
	if (!slots)
		return no_memory(d);
	r = fields_read(d, type, depth, at, end, slots);
	if (r == 0)
		r = object_make(d, type, depth, slots, ret);
	for (size_t i = 0; i < type->n_fields; i++) {
		json_decref(slots[i].value);
		free(slots[i].bytes);
	}
	free(slots);
	return r;
}

int json_from_bytes(const struct schema_message *type, const uint8_t *bytes, size_t len,
		    unsigned flags, const char *name, json_t **ret_value,
		    struct cell_error *err)
{
	struct decoder d = { .err = err, .name = name, .flags = flags };

	return decode_message(&d, type, 0, bytes, bytes + len, ret_value);
}

/* ---- examples
 * -------------------------------------------------------------------------------- */

static json_t *example_message(const struct schema_message *type, unsigned depth);

static json_t *example_value(const struct schema_field *field, unsigned depth)
{
	struct schema_field one = *field;

	if (field->message)
		return example_message(field->message, depth + 1);
	one.is_repeated = false;
	return default_value(&one);
}

/* One entry, under a key that its type allows. */
static json_t *example_map(const struct schema_message *entry, unsigned depth)
{
	json_t *map = json_object(), *key = default_value(entry->by_number[0]);
	char number[32];
	const char *text = key ? key_text(key, number) : NULL;

	if (text)
		(void)json_object_set_new(map, *text ? text : "key",
					  example_value(entry->by_number[1], depth));
	json_decref(key);
	return map;
}

static json_t *example_field(const struct schema_field *field, unsigned depth)
{
	const struct schema_message *message = field->message;
	json_t *list;

	if (message && message->special == SCHEMA_ORDINARY && depth >= EXAMPLE_NESTING_MAX)
		return field->is_map || !field->is_repeated ? json_object() : json_array();
	if (message && field->is_map)
		return example_map(message, depth);
	if (!field->is_repeated)
		return example_value(field, depth);
	list = json_array();
	(void)json_array_append_new(list, example_value(field, depth));
	return list;
}

static json_t *example_message(const struct schema_message *type, unsigned depth)
{
	json_t *object;

	if (type->special == SCHEMA_TIMESTAMP)
		return json_string("1970-01-01T00:00:00Z");
	if (type->special == SCHEMA_DURATION)
		return json_string("0s");
	if (type->special == SCHEMA_WRAPPER)
		return default_value(&type->fields[0]);
	object = json_object();
	for (size_t i = 0; object && i < type->n_fields; i++) {
		const struct schema_field *field = &type->fields[i];

		/* Of a oneof only the first: two would be refused. */
		if (field->oneof && i && type->fields[i - 1].oneof == field->oneof)
			continue;
		(void)json_object_set_new(object, field->json_name,
					  example_field(field, depth));
	}
	return object;
}

json_t *json_example(const struct schema_message *type)
{
	return example_message(type, 0);
}
