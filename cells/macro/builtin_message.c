#include "builtin_part.h"

#include <cell/cell.h>
#include <string.h>

/*
 * cell::message: the struct stays as it is; beside it come its codec, what the rest of the
 * program knows of it, and streams of it for handlers.
 *
 * Every translation unit gets prototypes and the stream types; the codec stands once in the
 * program, as weak symbols at the end of the file, or for messages of many fields in a unit
 * of its own, so that their code is compiled once.
 */

/* More fields than this: the codec is compiled once per program, not per file. */
#define INLINE_FIELDS_MAX 10

struct job {
	struct cell_macro_work *work;
	const struct macro_attribute *mine;
	struct live_schema live;
};

static const struct macro_type *own_type(struct cell_macro_work *work)
{
	return cell_macro_type(work, cell_macro_declaration(work)->type);
}

static struct gen_message *own_message(struct job *job, struct reading *reading, bool keep)
{
	struct gen_message *m;

	*reading = reading_begin(job->work);
	m = reading_declared(reading, job->mine);
	if (!m || message_number(job->work, &job->live, m, keep) < 0)
		return NULL;
	return m;
}

static void put_streams(struct gen_text *out, const struct gen_message *m)
{
	gen_emit_source_type(out, m);
	gen_emit_sink_type(out, m);
}

/* Whether somebody else may add members to the struct. */
static bool is_shared(const struct cell_macro_work *work)
{
	const struct macro_plan_request *request = cell_macro_request(work);

	for (size_t i = 0; i < request->n_attributes; i++)
		if (strcmp(request->attributes[i].ns, "cell") != 0)
			return true;
	return false;
}

/* That the compiler lays the struct out as cellc saw it, before anything relies on it. */
static void put_layout(struct gen_text *out, struct cell_macro_work *work,
		       const struct macro_type *type)
{
	gen_put(out, "_Static_assert(sizeof(struct %s) %s %llu", type->tag,
		is_shared(work) ? ">=" : "==", (unsigned long long)type->size);
	for (size_t i = 0; i < type->n_members; i++)
		gen_put(out, " &&\n\t__builtin_offsetof(struct %s, %s) == %llu", type->tag,
			type->members[i].name,
			(unsigned long long)type->members[i].offset_bits / 8);
	gen_put(out, ",\n\t\"struct %s is laid out otherwise than cellc saw it\");\n", type->tag);
}

static void put_declarations(struct gen_text *out, struct job *job, const struct gen_message *m)
{
	put_layout(out, job->work, own_type(job->work));
	gen_put(out, "extern const struct cell_message_type %s_type;\n", gen_message_own(m));
	gen_emit_prototypes(out, m);
	gen_add(out, "\n");
}

/*
 * A pair of a map is a struct of the user's, which as a message of its own leaves out what is
 * zero. In a map it has both, as all that write protocol buffers do: so the map of M, which is
 * FIELD, has an encoder of its own.
 */
static struct gen_message *put_pair(struct gen_text *out, const struct gen_message *m,
				    const struct gen_field *field)
{
	struct gen_message *pair = gen_take(sizeof *pair);

	*pair = *field->message;
	pair->type = gen_message_type(field->message);
	pair->tag = gen_printf("%s_%s_pair", m->tag, field->name);
	pair->linkage = "static ";
	pair->is_entry = true;
	gen_emit_bound(out, pair);
	gen_emit_encode(out, pair);
	return pair;
}

/* What maps of M point to becomes what PAIRS have, and the other way round. */
static void swap_pairs(const struct gen_message *m, struct gen_message **pairs)
{
	for (size_t i = 0; i < m->n_fields; i++) {
		struct gen_message *other = pairs[i];

		pairs[i] = m->fields[i].message;
		m->fields[i].message = other;
	}
}

