#include "expand_work.h"

#include "folder.h"
#include "key.h"
#include "writer.h"

#include <string.h>

static const struct key_provider *providers_of(const struct work *w, const struct item *item)
{
	struct key_provider *list =
		must_new(w->arena, struct key_provider, item->prepared.n_namespaces);

	for (size_t i = 0; i < item->prepared.n_namespaces; i++) {
		const struct known_namespace *known = item->prepared.namespaces[i];

		list[i] = (struct key_provider){ known->ns, known->cell, known->key,
						 known->digest };
	}
	return list;
}

const char *lookup_features(const struct work *w)
{
	struct writer out = writer_new(w->arena);

	for (const char *const *off = w->project->features_off; off && *off; off++)
		writer_put(&out, "%s\n", *off);
	return key_hash(out.text, strlen(out.text), w->arena);
}

const char *lookup_state(const struct work *w, const char *id)
{
	for (size_t i = 0; i < w->known.n; i++) {
		const struct macro_catalog *catalog = w->known.list[i].catalog;

		for (size_t k = 0; catalog && k < catalog->n_states; k++)
			if (strcmp(catalog->states[k].id, id) == 0)
				return hex_of(w->arena, catalog->states[k].digest,
					      catalog->states[k].n_digest);
	}
	return NULL;
}

/*
 * As the cells that run say, else as the locks of the declaration's namespaces remember. A
 * cell that runs may not know a state of its own any more, as it has restarted, or because
 * whom it would ask is gone: that does not mean that the state has changed.
 */
static const char *state_now(const struct work *w, struct item *item, const char *id)
{
	const char *said = lookup_state(w, id);

	if (strcmp(id, FEATURES) == 0)
		return lookup_features(w);
	if (said)
		return said;
	for (size_t i = 0; i < item->prepared.n_namespaces; i++) {
		const char *digest = lock_find_state(&item->prepared.namespaces[i]->lock, id);

		if (digest && item->prepared.namespaces[i]->catalog)
			item->assumed = id;
		if (digest)
			return digest;
	}
	return "gone";
}

const char *lookup_key(const struct work *w, const struct item *item,
		       const struct macro_plan_request *request,
		       const struct lock_state *states, size_t n)
{
	struct key_state *list = must_new(w->arena, struct key_state, n);
	struct macro_plan_request plain = *request;

	for (size_t i = 0; i < n; i++)
		list[i] = (struct key_state){ states[i].id, states[i].digest };
	plain.n_features_off = 0;
	return key_make(&plain, providers_of(w, item), item->prepared.n_namespaces, list, n,
			w->arena);
}

/* The use that all namespaces of the declaration agree on, or NULL. */
static const struct lock_use *find_use(const struct item *item)
{
	const struct lock_use *found = NULL;

	for (size_t i = 0; i < item->prepared.n_namespaces; i++) {
		const struct lock_use *use =
			lock_find_use(&item->prepared.namespaces[i]->lock,
				      item->prepared.file, item->prepared.name);

		if (!use || (found && (strcmp(found->key, use->key) != 0 ||
				       strcmp(found->plan, use->plan) != 0)))
			return NULL;
		found = use;
	}
	return found;
}

const char *lookup_plan_path(const struct item *item, const char *key,
			     struct cell_arena *arena)
{
	return must_printf(arena, "exp/%s.plan",
			   cache_stem(item->prepared.namespaces[0]->ns, item->prepared.name,
				      key, arena));
}

/* A file below .cell whose hash is known; NULL if it is not there or was changed by hand. */
static const char *load_file(const struct work *w, const char *path, const char *hash)
{
	char *text = NULL;
	size_t len = 0;

	if (folder_read(must_printf(w->arena, "%s/%s", w->project->folder, path),
			CACHE_PLAN_MAX, w->arena, &text, &len, NULL) < 0 ||
	    strlen(text) != len || strcmp(key_hash(text, len, w->arena), hash) != 0)
		return NULL;
	return text;
}

static bool load(const struct work *w, struct item *item, const struct lock_use *use)
{
	const char *path = lookup_plan_path(item, use->key, w->arena);
	const char *text = load_file(w, path, use->plan);
	struct cached cached;
	struct macro_piece *pieces;

	if (!text || cache_parse(&cached, text, strlen(text), path, w->arena, NULL) < 0)
		return false;
	pieces = must_new(w->arena, struct macro_piece, cached.code.n_pieces);
	for (size_t i = 0; i < cached.code.n_pieces; i++) {
		pieces[i] = cached.code.pieces[i];
		pieces[i].text =
			load_file(w, must_printf(w->arena, "exp/%s", cached.paths[i]),
				  cached.hashes[i]);
		if (!pieces[i].text)
			return false;
	}
	cached.code.pieces = pieces;
	item->cached = cached;
	return true;
}

const struct attribute *lookup_unreachable(const struct item *item)
{
	for (size_t i = 0; i < item->prepared.request.n_attributes; i++) {
		const struct macro_attribute *attribute =
			&item->prepared.request.attributes[i];

		for (size_t k = 0; k < item->prepared.n_namespaces; k++)
			if (strcmp(item->prepared.namespaces[k]->ns, attribute->ns) == 0 &&
			    !item->prepared.namespaces[k]->catalog)
				return conflict_attribute(&item->prepared, attribute->id);
	}
	return NULL;
}

/* Whether the programs that run now are those that gave the answer of the item's key. */
static bool is_confirmed(const struct item *item)
{
	for (size_t i = 0; i < item->prepared.n_namespaces; i++) {
		const struct known_namespace *known = item->prepared.namespaces[i];

		if (*known->program &&
		    !program_answered(&known->answered, known->program, item->key))
			return false;
	}
	return true;
}

void lookup_item(struct work *w, struct item *item)
{
	const struct lock_use *use = find_use(item);
	struct lock_state *states;

	request_take_kept(&item->prepared, w->project->root, w->arena);
	if (!use)
		return;
	item->old_key = use->key;
	states = must_new(w->arena, struct lock_state, use->n_reads);
	for (size_t i = 0; i < use->n_reads; i++)
		states[i] = (struct lock_state){ use->reads[i],
						 state_now(w, item, use->reads[i]) };
	item->key = lookup_key(w, item, &item->prepared.request, states, use->n_reads);
	if (w->project->fresh || strcmp(item->key, use->key) != 0 || item->prepared.kept_from)
		return;
	/* Who would have to ask somebody who is gone cannot confirm anything. */
	if ((!item->assumed && !lookup_unreachable(item) && !is_confirmed(item)) ||
	    !load(w, item, use))
		return;
	item->is_there = true;
	item->states = states;
	item->n_states = use->n_reads;
}
