/* Expanding: pieces of text, facts, and what goes with them. */
#include "macro_work.h"

#include <cell/cell.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text of one piece; the macro cell takes 1 MiB of a whole expansion. */
#define PIECE_MAX (1u << 20)

/* What pieces that no memory was left for write to. */
static struct cell_piece no_piece;

static void piece_source(struct cell_piece *piece, uint32_t attribute, uint32_t value,
			 const char *member)
{
	struct macro_line_source *sources = piece->sources.items, *last;

	if (piece == &no_piece)
		return;
	last = piece->sources.n ? &sources[piece->sources.n - 1] : NULL;
	if (!last || last->line != piece->line)
		last = macro_list_add(piece->work, &piece->sources, sizeof *last);
	if (last)
		*last = (struct macro_line_source){ .line = piece->line, .attribute = attribute,
						    .value = value, .member = member };
}

struct cell_piece *cell_piece(struct cell_macro_work *work, const struct macro_attribute *mine,
			      enum macro_anchor anchor, enum macro_piece_kind kind)
{
	struct cell_piece *piece = cell_arena_calloc(cell_arena(work->call), 1, sizeof *piece);

	if (!piece) {
		work->is_out_of_memory = true;
		return &no_piece;
	}
	piece->work = work;
	piece->mine = mine;
	piece->anchor = anchor;
	piece->kind = kind;
	piece->symbol = "";
	piece->line = 1;
	*work->pieces_end = piece;
	work->pieces_end = &piece->next;
	piece_source(piece, mine->id, 0, "");
	return piece;
}

struct cell_piece *cell_piece_wrap(struct cell_macro_work *work,
				   const struct macro_attribute *mine, enum macro_phase phase,
				   const char *symbol)
{
	struct cell_piece *piece =
		cell_piece(work, mine, MACRO_ANCHOR_WRAP, MACRO_PIECE_KIND_INLINE);
	const char *copy = cell_arena_strdup(cell_arena(work->call), symbol);

	if (piece == &no_piece || !copy) {
		work->is_out_of_memory = true;
		return piece;
	}
	piece->phase = phase;
	piece->symbol = copy;
	return piece;
}

static void piece_append(struct cell_piece *piece, const char *text, size_t len)
{
	if (piece == &no_piece)
		return;
	if (len > PIECE_MAX - piece->len) {
		(void)macro_bug(piece->work, piece->mine, "a piece of more than %u bytes", PIECE_MAX);
		return;
	}
	if (piece->size - piece->len <= len) {
		size_t size = piece->size ? piece->size : 512;
		char *grown;

		while (size - piece->len <= len)
			size *= 2;
		grown = cell_arena_alloc(cell_arena(piece->work->call), size);
		if (!grown) {
			piece->work->is_out_of_memory = true;
			return;
		}
		if (piece->len)
			memcpy(grown, piece->text, piece->len);
		piece->text = grown;
		piece->size = size;
	}
	memcpy(piece->text + piece->len, text, len);
	piece->len += len;
	piece->text[piece->len] = '\0';
	for (const char *at = text; (at = memchr(at, '\n', (size_t)(text + len - at))); at++)
		piece->line++;
}

void cell_piece_put(struct cell_piece *piece, const char *format, ...)
{
	va_list args, again;
	char small[512], *text = small;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(small, sizeof small, format, args);
	if (len >= (int)sizeof small && piece != &no_piece) {
		text = cell_arena_alloc(cell_arena(piece->work->call), (size_t)len + 1);
		if (text)
			(void)vsnprintf(text, (size_t)len + 1, format, again);
		else
			piece->work->is_out_of_memory = true;
	}
	if (text && len > 0)
		piece_append(piece, text, (size_t)len);
	va_end(again);
	va_end(args);
}

/* The length of "name" in "$name$" at AT; 0 if that is none. */
static size_t word_at(const char *at)
{
	size_t len = strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_");

	return at[0] == '$' && at[1 + len] == '$' ? len : 0;
}

static const char *word_value(const char *const *words, const char *name, size_t len)
{
	for (; words && words[0]; words += 2)
		if (strlen(words[0]) == len && memcmp(words[0], name, len) == 0)
			return words[1] ? words[1] : "";
	return NULL;
}

void cell_piece_template(struct cell_piece *piece, const char *text, const char *const *words)
{
	while (*text) {
		size_t plain = strcspn(text, "$"), len;
		const char *value;

		piece_append(piece, text, plain);
		text += plain;
		if (!*text)
			return;
		len = word_at(text);
		value = len ? word_value(words, text + 1, len) : NULL;
		if (value) {
			piece_append(piece, value, strlen(value));
		} else if (len && (len != 4 || memcmp(text + 1, "next", 4) != 0)) {
			if (piece != &no_piece)
				(void)macro_bug(piece->work, piece->mine,
						"its template has $%.*s$, and no such word is given",
						(int)len, text + 1);
			return;
		} else {
			piece_append(piece, text, len ? len + 2 : 1);
		}
		text += len ? len + 2 : 1;
	}
}

