#include "builtin_part.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

/*
 * Field numbers. What a number meant once it means for ever: those of members that are gone
 * are kept as reserved, and a number that two members have is for people to sort out.
 *
 * The lock has "field NAME" = "N" for each field, and "reserved N" = "NAME". A message that
 * it knows nothing of, as its lock was lost or it is of a program that was written anew, has
 * the numbers that the running program tells in its schema, in the same form.
 */

#define NUMBER_MAX 536870911u
#define RESERVED_FIRST 19000u /* protobuf's own */
#define RESERVED_LAST 19999u

struct numbering {
	struct cell_macro_work *work;
	const struct macro_kept_of *kept; /* NULL = nothing */
};

/* What the lock has, as the request says. */
static const struct macro_kept_of *kept_locked(const struct cell_macro_work *work)
{
	const struct macro_plan_request *request = cell_macro_request(work);

	for (size_t i = 0; i < request->n_kept; i++)
		if (strcmp(request->kept[i].ns, "cell") == 0 && request->kept[i].n_kept)
			return &request->kept[i];
	return NULL;
}

/* --- the live schema -------------------------------------------------------------------- */

static void *on_alloc(void *userdata, size_t size)
{
	(void)userdata;
	return gen_take(size);
}

static void on_free(void *userdata, void *pointer)
{
	(void)userdata;
	(void)pointer;
}

/* The message called NAME in PACKAGE, or NULL. */
static const Google__Protobuf__DescriptorProto *
live_message(const Google__Protobuf__FileDescriptorSet *set, const char *package,
	     const char *name)
{
	for (size_t i = 0; i < set->n_file; i++) {
		const Google__Protobuf__FileDescriptorProto *file = set->file[i];

		if (!file->package || strcmp(file->package, package) != 0)
			continue;
		for (size_t k = 0; k < file->n_message_type; k++)
			if (file->message_type[k]->name &&
			    strcmp(file->message_type[k]->name, name) == 0)
				return file->message_type[k];
	}
	return NULL;
}

struct live_schema live_schema_ask(struct cell_macro_work *work)
{
	const char *program = cell_macro_request(work)->program;
	struct live_schema live = { .len = 0 };

	if (!kept_locked(work) && is_cell_name(program) &&
	    schema_ask(cell_macro_call(work), program, &live.bytes, &live.len) < 0)
		live.len = 0;
	return live;
}

/*
 * What the program, if it runs, says of M. That is no state of the expansion: what is found
 * goes to the lock, and from then on the lock decides.
 */
static const struct macro_kept_of *kept_live(struct cell_macro_work *work,
					     const struct live_schema *schema,
					     const struct gen_message *m)
{
	const char *program = cell_macro_request(work)->program;
	ProtobufCAllocator memory = { .alloc = on_alloc, .free = on_free };
	const Google__Protobuf__DescriptorProto *live = NULL;
	const Google__Protobuf__FileDescriptorSet *set;
	struct macro_kept_of *kept;
	struct macro_kept *list;

	if (!schema->len)
		return NULL;
	set = google__protobuf__file_descriptor_set__unpack(&memory, schema->len, schema->bytes);
	if (set)
		live = live_message(set, gen_printf("cell.%s.v1", service_word(work, program)),
				    m->full_name + 1);
	if (!live)
		return NULL;
	kept = gen_take(sizeof *kept);
	list = gen_take((live->n_field + 1) * sizeof *list);
	*kept = (struct macro_kept_of){ .ns = "cell", .kept = list };
	for (size_t i = 0; i < live->n_field; i++)
		if (live->field[i]->name && live->field[i]->number > 0 &&
		    (uint32_t)live->field[i]->number <= NUMBER_MAX)
			list[kept->n_kept++] = (struct macro_kept){
				.key = gen_printf("field %s", live->field[i]->name),
				.value = gen_printf("%d", live->field[i]->number),
			};
	return kept;
}

/* --- the lock --------------------------------------------------------------------------- */

static uint32_t number_of(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	return *end || end == text || value > NUMBER_MAX ? 0 : (uint32_t)value;
}

static const char *after(const char *key, const char *word)
{
	size_t len = strlen(word);

	return strncmp(key, word, len) == 0 ? key + len : NULL;
}

/* The name that the lock gives NUMBER to, beside EXCEPT; NULL if there is none. */
static const char *kept_name(const struct macro_kept_of *kept, uint32_t number,
			     const char *except)
{
	for (size_t i = 0; kept && i < kept->n_kept; i++) {
		const char *name = after(kept->kept[i].key, "field ");
		const char *gone = after(kept->kept[i].key, "reserved ");

		if (name && number_of(kept->kept[i].value) == number &&
		    (!except || strcmp(name, except) != 0))
			return name;
		if (gone && number_of(gone) == number &&
		    (!except || strcmp(kept->kept[i].value, except) != 0))
			return kept->kept[i].value;
	}
	return NULL;
}

/* The value of "field NAME"; NULL if there is none. */
static const char *kept_field(const struct macro_kept_of *kept, const char *field)
{
	for (size_t i = 0; kept && i < kept->n_kept; i++) {
		const char *name = after(kept->kept[i].key, "field ");

		if (name && strcmp(name, field) == 0)
			return kept->kept[i].value;
	}
	return NULL;
}

