/*
 * The JSON mapping and the schema parser, with somebody else's JSON, bytes and schema.
 *
 * The first byte of an input chooses what the rest is: JSON text, a message's bytes, or a
 * FileDescriptorSet (u16 length) and a message's bytes for each type that it defines.
 * What was accepted once must survive the way there and back.
 */
#include "cell/json.h"

#include <cell/arena.h>
#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef Google__Protobuf__FileDescriptorSet SetProto;
typedef Google__Protobuf__FileDescriptorProto FileProto;
typedef Google__Protobuf__DescriptorProto MessageProto;
typedef Google__Protobuf__FieldDescriptorProto FieldProto;
typedef Google__Protobuf__EnumDescriptorProto EnumProto;
typedef Google__Protobuf__EnumValueDescriptorProto ValueProto;

#define N_FIELDS 40

static struct schema *schema;
static const struct schema_message *all;

/* Of the descriptors, until they are packed. */
static struct cell_arena names;

static char *name_make(const char *prefix, int n)
{
	char *name = cell_arena_printf(&names, "%s_%d", prefix, n);

	cell_assert(name);
	return name;
}

static char *text_make(const char *text)
{
	char *copy = cell_arena_strdup(&names, text);

	cell_assert(copy);
	return copy;
}

static void field_init(FieldProto *field, int number, int type, bool is_repeated)
{
	google__protobuf__field_descriptor_proto__init(field);
	field->name = name_make(is_repeated ? "r" : "f", number);
	field->has_number = true;
	field->number = number;
	field->has_label = true;
	field->label =
		is_repeated ? GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED
			    : GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_OPTIONAL;
	field->has_type = true;
	field->type = (Google__Protobuf__FieldDescriptorProto__Type)type;
	if (type == SCHEMA_MESSAGE)
		field->type_name = text_make(".All");
	else if (type == SCHEMA_ENUM)
		field->type_name = text_make(".Kind");
}