void cell_piece_literal(struct cell_piece *piece, const char *text)
{
	piece_append(piece, "\"", 1);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		char escaped[8];
		int n;

		if (c == '"' || c == '\\')
			n = snprintf(escaped, sizeof escaped, "\\%c", c);
		else if (c == '\n')
			n = snprintf(escaped, sizeof escaped, "\\n");
		else if (c == '\t')
			n = snprintf(escaped, sizeof escaped, "\\t");
		/* "??" would begin a trigraph, and "$next$" the name of a function. */
		else if (c == '?' || c == '$' || c < ' ' || c == 0x7f)
			n = snprintf(escaped, sizeof escaped, "\\%03o", c);
		else
			n = snprintf(escaped, sizeof escaped, "%c", c);
		piece_append(piece, escaped, (size_t)n);
	}
	piece_append(piece, "\"", 1);
}

void cell_piece_from_member(struct cell_piece *piece, const char *member)
{
	const char *copy;

	if (piece == &no_piece)
		return;
	copy = cell_arena_strdup(cell_arena(piece->work->call), member);
	if (copy)
		piece_source(piece, piece->mine->id, 0, copy);
	else
		piece->work->is_out_of_memory = true;
}

void cell_piece_from_value(struct cell_piece *piece, const struct macro_attribute *attribute,
			   const struct macro_value *value)
{
	uint32_t index = 0;

	if (value && value >= attribute->values && value < attribute->values + attribute->n_values)
		index = (uint32_t)(value - attribute->values) + 1;
	piece_source(piece, attribute->id, index, "");
}

/* --- what goes with the text ----------------------------------------------------------------- */

static const uint8_t *keep_bytes(struct cell_macro_work *work, const void *bytes, size_t len)
{
	uint8_t *copy = cell_arena_alloc(cell_arena(work->call), len);

	if (!copy)
		work->is_out_of_memory = true;
	else if (len)
		memcpy(copy, bytes, len);
	return copy;
}

static const char *keep_text(struct cell_macro_work *work, const char *text)
{
	const char *copy = cell_arena_strdup(cell_arena(work->call), text);

	if (!copy)
		work->is_out_of_memory = true;
	return copy;
}

static const struct macro_want *find_want(const struct cell_macro_work *work, const char *ns,
					  const char *key)
{
	const struct macro_want *wants = work->wants.items;

	for (size_t i = 0; i < work->wants.n; i++)
		if (strcmp(wants[i].ns, ns) == 0 && strcmp(wants[i].key, key) == 0)
			return &wants[i];
	return NULL;
}

static int no_value(struct cell_macro_work *work, const char *ns, const char *key,
		    enum macro_query_result_outcome why, enum macro_query_result_outcome *ret_outcome)
{
	static const char *const reasons[] = {
		[MACRO_QUERY_RESULT_OUTCOME_VALUE] = "no value",
		[MACRO_QUERY_RESULT_OUTCOME_UNDECLARED] = "the plan does not want it",
		[MACRO_QUERY_RESULT_OUTCOME_CYCLE] = "each needs the other",
		[MACRO_QUERY_RESULT_OUTCOME_TIMEOUT] = "no answer in time",
		[MACRO_QUERY_RESULT_OUTCOME_FEATURE_OFF] = "switched off",
		[MACRO_QUERY_RESULT_OUTCOME_OFFLINE] = "nobody who could know runs",
		[MACRO_QUERY_RESULT_OUTCOME_UNKNOWN] = "not known there",
		[MACRO_QUERY_RESULT_OUTCOME_HOPS] = "too many questions on the way",
	};
	const char *reason = (size_t)why < sizeof reasons / sizeof *reasons ? reasons[why] : "?";

	if (why == MACRO_QUERY_RESULT_OUTCOME_TIMEOUT || why == MACRO_QUERY_RESULT_OUTCOME_OFFLINE)
		work->is_degraded = true;
	if (ret_outcome)
		*ret_outcome = why;
	return cell_refuse(work->call, CELL_UNAVAILABLE, "%s: %s: %s", ns, key, reason);
}

int cell_macro_query(struct cell_macro_work *work, const char *ns, const char *key,
		     const uint8_t **ret_value, size_t *ret_len,
		     enum macro_query_result_outcome *ret_outcome)
{
	struct macro_query query = { .ns = ns, .key = key };
	struct macro_query_result result = { .outcome = MACRO_QUERY_RESULT_OUTCOME_OFFLINE };
	int r;