static int lock_check(const struct numbering *numbering, const struct gen_message *m)
{
	const struct macro_kept_of *kept = numbering->kept;
	struct cell_macro_work *work = numbering->work;

	for (size_t i = 0; kept && i < kept->n_kept; i++) {
		const char *name = after(kept->kept[i].key, "field ");
		uint32_t number = name ? number_of(kept->kept[i].value) : 0;

		if (name && !number) {
			(void)cell_macro_refuse(work, NULL, NULL,
						"%s.%s: '%s' in .cell/cell.schema.lock is no field number",
						m->tag, name, kept->kept[i].value);
			return CELL_INVALID_ARGUMENT;
		}
		for (size_t j = 0; name && j < i; j++) {
			const char *other = after(kept->kept[j].key, "field ");

			if (!other)
				continue;
			if (number_of(kept->kept[j].value) == number && strcmp(other, name) != 0) {
				(void)cell_macro_refuse(work, NULL, NULL,
							"%s.%s: both field %u ('%s', '%s') in .cell/cell.schema.lock",
							m->tag, other, number, other, name);
			} else if (strcmp(other, name) == 0 &&
				   number_of(kept->kept[j].value) != number) {
				(void)cell_macro_refuse(work, NULL, NULL,
							"%s.%s: both field %s and field %s in .cell/cell.schema.lock",
							m->tag, name, kept->kept[j].value,
							kept->kept[i].value);
			} else {
				continue;
			}
			cell_macro_note(work, "keep the one already deployed, delete the other line");
			return CELL_INVALID_ARGUMENT;
		}
	}
	return 0;
}

static const struct macro_attribute *number_attribute(struct cell_macro_work *work,
						      const struct gen_field *field)
{
	const struct macro_declaration *declaration = cell_macro_declaration(work);
	const struct macro_type *type = cell_macro_type(work, declaration->type);

	for (size_t i = 0; i < type->n_members; i++)
		if (strcmp(type->members[i].name, field->name) == 0)
			return cell_macro_find(type->members[i].attributes,
					       type->members[i].n_attributes, "cell", "field");
	return NULL;
}

static int given(const struct numbering *numbering, const struct gen_message *m,
		 struct gen_field *field)
{
	struct cell_macro_work *work = numbering->work;
	const struct macro_attribute *attribute = number_attribute(work, field);
	const char *kept = kept_field(numbering->kept, field->name);
	const struct macro_value *value;
	const char *other;

	if (!attribute) {
		field->number = kept ? number_of(kept) : 0;
		return 0;
	}
	value = cell_macro_argument(work, attribute, "number");
	if (!value || value->integer < 1 || value->integer > NUMBER_MAX ||
	    (value->integer >= RESERVED_FIRST && value->integer <= RESERVED_LAST)) {
		(void)cell_macro_refuse(work, attribute, value, "field numbers are 1 to %u, but %u to %u",
					NUMBER_MAX, RESERVED_FIRST, RESERVED_LAST);
		return CELL_INVALID_ARGUMENT;
	}
	field->number = (uint32_t)value->integer;
	other = kept_name(numbering->kept, field->number, field->name);
	for (size_t i = 0; other && i < m->n_fields; i++)
		if (strcmp(m->fields[i].name, other) == 0)
			return 0; /* swapped on purpose, or twice: seen below */
	if (other) {
		(void)cell_macro_refuse(work, attribute, value,
					"number %u was that of '%s'; numbers are never used again",
					field->number, other);
		return CELL_INVALID_ARGUMENT;
	}
	return 0;
}

static int clash(struct cell_macro_work *work, const struct gen_message *m)
{
	for (size_t i = 0; i < m->n_fields; i++)
		for (size_t j = 0; j < i; j++) {
			if (!m->fields[i].number || m->fields[i].number != m->fields[j].number)
				continue;
			(void)cell_macro_refuse_member(work, m->fields[i].name,
						       "'%s' and '%s' are both field %u",
						       m->fields[j].name, m->fields[i].name,
						       m->fields[i].number);
			cell_macro_note(work, "give one of them another number");
			return CELL_INVALID_ARGUMENT;
		}
	return 0;
}

static bool is_taken(const struct macro_kept_of *kept, const struct gen_message *m,
		     uint32_t number)
{
	for (size_t i = 0; i < m->n_fields; i++)
		if (m->fields[i].number == number)
			return true;
	return kept_name(kept, number, NULL) != NULL ||
	       (number >= RESERVED_FIRST && number <= RESERVED_LAST);
}

static void remember(const struct numbering *numbering, const struct gen_message *m)
{
	const struct macro_kept_of *kept = numbering->kept;
	struct cell_macro_work *work = numbering->work;

	for (size_t i = 0; i < m->n_fields; i++)
		(void)cell_macro_keep(work, gen_printf("field %s", m->fields[i].name),
				      gen_printf("%u", m->fields[i].number));
	for (size_t i = 0; kept && i < kept->n_kept; i++) {
		const char *name = after(kept->kept[i].key, "field ");
		const char *number = after(kept->kept[i].key, "reserved ");
		bool used = false;

		number = name ? kept->kept[i].value : number;
		name = name ? name : kept->kept[i].value;
		for (size_t j = 0; j < m->n_fields; j++)
			used |= number && m->fields[j].number == number_of(number);
		if (number && !used)
			(void)cell_macro_keep(work, gen_printf("reserved %s", number), name);
	}
}

int message_number(struct cell_macro_work *work, const struct live_schema *live,
		   struct gen_message *m, bool keep)
{
	struct numbering numbering = { work, kept_locked(work) };
	uint32_t next = 1;
	int r;

	if (!numbering.kept)
		numbering.kept = kept_live(work, live, m);
	r = lock_check(&numbering, m);
	for (size_t i = 0; i < m->n_fields && r == 0; i++)
		r = given(&numbering, m, &m->fields[i]);
	if (r == 0)
		r = clash(work, m);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m->n_fields; i++) {
		if (m->fields[i].number)
			continue;
		while (is_taken(numbering.kept, m, next))
			next++;
		m->fields[i].number = next;
	}
	gen_message_sort(m);
	if (keep)
		remember(&numbering, m);
	return 0;
}