static void put_codec(struct gen_text *out, const struct gen_message *m)
{
	struct gen_message **pairs = gen_take((m->n_fields + 1) * sizeof *pairs);
	const char *shape;

	for (size_t i = 0; i < m->n_fields; i++)
		pairs[i] = m->fields[i].is_map ? put_pair(out, m, &m->fields[i])
					       : m->fields[i].message;
	swap_pairs(m, pairs);
	gen_emit_bound(out, m);
	gen_emit_encode(out, m);
	swap_pairs(m, pairs);
	gen_emit_init(out, m);
	gen_emit_merge(out, m);
	gen_emit_description(out, m);
	shape = gen_emit_shape(out, m);
	swap_pairs(m, pairs); /* it may encode around what is large */
	gen_emit_type(out, m,
		      gen_printf("\t.schema = &%s_schema,\n%s", gen_message_own(m), shape));
	swap_pairs(m, pairs);
}

/* --- a unit of its own ------------------------------------------------------------------ */

static bool enum_is_first(const struct reading *reading, size_t message, size_t field)
{
	const struct gen_enumeration *e = reading->by_type[message]->fields[field].enumeration;
	size_t n = cell_macro_request(reading->work)->n_types;

	for (size_t i = 1; i <= n && i <= message; i++) {
		const struct gen_message *m = reading->by_type[i];

		for (size_t j = 0; m && j < m->n_fields && (i < message || j < field); j++)
			if (m->fields[j].enumeration &&
			    strcmp(m->fields[j].enumeration->tag, e->tag) == 0)
				return false;
	}
	return true;
}

static void put_mirror(struct gen_text *out, struct gen_message *m)
{
	if (m->visit == 2)
		return;
	m->visit = 2;
	for (size_t i = 0; i < m->n_fields; i++)
		if (m->fields[i].message)
			put_mirror(out, m->fields[i].message);
	gen_emit_struct(out, m);
	gen_emit_prototypes(out, m);
	gen_add(out, "\n");
}

/*
 * The unit has no text of the user's: what it needs of the struct, and of what that
 * contains, is written again from what was read, and held against the layout.
 */
static void put_unit(struct gen_text *out, struct job *job, struct reading *reading,
		     struct gen_message *m)
{
	size_t n = cell_macro_request(job->work)->n_types;

	gen_add(out, "#include <cell/cell.h>\n\n");
	for (size_t i = 1; i <= n; i++)
		for (size_t j = 0; reading->by_type[i] && j < reading->by_type[i]->n_fields; j++)
			if (reading->by_type[i]->fields[j].enumeration &&
			    enum_is_first(reading, i, j))
				gen_emit_enum(out, reading->by_type[i]->fields[j].enumeration);
	put_mirror(out, m);
	put_layout(out, job->work, own_type(job->work));
	gen_add(out, "\n");
	put_codec(out, m);
}

/* --- the macro -------------------------------------------------------------------------- */

static int plan(void *userdata)
{
	struct job *job = userdata;
	struct reading reading;
	struct gen_message *m = own_message(job, &reading, false);
	struct gen_text streams = { .len = 0 };

	if (!m)
		return CELL_INVALID_ARGUMENT;
	put_streams(&streams, m);
	return cell_plan_text(job->work, job->mine, MACRO_PIECE_KIND_INLINE, streams.bytes);
}

static int expand(void *userdata)
{
	struct job *job = userdata;
	struct reading reading;
	struct gen_message *m = own_message(job, &reading, true);
	struct gen_text declarations = { .len = 0 }, streams = { .len = 0 }, codec = { .len = 0 };
	bool is_unit;

	if (!m)
		return CELL_INVALID_ARGUMENT;
	is_unit = m->n_fields > INLINE_FIELDS_MAX && !is_shared(job->work);
	put_declarations(&declarations, job, m);
	put_streams(&streams, m);
	if (is_unit)
		put_unit(&codec, job, &reading, m);
	else
		put_codec(&codec, m);
	put_piece(job->work, job->mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_DECL, &declarations);
	put_piece(job->work, job->mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_INLINE, &streams);
	put_piece(job->work, job->mine, MACRO_ANCHOR_END,
		  is_unit ? MACRO_PIECE_KIND_UNIT : MACRO_PIECE_KIND_ONCE, &codec);
	return 0;
}

int builtin_message_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct job job = { work, mine, live_schema_ask(work) };

	return gen_run(plan, &job);
}

int builtin_message_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	struct job job = { work, mine, live_schema_ask(work) };

	return gen_run(expand, &job);
}
