#include "fileset.h"

#include <cell/cell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Messages describe themselves with names relative to their package, as they do not know
 * it: here they become absolute. What a message needs is found by walking its fields' types;
 * comments get the paths that say which element they are about.
 */

/* Field numbers of descriptor.proto. */
enum {
	SET_FILE = 1,
	FILE_NAME = 1, FILE_PACKAGE = 2, FILE_DEPENDENCY = 3, FILE_MESSAGE = 4, FILE_ENUM = 5,
	FILE_SERVICE = 6, FILE_SOURCE_INFO = 9, FILE_SYNTAX = 12,
	MESSAGE_FIELD = 2, MESSAGE_NESTED = 3,
	FIELD_TYPE_NAME = 6,
	ENUM_VALUE = 2,
	SERVICE_NAME = 1, SERVICE_METHOD = 2,
	METHOD_NAME = 1, METHOD_INPUT = 2, METHOD_OUTPUT = 3, METHOD_OPTIONS = 4,
	METHOD_CLIENT_STREAMS = 5, METHOD_SERVER_STREAMS = 6,
	OPTIONS_IDEMPOTENCY = 34,
	INFO_LOCATION = 1,
	LOCATION_PATH = 1, LOCATION_SPAN = 2, LOCATION_LEADING = 3
};
#define IDEMPOTENT 2

/* --- bytes that grow ------------------------------------------------------------------- */

struct bytes {
	uint8_t *at;
	size_t len, room;
	bool failed;
};

static uint8_t *bytes_room(struct bytes *bytes, size_t more)
{
	if (!bytes->failed && bytes->room - bytes->len < more) {
		size_t room = 2 * (bytes->len + more) + 256;
		uint8_t *grown = realloc(bytes->at, room);

		if (grown) {
			bytes->at = grown;
			bytes->room = room;
		} else {
			bytes->failed = true;
		}
	}
	return bytes->failed ? NULL : bytes->at + bytes->len;
}

static void put_bytes(struct bytes *bytes, uint32_t field, const void *from, size_t len)
{
	uint8_t *out = bytes_room(bytes, len + 20);

	if (!out)
		return;
	out = cell_encode_varint(out, field << 3 | 2);
	bytes->len = (size_t)(cell_encode_bytes(out, from, len) - bytes->at);
}

static void put_text(struct bytes *bytes, uint32_t field, const char *text)
{
	put_bytes(bytes, field, text, strlen(text));
}

static void put_number(struct bytes *bytes, uint32_t field, uint64_t value)
{
	uint8_t *out = bytes_room(bytes, 20);

	if (!out)
		return;
	out = cell_encode_varint(out, field << 3);
	bytes->len = (size_t)(cell_encode_varint(out, value) - bytes->at);
}

/* PART becomes a field of BYTES, and is empty again. */
static void put_part(struct bytes *bytes, uint32_t field, struct bytes *part)
{
	put_bytes(bytes, field, part->at, part->len);
	bytes->failed |= part->failed;
	free(part->at);
	*part = (struct bytes){ .at = NULL };
}

/* --- reading what generated code says --------------------------------------------------- */

struct part {
	uint32_t field;
	uint32_t wire;
	const uint8_t *start; /* of the tag */
	const uint8_t *at;    /* of the value, behind its length */
	const uint8_t *end;
};

/* The next field of a message from *AT on. False at its end, or if it makes no sense. */
static bool part_next(const uint8_t **at, const uint8_t *end, struct part *ret)
{
	struct cell_varint tag, value;

	if (*at >= end)
		return false;
	tag = cell_decode_varint(*at, end);
	if (!tag.at)
		return false;
	*ret = (struct part){ .field = (uint32_t)(tag.value >> 3),
			      .wire = (uint32_t)tag.value & 7, .start = *at, .at = tag.at };
	if (ret->wire == 5 || ret->wire == 1) {
		ret->end = tag.at + (ret->wire == 5 ? 4 : 8);
	} else {
		value = cell_decode_varint(tag.at, end);
		if (!value.at || (ret->wire != 0 && ret->wire != 2))
			return false;
		ret->end = value.at;
		if (ret->wire == 2) {
			if (value.value > (size_t)(end - value.at))
				return false;
			ret->at = value.at;
			ret->end = value.at + value.value;
		}
	}
	*at = ret->end;
	return ret->end <= end;
}

