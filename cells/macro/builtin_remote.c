#include "builtin_part.h"

#include <cell/cell.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <ops.cell.h>

/*
 * cell::remote: a typed client of a running cell. Its schema is asked when the attribute is
 * planned and when it is expanded, as the text is a function of it; the digest is a state, so
 * that a cell that changed makes its clients be expanded anew.
 */

/* A schema larger than this is a mistake, or meant to be one. */
#define SCHEMA_MAX (4u * 1024 * 1024)
#define DIGEST_SIZE 32
#define ASK_WITHIN_MS 1500u

struct client {
	struct cell_macro_work *work;
	const struct macro_attribute *mine;
	const struct macro_value *value;
	const char *cell, *alias;
	const uint8_t *schema;
	size_t schema_len;
	bool expands;
};

static void remember(struct builtin *self, const char *cell)
{
	for (size_t i = 0; i < self->n_cells; i++)
		if (strcmp(self->cells[i], cell) == 0)
			return;
	if (self->n_cells < sizeof self->cells / sizeof *self->cells)
		(void)snprintf(self->cells[self->n_cells++], sizeof *self->cells, "%s", cell);
}

void builtin_recall(struct builtin *self, const char *const *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(ids[i], "schema ", 7) == 0 &&
		    strlen(ids[i] + 7) < sizeof *self->cells)
			remember(self, ids[i] + 7);
}

int schema_ask(struct cell_call *call, const char *cell, const uint8_t **ret, size_t *ret_len)
{
	struct cell_call *to = cell_to(cell_within_ms(call, ASK_WITHIN_MS), cell, 0);
	struct ops_schema_report report;
	int r = ops_schema(to, &report);

	if (r < 0)
		return r;
	*ret = report.file_descriptor_set;
	*ret_len = report.n_file_descriptor_set;
	return 0;
}

static void digest_of(uint8_t *digest, const uint8_t *schema, size_t len)
{
	(void)crypto_generichash(digest, DIGEST_SIZE, schema, len, NULL, 0);
}

int builtin_states(struct cell_call *call, void *self, const struct macro_state **ret_states,
		   size_t *ret_n)
{
	const struct builtin *builtin = self;
	struct macro_state *states = NULL;
	size_t n = 0;

	if (builtin)
		states = cell_arena_calloc(cell_arena(call), builtin->n_cells, sizeof *states);
	for (size_t i = 0; states && i < builtin->n_cells; i++) {
		uint8_t *digest = cell_arena_alloc(cell_arena(call), DIGEST_SIZE);
		const uint8_t *schema;
		size_t len, at = n;

		/* Who does not run has no state: what depends on it is not known to be current. */
		if (!digest || schema_ask(call, builtin->cells[i], &schema, &len) < 0)
			continue;
		digest_of(digest, schema, len);
		for (; at && strcmp(states[at - 1].id + 7, builtin->cells[i]) > 0; at--)
			states[at] = states[at - 1];
		states[at] = (struct macro_state){
			.id = cell_arena_printf(cell_arena(call), "schema %s", builtin->cells[i]),
			.n_digest = DIGEST_SIZE, .digest = digest,
		};
		n++;
	}
	*ret_states = states;
	*ret_n = n;
	return 0;
}

/* --- the text --------------------------------------------------------------------------- */

static bool is_offered(const struct gen_file *file)
{
	return file->n_services && strcmp(file->channel, "CELL_CHANNEL_APP") == 0;
}

/* The files of what is offered, and those whose types they use. */
static void choose(const struct gen_model *model, const struct gen_file *file, bool *chosen)
{
	if (chosen[file - model->files])
		return;
	chosen[file - model->files] = true;
	for (size_t i = 0; i < file->n_uses; i++)
		choose(model, file->uses[i], chosen);
}

static void put_types(struct gen_text *out, const struct gen_file *file)
{
	for (size_t i = 0; i < file->n_messages; i++)
		gen_put(out, "%s;\n", gen_message_type(file->messages[i]));
	for (size_t i = 0; i < file->n_enums; i++)
		gen_emit_enum(out, file->enums[i]);
	for (size_t i = 0; i < file->n_messages; i++)
		gen_emit_struct(out, file->messages[i]);
}

static void put_codecs(struct gen_text *out, const struct gen_file *file)
{
	for (size_t i = 0; i < file->n_messages; i++) {
		struct gen_message *m = file->messages[i];

		m->linkage = m->is_entry ? "static " : "__attribute__((weak)) ";
		gen_emit_bound(out, m);
		gen_emit_encode(out, m);
		gen_emit_init(out, m);
		gen_emit_merge(out, m);
		if (!m->is_entry)
			gen_emit_type(out, m, gen_emit_shape(out, m));
	}
}

static int refuse_model(struct client *c, const struct gen_model *model)
{
	const char *text = gen_printf("%.*s", (int)strcspn(model->errors.bytes, "\n"),
				      model->errors.bytes);

	(void)cell_macro_refuse(c->work, c->mine, c->value, "the schema of cell '%s': %s", c->cell,
				text);
	return CELL_INVALID_ARGUMENT;
}

static int nothing_offered(struct client *c)
{
	return cell_macro_refuse(c->work, c->mine, c->value, "cell '%s' offers no methods", c->cell);
}