/* All: one field of each type alone and repeated, a map, a oneof of two. */
static uint8_t *set_build(size_t *ret_len)
{
	static FieldProto fields[N_FIELDS], entry_fields[2];
	static FieldProto *field_list[N_FIELDS],
		*entry_list[] = { &entry_fields[0], &entry_fields[1] };
	ValueProto values[2] = { GOOGLE__PROTOBUF__ENUM_VALUE_DESCRIPTOR_PROTO__INIT,
				 GOOGLE__PROTOBUF__ENUM_VALUE_DESCRIPTOR_PROTO__INIT };
	ValueProto *value_list[] = { &values[0], &values[1] };
	EnumProto kind = GOOGLE__PROTOBUF__ENUM_DESCRIPTOR_PROTO__INIT,
		  *enum_list[] = { &kind };
	Google__Protobuf__MessageOptions options = GOOGLE__PROTOBUF__MESSAGE_OPTIONS__INIT;
	Google__Protobuf__OneofDescriptorProto oneof =
		GOOGLE__PROTOBUF__ONEOF_DESCRIPTOR_PROTO__INIT;
	Google__Protobuf__OneofDescriptorProto *oneof_list[] = { &oneof };
	MessageProto message = GOOGLE__PROTOBUF__DESCRIPTOR_PROTO__INIT;
	MessageProto entry = GOOGLE__PROTOBUF__DESCRIPTOR_PROTO__INIT, *nested[] = { &entry };
	MessageProto *message_list[] = { &message };
	FileProto file = GOOGLE__PROTOBUF__FILE_DESCRIPTOR_PROTO__INIT,
		  *file_list[] = { &file };
	SetProto set = GOOGLE__PROTOBUF__FILE_DESCRIPTOR_SET__INIT;
	uint8_t *bytes;
	size_t n = 0;

	for (int type = SCHEMA_DOUBLE; type <= SCHEMA_SINT64; type++)
		for (int repeated = 0; repeated < 2 && type != SCHEMA_GROUP; repeated++, n++)
			field_init(&fields[n], (int)n + 1, type, repeated);
	field_init(&fields[n], 50, SCHEMA_MESSAGE, true);
	fields[n++].type_name = text_make(".All.Entry");
	for (int i = 0; i < 2; i++, n++) {
		field_init(&fields[n], 60 + i, i ? SCHEMA_MESSAGE : SCHEMA_STRING, false);
		fields[n].has_oneof_index = true;
	}
	for (size_t i = 0; i < n; i++)
		field_list[i] = &fields[i];
	field_init(&entry_fields[0], 1, SCHEMA_STRING, false);
	field_init(&entry_fields[1], 2, SCHEMA_MESSAGE, false);
	oneof.name = text_make("one");
	options.has_map_entry = options.map_entry = true;
	entry.name = text_make("Entry");
	entry.n_field = 2;
	entry.field = entry_list;
	entry.options = &options;
	message.name = text_make("All");
	message.n_field = n;
	message.field = field_list;
	message.n_nested_type = message.n_oneof_decl = 1;
	message.nested_type = nested;
	message.oneof_decl = oneof_list;
	for (int i = 0; i < 2; i++) {
		values[i].name = name_make("KIND", i);
		values[i].has_number = true;
		values[i].number = i;
	}
	kind.name = text_make("Kind");
	kind.n_value = 2;
	kind.value = value_list;
	file.syntax = text_make("proto3");
	file.n_message_type = file.n_enum_type = 1;
	file.message_type = message_list;
	file.enum_type = enum_list;
	set.n_file = 1;
	set.file = file_list;
	bytes = malloc(google__protobuf__file_descriptor_set__get_packed_size(&set));
	*ret_len = google__protobuf__file_descriptor_set__pack(&set, bytes);
	return bytes;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

/* The schema lives as long as the process. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct schema_type_ref type;
	struct cell_error err;
	size_t len;
	uint8_t *bytes;

	(void)argc;
	(void)argv;
	cell_arena_init(&names, 0);
	bytes = set_build(&len);
	cell_arena_deinit(&names);
	cell_assert(schema_parse(&schema, bytes, len, NULL, 0, &err) == 0);
	cell_assert(schema_find_type(schema, "All", &type, &err) == 0);
	all = type.message;
	free(bytes);
	return 0;
}

/* Not json_equal(): it takes a key to end at a NUL. */
static bool is_equal(const json_t *a, const json_t *b)
{
	char *x = json_dumps(a, JSON_SORT_KEYS), *y = json_dumps(b, JSON_SORT_KEYS);
	bool same = x && y && strcmp(x, y) == 0;

	free(x);
	free(y);
	return same;
}

/* Bytes → JSON → bytes → JSON: the second JSON is the first. */
static void bytes_there_and_back(const struct schema_message *type, const uint8_t *bytes,
				 size_t len)
{
	json_t *first = NULL, *second = NULL;
	struct cell_arena arena;
	struct cell_error err;
	const uint8_t *again = NULL;
	size_t again_len;
	int r;

	cell_arena_init(&arena, 0);
	if (json_from_bytes(type, bytes, len, 0, "fuzz", &first, &err) == 0) {
		r = json_to_bytes(type, first, "fuzz", &arena, &again, &again_len, &err);
		/* Decoding may go deeper, as it counts the entries of maps. */
		if (r == 0)
			r = json_from_bytes(type, again, again_len, 0, "fuzz", &second, &err);
		/* In a hostile schema two fields may have one name, so that one is lost. */
		if (type == all && again)
			cell_assert(r == 0 && is_equal(first, second));
	}
	json_decref(first);
	json_decref(second);
	cell_arena_deinit(&arena);
}

static void text_there_and_back(const char *text, size_t len)
{
	json_t *value = NULL, *got = NULL;
	struct cell_arena arena;
	struct cell_error err;
	const uint8_t *bytes;
	size_t n;

	cell_arena_init(&arena, 0);
	if (json_parse(&value, text, len, "fuzz", &err) == 0 &&
	    json_to_bytes(all, value, "fuzz", &arena, &bytes, &n, &err) == 0)
		cell_assert(json_from_bytes(all, bytes, n, JSON_EMIT_DEFAULTS, "fuzz", &got,
					    &err) == 0);
	json_decref(value);
	json_decref(got);
	cell_arena_deinit(&arena);
}

static void schema_and_bytes(const uint8_t *data, size_t size)
{
	size_t len = size < 2 ? 0 : (size_t)data[0] | (size_t)data[1] << 8;
	struct schema *other = NULL;
	struct cell_error err;

	if (size < 2 || len > size - 2 ||
	    schema_parse(&other, data + 2, len, NULL, 0, &err) < 0)
		return;
	for (size_t i = 0; i < other->n_files; i++)
		for (size_t k = 0; k < other->files[i].n_messages; k++) {
			bytes_there_and_back(&other->files[i].messages[k], data + 2 + len,
					     size - 2 - len);
			json_decref(json_example(&other->files[i].messages[k]));
		}
	schema_release(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0: text_there_and_back((const char *)data + 1, size - 1); break;
	case 1: bytes_there_and_back(all, data + 1, size - 1); break;
	default: schema_and_bytes(data + 1, size - 1); break;
	}
	return 0;
}