const uint8_t *fileset_find(const uint8_t *set, size_t len, const char *name, size_t *ret_len)
{
	const uint8_t *at = set, *end = set + len;
	struct part file, part;

	while (part_next(&at, end, &file)) {
		const uint8_t *inside = file.at;

		while (part_next(&inside, file.end, &part)) {
			if (part.field != FILE_NAME ||
			    (size_t)(part.end - part.at) != strlen(name) ||
			    memcmp(part.at, name, strlen(name)) != 0)
				continue;
			*ret_len = (size_t)(file.end - file.at);
			return file.at;
		}
	}
	return NULL;
}

size_t fileset_append(uint8_t *set, size_t len, const uint8_t *more, size_t more_len)
{
	const uint8_t *at = more, *inside;
	struct part file, known;

	while (part_next(&at, more + more_len, &file)) {
		size_t size = (size_t)(file.end - file.start);
		bool is_there = false;

		for (inside = set; !is_there && part_next(&inside, set + len, &known); )
			is_there = (size_t)(known.end - known.start) == size &&
				   memcmp(known.start, file.start, size) == 0;
		if (is_there)
			continue;
		memcpy(set + len, file.start, size);
		len += size;
	}
	return len;
}

static void copy_part(struct bytes *out, const struct part *part)
{
	size_t len = (size_t)(part->end - part->start);
	uint8_t *to = bytes_room(out, len);

	if (to)
		memcpy(to, part->start, len);
	out->len += to ? len : 0;
}

static void put_field(struct bytes *out, const struct part *field, const char *package)
{
	const uint8_t *at = field->at;
	struct bytes inside = { .at = NULL };
	struct part part;

	while (part_next(&at, field->end, &part)) {
		char name[512];

		if (part.field != FIELD_TYPE_NAME || *part.at == '.') {
			copy_part(&inside, &part);
			continue;
		}
		(void)snprintf(name, sizeof name, ".%s.%.*s", package,
			       (int)(part.end - part.at), (const char *)part.at);
		put_text(&inside, FIELD_TYPE_NAME, name);
	}
	put_part(out, MESSAGE_FIELD, &inside);
}

/* A DescriptorProto with absolute names. Entries of maps are one level deeper, no more is. */
static void put_message(struct bytes *out, uint32_t number, const uint8_t *at, const uint8_t *end,
			const char *package, bool is_nested)
{
	struct bytes inside = { .at = NULL };
	struct part part;

	while (part_next(&at, end, &part)) {
		if (part.field == MESSAGE_FIELD)
			put_field(&inside, &part, package);
		else if (part.field == MESSAGE_NESTED && !is_nested)
			put_message(&inside, MESSAGE_NESTED, part.at, part.end, package, true);
		else
			copy_part(&inside, &part);
	}
	put_part(out, number, &inside);
}

/* --- the file ---------------------------------------------------------------------------- */

struct builder {
	const struct fileset_service *service;
	char package[256];
	const struct cell_message_type *messages[FILESET_TYPES_MAX];
	size_t n_messages;
	const struct cell_enum_schema *enums[FILESET_TYPES_MAX];
	size_t n_enums;
	bool uses_common;
	struct bytes info; /* a SourceCodeInfo */
	struct cell_error *err;
};

static bool is_common(const struct cell_message_type *type)
{
	return strncmp(type->name, "cell.common.v1.", 15) == 0;
}

static int add_enum(struct builder *b, const struct cell_enum_schema *one)
{
	for (size_t i = 0; i < b->n_enums; i++) {
		if (strcmp(b->enums[i]->name, one->name) != 0)
			continue;
		/* Each message that uses an enum describes it. */
		if (b->enums[i]->descriptor_len == one->descriptor_len &&
		    memcmp(b->enums[i]->descriptor, one->descriptor, one->descriptor_len) == 0)
			return 0;
		return cell_fail(b->err, CELL_ALREADY_EXISTS, "%s: two enums are called '%s'",
				 b->service->full_name, one->name);
	}
	if (b->n_enums == FILESET_TYPES_MAX)
		return cell_fail(b->err, CELL_RESOURCE_EXHAUSTED, "%s: more than %d enums",
				 b->service->full_name, FILESET_TYPES_MAX);
	b->enums[b->n_enums++] = one;
	return 0;
}