static int emit(struct client *c, const struct gen_model *model)
{
	struct gen_text types = { .len = 0 }, stubs = { .len = 0 }, once = { .len = 0 };
	bool *chosen = gen_take(model->n_files + 1);
	bool any = false;
	int r;

	for (size_t i = 0; i < model->n_files; i++)
		if (is_offered(&model->files[i])) {
			choose(model, &model->files[i], chosen);
			any = true;
		}
	if (!any)
		return nothing_offered(c);
	for (size_t i = 0; i < model->n_files; i++) {
		const struct gen_file *file = &model->files[i];

		if (!chosen[i])
			continue;
		put_types(&types, file);
		for (size_t j = 0; j < file->n_messages; j++)
			if (!file->messages[j]->is_entry)
				gen_emit_prototypes(&once, file->messages[j]);
	}
	for (size_t i = 0; i < model->n_files; i++) {
		const struct gen_file *file = &model->files[i];

		if (chosen[i])
			put_codecs(&once, file);
		for (size_t s = 0; is_offered(file) && s < file->n_services; s++) {
			gen_emit_client(&stubs, file, &file->services[s]);
			gen_emit_client_methods(&once, file, &file->services[s]);
		}
	}
	if (!c->expands) {
		r = cell_plan_text(c->work, c->mine, MACRO_PIECE_KIND_DECL, types.bytes);
		return r ? r : cell_plan_text(c->work, c->mine, MACRO_PIECE_KIND_INLINE, stubs.bytes);
	}
	put_piece(c->work, c->mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_DECL, &types);
	put_piece(c->work, c->mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_INLINE, &stubs);
	put_piece(c->work, c->mine, MACRO_ANCHOR_END, MACRO_PIECE_KIND_ONCE, &once);
	return 0;
}

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

static int make(void *userdata)
{
	struct client *c = userdata;
	ProtobufCAllocator memory = { .alloc = on_alloc, .free = on_free };
	const struct gen_options options = { .cell = c->cell, .alias = c->alias };
	Google__Protobuf__FileDescriptorSet *set;
	struct gen_model model;

	set = google__protobuf__file_descriptor_set__unpack(&memory, c->schema_len, c->schema);
	if (!set)
		return cell_macro_refuse(c->work, c->mine, c->value,
					 "cell '%s' gave no schema that makes sense", c->cell);
	for (size_t i = 0; i < set->n_file; i++)
		if (!set->file[i]->name)
			return cell_macro_refuse(c->work, c->mine, c->value,
						 "the schema of cell '%s' has a file without a name",
						 c->cell);
	gen_model_build(&model, set->file, set->n_file, &options);
	return model.errors.len ? refuse_model(c, &model) : emit(c, &model);
}

/* --- the macro -------------------------------------------------------------------------- */

static bool is_alias(const char *text)
{
	return *text >= 'a' && *text <= 'z' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(text);
}

static int check(struct client *c)
{
	if (c->value->kind != MACRO_VALUE_KIND_STRING || !is_cell_name(c->value->text))
		return cell_macro_refuse(c->work, c->mine, c->value,
					 "write: cell::remote(alias = \"cell\")");
	if (!is_alias(c->alias)) {
		(void)cell_macro_refuse(c->work, c->mine, c->value,
					"'%s' is no beginning of names", c->alias);
		cell_macro_note(c->work, "an alias has small letters, digits and '_'");
		return CELL_INVALID_ARGUMENT;
	}
	return 0;
}

static int fetch(struct client *c)
{
	struct cell_call *call = cell_macro_call(c->work);
	int r = schema_ask(call, c->cell, &c->schema, &c->schema_len);

	if (r < 0) {
		(void)cell_macro_refuse(c->work, c->mine, c->value,
					r == CELL_UNAVAILABLE || r == CELL_NOT_FOUND
						? "cell '%s' is not running"
						: "cell '%s' does not tell its schema",
					c->cell);
		if (r == CELL_UNAVAILABLE || r == CELL_NOT_FOUND)
			cell_macro_note(c->work, "run: cell run %s", c->cell);
		else
			cell_macro_note(c->work, "%s", cell_error(call)->text);
		return CELL_INVALID_ARGUMENT;
	}
	if (c->schema_len > SCHEMA_MAX)
		return cell_macro_refuse(c->work, c->mine, c->value,
					 "the schema of cell '%s' has %zu bytes, limit %u", c->cell,
					 c->schema_len, SCHEMA_MAX);
	return 0;
}

/* One `alias = "cell"` (or "cell" alone, which is its own alias). */
static int client_do(struct client *c)
{
	struct builtin *self = cell_macro_self(c->work);
	const char *state = cell_macro_printf(c->work, "schema %s", c->cell);
	uint8_t digest[DIGEST_SIZE];
	int r = check(c);

	if (r == 0)
		r = fetch(c);
	if (r < 0)
		return r;
	if (self)
		remember(self, c->cell);
	if (c->expands) {
		digest_of(digest, c->schema, c->schema_len);
		r = cell_macro_depends(c->work, state, digest, sizeof digest);
	} else {
		r = cell_plan_use(c->work, c->mine, c->cell, "app");
		if (r == 0)
			r = cell_plan_reads(c->work, state);
	}
	return r < 0 ? r : gen_run(make, c);
}

static int remote(struct cell_macro_work *work, const struct macro_attribute *mine, bool expands)
{
	const struct macro_value *value = NULL;
	size_t n = 0;
	int r = 0;

	while (r == 0 && (value = cell_macro_next(mine, NULL, value))) {
		struct client c = { .work = work, .mine = mine, .value = value,
				    .cell = value->text, .expands = expands };

		c.alias = *value->name ? value->name : service_word(work, value->text);
		r = client_do(&c);
		n++;
	}
	if (r == 0 && n == 0)
		return cell_macro_refuse(work, mine, NULL, "write: cell::remote(alias = \"cell\")");
	return r;
}

int builtin_remote_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	return remote(work, mine, false);
}

int builtin_remote_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	return remote(work, mine, true);
}