	if (!find_want(work, ns, key))
		return no_value(work, ns, key, MACRO_QUERY_RESULT_OUTCOME_UNDECLARED, ret_outcome);
	for (size_t i = 0; work->go && i < work->go->n_facts; i++) {
		const struct macro_fact *fact = &work->go->facts[i];

		if (strcmp(fact->ns, ns) == 0 && strcmp(fact->key, key) == 0) {
			*ret_value = fact->value;
			*ret_len = fact->n_value;
			if (ret_outcome)
				*ret_outcome = MACRO_QUERY_RESULT_OUTCOME_VALUE;
			return 0;
		}
	}
	r = work->query ? work->query(work->query_userdata, &query, &result) : 0;
	if (r < 0)
		return r;
	if (result.outcome != MACRO_QUERY_RESULT_OUTCOME_VALUE)
		return no_value(work, ns, key, result.outcome, ret_outcome);
	*ret_value = result.value;
	*ret_len = result.n_value;
	if (ret_outcome)
		*ret_outcome = MACRO_QUERY_RESULT_OUTCOME_VALUE;
	return 0;
}

int cell_macro_fact(struct cell_macro_work *work, const char *key, const void *value, size_t len)
{
	struct macro_fact *fact = macro_list_add(work, &work->facts, sizeof *fact);

	if (!fact)
		return -ENOMEM;
	fact->ns = work->provider->namespaces[0];
	fact->key = keep_text(work, key);
	fact->value = keep_bytes(work, value, len);
	fact->n_value = len;
	return fact->key && fact->value ? 0 : -ENOMEM;
}

const char *cell_macro_kept(const struct cell_macro_work *work, const char *key)
{
	const struct macro_plan_request *request = work->request;

	for (size_t i = 0; i < request->n_kept; i++) {
		const struct macro_kept_of *of = &request->kept[i];

		if (!macro_owns(work->provider, of->ns))
			continue;
		for (size_t k = 0; k < of->n_kept; k++)
			if (strcmp(of->kept[k].key, key) == 0)
				return of->kept[k].value;
	}
	return NULL;
}

int cell_macro_keep(struct cell_macro_work *work, const char *key, const char *value)
{
	struct macro_kept *items = work->kept.items, *kept = NULL;

	for (size_t i = 0; i < work->kept.n; i++)
		if (strcmp(items[i].key, key) == 0)
			kept = &items[i];
	if (!kept) {
		kept = macro_list_add(work, &work->kept, sizeof *kept);
		if (!kept)
			return -ENOMEM;
		kept->key = keep_text(work, key);
	}
	kept->value = keep_text(work, value);
	return kept->key && kept->value ? 0 : -ENOMEM;
}

int cell_macro_depends(struct cell_macro_work *work, const char *state, const uint8_t *digest,
		       size_t len)
{
	struct macro_state *item = macro_list_add(work, &work->states, sizeof *item);

	if (!item)
		return -ENOMEM;
	item->id = keep_text(work, state);
	item->digest = keep_bytes(work, digest, len);
	item->n_digest = len;
	return item->id && item->digest ? 0 : -ENOMEM;
}

static bool path_is_below(const char *path)
{
	if (!*path || *path == '/')
		return false;
	for (const char *part = path; part;) {
		size_t len = strcspn(part, "/");

		if (len == 0 || (len == 1 && *part == '.') || (len == 2 && memcmp(part, "..", 2) == 0))
			return false;
		part = part[len] ? part + len + 1 : NULL;
	}
	return true;
}

int cell_macro_file(struct cell_macro_work *work, const char *path, const void *content, size_t len)
{
	struct macro_file *file;

	if (!path_is_below(path))
		return macro_bug(work, NULL, "file '%s' is not below the build's folder", path);
	file = macro_list_add(work, &work->files, sizeof *file);
	if (!file)
		return -ENOMEM;
	file->path = keep_text(work, path);
	file->content = keep_bytes(work, content, len);
	file->n_content = len;
	return file->path && file->content ? 0 : -ENOMEM;
}

int cell_macro_declare(struct cell_macro_work *work, const struct macro_attribute *mine,
		       const char *name, const void *body, size_t len)
{
	struct macro_declared *declared = macro_list_add(work, &work->declared, sizeof *declared);
	uint8_t *digest = cell_arena_alloc(cell_arena(work->call), MACRO_DIGEST_SIZE);

	if (!declared || !digest)
		return -ENOMEM;
	(void)crypto_generichash(digest, MACRO_DIGEST_SIZE, body, len, NULL, 0);
	declared->ns = mine->ns;
	declared->name = keep_text(work, name);
	declared->body = keep_bytes(work, body, len);
	declared->n_body = len;
	declared->digest = digest;
	declared->n_digest = MACRO_DIGEST_SIZE;
	declared->attribute = mine->id;
	return declared->name && declared->body ? 0 : -ENOMEM;
}