/* Messages that were added bring theirs when their turn comes: no recursion. */
static int add_message(struct builder *b, const struct cell_message_type *type)
{
	if (is_common(type)) {
		b->uses_common = true;
		return 0;
	}
	if (!type->schema)
		return cell_fail(b->err, CELL_INVALID_ARGUMENT,
				 "%s: message '%s' is not described in this program",
				 b->service->full_name, type->name);
	for (size_t i = 0; i < b->n_messages; i++) {
		if (b->messages[i] == type)
			return 0;
		if (strcmp(b->messages[i]->name, type->name) == 0)
			return cell_fail(b->err, CELL_ALREADY_EXISTS,
					 "%s: two messages are called '%s'; rename one",
					 b->service->full_name, type->name);
	}
	if (b->n_messages == FILESET_TYPES_MAX)
		return cell_fail(b->err, CELL_RESOURCE_EXHAUSTED, "%s: more than %d messages",
				 b->service->full_name, FILESET_TYPES_MAX);
	b->messages[b->n_messages++] = type;
	return 0;
}

static int collect(struct builder *b)
{
	int r = 0;

	for (size_t i = 0; i < b->service->n_methods && r == 0; i++) {
		r = add_message(b, b->service->methods[i]->method.in);
		if (r == 0)
			r = add_message(b, b->service->methods[i]->method.out);
	}
	for (size_t i = 0; i < b->n_messages && r == 0; i++) {
		const struct cell_message_schema *schema = b->messages[i]->schema;

		for (size_t j = 0; j < schema->n_messages && r == 0; j++)
			r = add_message(b, schema->messages[j]);
		for (size_t j = 0; j < schema->n_enums && r == 0; j++)
			r = add_enum(b, schema->enums[j]);
	}
	return r;
}

/* DOC is about the element at PATH; protoc begins lines with the space behind "//". */
static void put_doc(struct builder *b, const uint32_t *path, size_t n, const char *doc)
{
	static const uint8_t nowhere[] = { 0, 0, 0 };
	struct bytes location = { .at = NULL };
	uint8_t packed[4 * 5], *end = packed;
	struct bytes text = { .at = NULL };

	if (!doc || !*doc)
		return;
	for (size_t i = 0; i < n; i++)
		end = cell_encode_varint(end, path[i]);
	put_bytes(&location, LOCATION_PATH, packed, (size_t)(end - packed));
	put_bytes(&location, LOCATION_SPAN, nowhere, sizeof nowhere);
	while (*doc) {
		size_t len = strcspn(doc, "\n");
		uint8_t *out = bytes_room(&text, len + 2);

		if (out) {
			*out = ' ';
			memcpy(out + 1, doc, len);
			out[len + 1] = '\n';
			text.len += len + 2;
		}
		doc += len + (doc[len] == '\n');
	}
	put_part(&location, LOCATION_LEADING, &text);
	put_part(&b->info, INFO_LOCATION, &location);
}

/* The docs of element INDEX of the file's list NUMBER, and of the elements of its list INNER. */
static void put_docs(struct builder *b, uint32_t number, uint32_t index, uint32_t inner,
		     const char *const *docs, size_t n)
{
	for (size_t i = 0; docs && i < n; i++) {
		const uint32_t path[] = { number, index, inner, (uint32_t)i - 1 };

		put_doc(b, path, i == 0 ? 2 : 4, docs[i]);
	}
}

static void put_type(struct builder *b, struct bytes *out, uint32_t field,
		     const struct cell_message_type *type)
{
	char name[512];

	if (is_common(type))
		(void)snprintf(name, sizeof name, ".%s", type->name);
	else
		(void)snprintf(name, sizeof name, ".%s.%s", b->package, type->name);
	put_text(out, field, name);
}

