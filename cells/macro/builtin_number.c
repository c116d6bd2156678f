#include "builtin_part.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

/*
 * Field numbers. What a number meant once it means for ever: those of members that are gone
 * are kept as reserved, and a number that two members have is for people to sort out.
 *
 * The lock has "field NAME" = "N" for each field, and "reserved N" = "NAME".
 */

#define NUMBER_MAX 536870911u
#define RESERVED_FIRST 19000u /* protobuf's own */
#define RESERVED_LAST 19999u

static const struct macro_kept_of *kept_of(struct cell_macro_work *work)
{
	const struct macro_plan_request *request = cell_macro_request(work);

	for (size_t i = 0; i < request->n_kept; i++)
		if (strcmp(request->kept[i].ns, "cell") == 0)
			return &request->kept[i];
	return NULL;
}

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
static const char *kept_name(struct cell_macro_work *work, uint32_t number, const char *except)
{
	const struct macro_kept_of *kept = kept_of(work);

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

static int lock_check(struct cell_macro_work *work, const struct gen_message *m)
{
	const struct macro_kept_of *kept = kept_of(work);

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

static int given(struct cell_macro_work *work, const struct gen_message *m,
		 struct gen_field *field)
{
	const struct macro_attribute *attribute = number_attribute(work, field);
	const char *kept = cell_macro_kept(work, gen_printf("field %s", field->name));
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
	other = kept_name(work, field->number, field->name);
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

static bool is_taken(struct cell_macro_work *work, const struct gen_message *m, uint32_t number)
{
	for (size_t i = 0; i < m->n_fields; i++)
		if (m->fields[i].number == number)
			return true;
	return kept_name(work, number, NULL) != NULL ||
	       (number >= RESERVED_FIRST && number <= RESERVED_LAST);
}

static void remember(struct cell_macro_work *work, const struct gen_message *m)
{
	const struct macro_kept_of *kept = kept_of(work);

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

int message_number(struct cell_macro_work *work, const struct macro_attribute *mine,
		   struct gen_message *m, bool keep)
{
	int r = lock_check(work, m);
	uint32_t next = 1;

	(void)mine;
	for (size_t i = 0; i < m->n_fields && r == 0; i++)
		r = given(work, m, &m->fields[i]);
	if (r == 0)
		r = clash(work, m);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m->n_fields; i++) {
		if (m->fields[i].number)
			continue;
		while (is_taken(work, m, next))
			next++;
		m->fields[i].number = next;
	}
	gen_message_sort(m);
	if (keep)
		remember(work, m);
	return 0;
}