static void put_service(struct builder *b, struct bytes *file)
{
	const struct fileset_service *service = b->service;
	const uint32_t path[] = { FILE_SERVICE, 0 };
	struct bytes out = { .at = NULL };

	put_text(&out, SERVICE_NAME, strrchr(service->full_name, '.') + 1);
	put_doc(b, path, 2, service->doc);
	for (size_t i = 0; i < service->n_methods; i++) {
		const uint32_t down[] = { FILE_SERVICE, 0, SERVICE_METHOD, (uint32_t)i };
		const struct cell_method *method = &service->methods[i]->method;
		struct bytes one = { .at = NULL }, options = { .at = NULL };

		put_text(&one, METHOD_NAME, method->name);
		put_type(b, &one, METHOD_INPUT, method->in);
		put_type(b, &one, METHOD_OUTPUT, method->out);
		if (method->flags & CELL_METHOD_IDEMPOTENT) {
			put_number(&options, OPTIONS_IDEMPOTENCY, IDEMPOTENT);
			put_part(&one, METHOD_OPTIONS, &options);
		}
		if (method->flags & CELL_METHOD_CLIENT_STREAM)
			put_number(&one, METHOD_CLIENT_STREAMS, 1);
		if (method->flags & CELL_METHOD_SERVER_STREAM)
			put_number(&one, METHOD_SERVER_STREAMS, 1);
		put_part(&out, SERVICE_METHOD, &one);
		put_doc(b, down, 4, service->methods[i]->doc);
	}
	put_part(file, FILE_SERVICE, &out);
}

static void put_file(struct builder *b, struct bytes *set)
{
	const char *noun = strchr(b->package, '.');
	struct bytes file = { .at = NULL };
	char name[300];

	/* "bank.proto" of "cell.bank.v1" */
	noun = noun ? noun + 1 : b->package;
	(void)snprintf(name, sizeof name, "%.*s.proto", (int)strcspn(noun, "."), noun);
	put_text(&file, FILE_NAME, name);
	put_text(&file, FILE_PACKAGE, b->package);
	if (b->uses_common)
		put_text(&file, FILE_DEPENDENCY, "common.proto");
	for (size_t i = 0; i < b->n_messages; i++) {
		const struct cell_message_schema *schema = b->messages[i]->schema;

		put_message(&file, FILE_MESSAGE, schema->descriptor,
			    schema->descriptor + schema->descriptor_len, b->package, false);
		put_docs(b, FILE_MESSAGE, (uint32_t)i, MESSAGE_FIELD, schema->docs,
			 schema->n_docs);
	}
	for (size_t i = 0; i < b->n_enums; i++) {
		put_bytes(&file, FILE_ENUM, b->enums[i]->descriptor, b->enums[i]->descriptor_len);
		put_docs(b, FILE_ENUM, (uint32_t)i, ENUM_VALUE, b->enums[i]->docs,
			 b->enums[i]->n_docs);
	}
	put_service(b, &file);
	put_part(&file, FILE_SOURCE_INFO, &b->info);
	put_text(&file, FILE_SYNTAX, "proto3");
	put_part(set, SET_FILE, &file);
}

static int name_clashes(const struct builder *b)
{
	const char *own = strrchr(b->service->full_name, '.') + 1;

	for (size_t i = 0; i < b->n_messages; i++)
		if (strcmp(b->messages[i]->name, own) == 0)
			return cell_fail(b->err, CELL_ALREADY_EXISTS,
					 "%s: the service and a message have one name; rename one",
					 b->service->full_name);
	return 0;
}

int fileset_build(const struct fileset_service *service, const uint8_t *common,
		  size_t common_len, struct cell_arena *arena, const uint8_t **ret_bytes,
		  size_t *ret_len, struct cell_error *err)
{
	struct builder *b = calloc(1, sizeof *b);
	const char *dot = strrchr(service->full_name, '.');
	struct bytes set = { .at = NULL };
	uint8_t *copy;
	int r;

	if (!b)
		return cell_fail(err, -ENOMEM, "the schema of %s", service->full_name);
	b->service = service;
	b->err = err;
	if (!dot || (size_t)(dot - service->full_name) >= sizeof b->package) {
		r = cell_fail(err, CELL_INVALID_ARGUMENT, "'%s' is no full name of a service",
			      service->full_name);
	} else {
		memcpy(b->package, service->full_name, (size_t)(dot - service->full_name));
		r = collect(b);
	}
	if (r == 0)
		r = name_clashes(b);
	if (r == 0) {
		if (b->uses_common)
			put_bytes(&set, SET_FILE, common, common_len);
		put_file(b, &set);
		copy = set.failed ? NULL : cell_arena_alloc(arena, set.len);
		if (copy) {
			memcpy(copy, set.at, set.len);
			*ret_bytes = copy;
			*ret_len = set.len;
		} else {
			r = cell_fail(err, -ENOMEM, "the schema of %s", service->full_name);
		}
	}
	free(set.at);
	free(b->info.at);
	free(b);
	return r;
}
