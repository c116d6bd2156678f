#include "lock.h"

#include "writer.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static const char *const places[] = {
	[MACRO_PLACE_FILE] = "file",
	[MACRO_PLACE_STRUCT] = "struct",
	[MACRO_PLACE_UNION] = "union",
	[MACRO_PLACE_ENUM] = "enum",
	[MACRO_PLACE_ENUMERATOR] = "enumerator",
	[MACRO_PLACE_MEMBER] = "member",
	[MACRO_PLACE_FUNCTION] = "function",
	[MACRO_PLACE_PROTOTYPE] = "prototype",
	[MACRO_PLACE_PARAMETER] = "parameter",
	[MACRO_PLACE_TYPEDEF] = "typedef",
	[MACRO_PLACE_VARIABLE] = "variable",
	NULL,
};

static const char *const additions[] = {
	[MACRO_ADDITION_FIELDS] = "fields",
	[MACRO_ADDITION_WRAP] = "wrap",
	[MACRO_ADDITION_BODY] = "body",
	[MACRO_ADDITION_DECLARATIONS] = "declarations",
	[MACRO_ADDITION_FILES] = "files",
	[MACRO_ADDITION_ASM] = "asm",
	NULL,
};

static const char *const kinds[] = {
	[MACRO_VALUE_KIND_ANY] = "any",
	[MACRO_VALUE_KIND_STRING] = "string",
	[MACRO_VALUE_KIND_INTEGER] = "integer",
	[MACRO_VALUE_KIND_BOOL] = "bool",
	[MACRO_VALUE_KIND_IDENTIFIER] = "identifier",
	[MACRO_VALUE_KIND_LIST] = "list",
	[MACRO_VALUE_KIND_RECORD] = "record",
	[MACRO_VALUE_KIND_FLOAT] = "float",
	[MACRO_VALUE_KIND_NULL] = "null",
	[MACRO_VALUE_KIND_TOKENS] = "tokens",
	NULL,
};

/* What arguments are made of; '%' and blanks are quoted anyway. */
#define ARGUMENT_STOP ",:!|{}=<>*"

/* The index of WORD in NAMES; -1. Entries before the first one may be NULL. */
static int find(const char *const *names, const char *word)
{
	for (int i = names[0] ? 0 : 1; names[i]; i++)
		if (strcmp(names[i], word) == 0)
			return i;
	return -1;
}

/* ---- parsing ------------------------------------------------------------------------- */

struct parser {
	struct lock *lock;
	struct cell_arena *arena;
	struct cell_error *err;
	const char *path;
	unsigned line;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct parser *p, const char *format,
						       ...)
{
	va_list args;
	char text[160];

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return cell_fail(p->err, CELL_INVALID_ARGUMENT, "%s:%u: %s", p->path, p->line, text);
}

/* The next word of *AT, unquoted later; NULL at the end. */
static char *word_take(char **at)
{
	char *word = *at, *end;

	if (!word)
		return NULL;
	end = strchr(word, ' ');
	if (end)
		*end = 0;
	*at = end ? end + 1 : NULL;
	return word;
}

static int word_text(struct parser *p, char **at, const char *what, const char **ret)
{
	char *word = word_take(at);

	if (!word || !*word)
		return wrong(p, "%s is missing", what);
	if (writer_unquote(word) < 0)
		return wrong(p, "%s has a wrong %%XX", what);
	*ret = word;
	return 0;
}

static bool is_hex(const char *text, size_t len)
{
	return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

/* "NAME=blake2b:…" or, with NAME "", the hash alone. */
static int word_hash(struct parser *p, char **at, const char *name, const char **ret)
{
	char *word = word_take(at);
	size_t len = strlen(name);

	if (!word || strncmp(word, name, len) != 0 ||
	    strncmp(word + len, "blake2b:", 8) != 0 || !is_hex(word + len + 8, 64))
		return wrong(p, "wanted %sblake2b: and 64 digits", name);
	*ret = word + len + 8;
	return 0;
}

static int parse_cell(struct parser *p, char *rest)
{
	struct lock *lock = p->lock;
	int r;

	if (lock->cell)
		return wrong(p, "there is a second line 'cell': keep the one that is right");
	r = word_text(p, &rest, "the cell's name", &lock->cell);
	if (r == 0)
		r = word_text(p, &rest, "the provider's key", &lock->key);
	if (r == 0)
		r = word_hash(p, &rest, "catalog=", &lock->catalog);
	return r == 0 && rest ? wrong(p, "more than expected: '%.40s'", rest) : r;
}

/* A list separated by SEPARATOR: the next element of *AT, or NULL. */
static char *list_take(char **at, char separator)
{
	char *item = *at, *end;

	if (!item)
		return NULL;
	end = strchr(item, separator);
	if (end)
		*end = 0;
	*at = end ? end + 1 : NULL;
	return item;
}

static int parse_bits(struct parser *p, char *text, const char *const *names, uint32_t *ret)
{
	for (char *item; (item = list_take(&text, ','));) {
		int bit = find(names, item);

		if (bit < 0)
			return wrong(p, "unknown word '%.40s'", item);
		*ret |= UINT32_C(1) << bit;
	}
	return 0;
}

static int parse_strings(struct parser *p, char *text, char separator,
			 const char *const **ret, size_t *ret_n)
{
	const char **list = NULL;
	size_t n = 0;

	for (char *item; (item = list_take(&text, separator));) {
		if (!*item || writer_unquote(item) < 0)
			return wrong(p, "wrong list");
		*must_add(p->arena, list, n) = item;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

/* [*]NAME:KIND[<KIND>][!][{a|b}][=FALLBACK] */
static int parse_argument(struct parser *p, char *text, struct macro_argument *ret)
{
	char *kind, *of = NULL, *choices = NULL, *fallback = strchr(text, '=');
	int value;

	*ret = (struct macro_argument){ .fallback = "", .doc = "" };
	if (fallback)
		*fallback++ = 0;
	ret->positional = *text == '*';
	text += ret->positional;
	kind = strchr(text, ':');
	if (!kind || kind == text)
		return wrong(p, "wrong argument '%.40s'", text);
	*kind++ = 0;
	choices = strchr(kind, '{');
	if (choices) {
		size_t len;

		*choices++ = 0;
		len = strlen(choices);
		if (len == 0 || choices[len - 1] != '}')
			return wrong(p, "argument '%.40s': '}' is missing", text);
		choices[len - 1] = 0;
		if (parse_strings(p, choices, '|', &ret->choices, &ret->n_choices) < 0)
			return CELL_INVALID_ARGUMENT;
	}
	ret->required = *kind && kind[strlen(kind) - 1] == '!';
	if (ret->required)
		kind[strlen(kind) - 1] = 0;
	of = strchr(kind, '<');
	if (of) {
		*of++ = 0;
		if (!*of || of[strlen(of) - 1] != '>')
			return wrong(p, "argument '%.40s': '>' is missing", text);
		of[strlen(of) - 1] = 0;
		value = find(kinds, of);
		if (value < 0)
			return wrong(p, "argument '%.40s': unknown kind '%.20s'", text, of);
		ret->of = (enum macro_value_kind)value;
	}
	value = find(kinds, kind);
	if (value < 0)
		return wrong(p, "argument '%.40s': unknown kind '%.20s'", text, kind);
	ret->kind = (enum macro_value_kind)value;
	if (writer_unquote(text) < 0 || (fallback && writer_unquote(fallback) < 0))
		return wrong(p, "wrong %%XX in an argument");
	ret->name = text;
	if (fallback)
		ret->fallback = fallback;
	return 0;
}

static int parse_arguments(struct parser *p, char *text,
			   struct macro_macro_description *macro)
{
	struct macro_argument *list = NULL;
	size_t n = 0;

	for (char *item; (item = list_take(&text, ','));) {
		struct macro_argument *argument = must_add(p->arena, list, n);
		int r = parse_argument(p, item, argument);

		if (r < 0)
			return r;
	}
	macro->arguments = list;
	macro->n_arguments = n;
	return 0;
}

static int parse_macro_word(struct parser *p, char *word,
			    struct macro_macro_description *macro)
{
	char *value = strchr(word, '=');

	if (strcmp(word, "repeatable") == 0)
		macro->repeatable = true;
	else if (strcmp(word, "any") == 0)
		macro->any_arguments = true;
	else if (strcmp(word, "raw") == 0)
		macro->raw_argument = true;
	else if (!value)
		return wrong(p, "unknown word '%.40s'", word);
	if (!value)
		return 0;
	*value++ = 0;
	if (strcmp(word, "places") == 0)
		return parse_bits(p, value, places, &macro->places);
	if (strcmp(word, "may") == 0)
		return parse_bits(p, value, additions, &macro->may);
	if (strcmp(word, "args") == 0)
		return parse_arguments(p, value, macro);
	if (strcmp(word, "headers") == 0)
		return parse_strings(p, value, ',', &macro->headers, &macro->n_headers);
	if (strcmp(word, "link") == 0)
		return parse_strings(p, value, ',', &macro->link, &macro->n_link);
	return wrong(p, "unknown word '%.40s'", word);
}

static int parse_macro(struct parser *p, char *rest)
{
	struct macro_macro_description *macro =
		must_add(p->arena, p->lock->macros, p->lock->n_macros);
	int r;

	macro->ns = p->lock->ns;
	macro->doc = "";
	r = word_text(p, &rest, "the macro's name", &macro->name);
	for (char *word; r == 0 && (word = word_take(&rest));)
		r = parse_macro_word(p, word, macro);
	return r;
}

static int parse_state(struct parser *p, char *rest)
{
	struct lock_state *state = must_add(p->arena, p->lock->states, p->lock->n_states);
	int r = word_text(p, &rest, "the state's id", &state->id);

	if (r == 0)
		r = word_hash(p, &rest, "", &state->digest);
	return r == 0 && rest ? wrong(p, "more than expected: '%.40s'", rest) : r;
}

/* kept FILE DECLARATION KEY = VALUE: the key may have blanks. */
static int parse_kept(struct parser *p, char *rest)
{
	struct lock_kept *kept = must_add(p->arena, p->lock->kept, p->lock->n_kept);
	char *value;
	int r = word_text(p, &rest, "the file", &kept->file);

	if (r == 0)
		r = word_text(p, &rest, "the declaration", &kept->declaration);
	if (r < 0)
		return r;
	value = rest ? strstr(rest, " = ") : NULL;
	if (!value || value == rest)
		return wrong(p, "wanted KEY = VALUE");
	*value = 0;
	value += 3;
	if (writer_unquote(rest) < 0 || writer_unquote(value) < 0)
		return wrong(p, "wrong %%XX");
	kept->key = rest;
	kept->value = value;
	return 0;
}

static int strings_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int parse_use(struct parser *p, char *rest)
{
	struct lock_use *use = must_add(p->arena, p->lock->uses, p->lock->n_uses);
	const char *const *reads = NULL;
	int r = word_text(p, &rest, "the file", &use->file);

	if (r == 0)
		r = word_text(p, &rest, "the declaration", &use->declaration);
	if (r == 0)
		r = word_hash(p, &rest, "key=", &use->key);
	if (r == 0)
		r = word_hash(p, &rest, "plan=", &use->plan);
	if (r < 0 || !rest)
		return r;
	if (strncmp(rest, "reads=", 6) != 0 || strchr(rest, ' '))
		return wrong(p, "wanted reads=ID,…");
	r = parse_strings(p, rest + 6, ',', &reads, &use->n_reads);
	use->reads = (const char **)(uintptr_t)reads;
	if (r == 0)
		qsort((void *)use->reads, use->n_reads, sizeof *use->reads, strings_order);
	return r;
}

static int parse_line(struct parser *p, char *line)
{
	static const struct {
		const char *word;
		int (*parse)(struct parser *, char *);
	} table[] = {
		{ "cell", parse_cell }, { "macro", parse_macro }, { "state", parse_state },
		{ "kept", parse_kept }, { "use", parse_use },
	};
	char *rest = line, *word;

	if (strncmp(line, "<<<<<<<", 7) == 0 || strncmp(line, "=======", 7) == 0 ||
	    strncmp(line, ">>>>>>>", 7) == 0)
		return wrong(p,
			     "two branches changed this: keep the lines of both, without the "
			     "marks of the merge, then build");
	word = word_take(&rest);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(word, table[i].word) == 0)
			return table[i].parse(p, rest);
	return wrong(p, "unknown line '%.40s'", word);
}

bool lock_namespace_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > 63 || (*name >= '0' && *name <= '9'))
		return false;
	return strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
	       len;
}

int lock_parse(struct lock *ret, const char *ns, const char *text, size_t len,
	       const char *path, struct cell_arena *arena, struct cell_error *err)
{
	struct lock lock = { .ns = ns, .catalog = "" };
	struct parser p = {
		.lock = &lock, .arena = arena, .err = err, .path = path, .line = 1
	};
	char *copy = must(cell_arena_strndup(arena, text, len));

	if (memchr(text, 0, len))
		return wrong(&p, "not a text");
	for (char *line; (line = list_take(&copy, '\n')); p.line++) {
		int r = 0;

		if (p.line == 1 && strcmp(line, "cell-lock 1") != 0)
			return wrong(&p,
				     "not a lock file that this cellc knows ('cell-lock 1')");
		if (p.line > 1 && *line && *line != '#')
			r = parse_line(&p, line);
		if (r < 0)
			return r;
	}
	*ret = lock;
	return 0;
}

/* ---- writing ------------------------------------------------------------------------- */

static void put_bits(struct writer *out, const char *word, uint32_t bits,
		     const char *const *names)
{
	const char *separator = "";

	if (!bits)
		return;
	writer_put(out, " %s=", word);
	for (int i = 1; names[i]; i++)
		if (bits >> i & 1) {
			writer_put(out, "%s%s", separator, names[i]);
			separator = ",";
		}
}

static void put_strings(struct writer *out, const char *before, const char *const *list,
			size_t n, char separator, const char *stop)
{
	for (size_t i = 0; i < n; i++) {
		if (i == 0)
			writer_put(out, "%s", before);
		else
			writer_add(out, &separator, 1);
		writer_quote(out, list[i], stop);
	}
}

static const char *kind_name(enum macro_value_kind kind)
{
	return (unsigned)kind <= MACRO_VALUE_KIND_TOKENS ? kinds[kind] : kinds[0];
}

static void put_argument(struct writer *out, const struct macro_argument *argument)
{
	writer_put(out, "%s", argument->positional ? "*" : "");
	writer_quote(out, argument->name, ARGUMENT_STOP);
	writer_put(out, ":%s", kind_name(argument->kind));
	if (argument->of)
		writer_put(out, "<%s>", kind_name(argument->of));
	if (argument->required)
		writer_put(out, "!");
	put_strings(out, "{", argument->choices, argument->n_choices, '|', ARGUMENT_STOP);
	if (argument->n_choices)
		writer_put(out, "}");
	if (*argument->fallback) {
		writer_put(out, "=");
		writer_quote(out, argument->fallback, ARGUMENT_STOP);
	}
}

const char *lock_macro_text(const struct macro_macro_description *macro,
			    struct cell_arena *arena)
{
	struct writer out = writer_new(arena);

	writer_quote(&out, macro->name, "");
	put_bits(&out, "places", macro->places, places);
	put_bits(&out, "may", macro->may, additions);
	writer_put(&out, "%s%s%s", macro->repeatable ? " repeatable" : "",
		   macro->any_arguments ? " any" : "", macro->raw_argument ? " raw" : "");
	for (size_t i = 0; i < macro->n_arguments; i++) {
		writer_put(&out, i ? "," : " args=");
		put_argument(&out, &macro->arguments[i]);
	}
	put_strings(&out, " headers=", macro->headers, macro->n_headers, ',', ",");
	put_strings(&out, " link=", macro->link, macro->n_link, ',', ",");
	return out.text;
}

static const char *kept_text(const struct lock_kept *kept, struct cell_arena *arena)
{
	struct writer out = writer_new(arena);

	writer_quote(&out, kept->file, "");
	writer_put(&out, " ");
	writer_quote(&out, kept->declaration, "");
	writer_put(&out, " ");
	/* Blanks between words stay; those at the ends, or that would look like " = ", do
	 * not. */
	for (const char *c = kept->key; *c; c++) {
		char one[2] = { *c, 0 };

		if (*c == ' ' && c > kept->key && c[1] && c[1] != ' ')
			writer_put(&out, " ");
		else
			writer_quote(&out, one, "=");
	}
	writer_put(&out, " = ");
	writer_quote(&out, kept->value, "=");
	return out.text;
}

static const char *use_text(const struct lock_use *use, struct cell_arena *arena)
{
	struct writer out = writer_new(arena);

	writer_quote(&out, use->file, "");
	writer_put(&out, " ");
	writer_quote(&out, use->declaration, "");
	writer_put(&out, " key=blake2b:%s plan=blake2b:%s", use->key, use->plan);
	put_strings(&out, " reads=", use->reads, use->n_reads, ',', ",");
	return out.text;
}

static const char *state_text(const struct lock_state *state, struct cell_arena *arena)
{
	struct writer out = writer_new(arena);

	writer_quote(&out, state->id, "");
	writer_put(&out, " blake2b:%s", state->digest);
	return out.text;
}

/* Lines with WORD before each, sorted; equal ones once. */
static void put_sorted(struct writer *out, const char *word, const char **list, size_t n)
{
	qsort((void *)list, n, sizeof *list, strings_order);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(list[i], list[i - 1]) != 0)
			writer_put(out, "%s %s\n", word, list[i]);
}

#define PUT_ALL(out, word, list, n, text_of)                                                 \
	do {                                                                                 \
		const char **texts = must_new(arena, const char *, n);                       \
                                                                                             \
		for (size_t i = 0; i < (n); i++)                                             \
			texts[i] = text_of(&(list)[i], arena);                               \
		put_sorted(out, word, texts, n);                                             \
	} while (0)

const char *lock_text(const struct lock *lock, struct cell_arena *arena)
{
	struct writer out = writer_new(arena);

	writer_put(&out, "cell-lock 1\n");
	if (lock->cell) {
		writer_put(&out, "cell ");
		writer_quote(&out, lock->cell, "");
		writer_put(&out, " ");
		writer_quote(&out, lock->key, "");
		writer_put(&out, " catalog=blake2b:%s\n", lock->catalog);
	}
	PUT_ALL(&out, "macro", lock->macros, lock->n_macros, lock_macro_text);
	PUT_ALL(&out, "state", lock->states, lock->n_states, state_text);
	PUT_ALL(&out, "kept", lock->kept, lock->n_kept, kept_text);
	PUT_ALL(&out, "use", lock->uses, lock->n_uses, use_text);
	return out.text;
}

/* Both are sorted in the same way, so that one look at each line will do. */
bool lock_only_grows(const struct lock *old, const struct lock *new, struct cell_arena *arena)
{
	char *olds = must_printf(arena, "%s", lock_text(old, arena));
	char *news = must_printf(arena, "%s", lock_text(new, arena));

	for (char *line; (line = list_take(&olds, '\n'));) {
		char *found;

		if (strncmp(line, "use ", 4) == 0)
			break;
		do
			found = list_take(&news, '\n');
		while (found && strcmp(found, line) != 0);
		if (!found)
			return false;
	}
	return true;
}

/* ---- asking and changing ----------------------------------------------------------------
 */

static bool is_of(const char *file, const char *declaration, const char *other_file,
		  const char *other)
{
	return strcmp(file, other_file) == 0 && strcmp(declaration, other) == 0;
}

const struct lock_use *lock_find_use(const struct lock *lock, const char *file,
				     const char *declaration)
{
	for (size_t i = 0; i < lock->n_uses; i++)
		if (is_of(file, declaration, lock->uses[i].file, lock->uses[i].declaration))
			return &lock->uses[i];
	return NULL;
}

const char *lock_find_state(const struct lock *lock, const char *id)
{
	for (size_t i = 0; i < lock->n_states; i++)
		if (strcmp(lock->states[i].id, id) == 0)
			return lock->states[i].digest;
	return NULL;
}

struct lock lock_copy(const struct lock *lock, struct cell_arena *arena)
{
	struct lock copy = {
		.ns = lock->ns, .cell = lock->cell, .key = lock->key, .catalog = lock->catalog
	};

	for (size_t i = 0; i < lock->n_macros; i++)
		*must_add(arena, copy.macros, copy.n_macros) = lock->macros[i];
	for (size_t i = 0; i < lock->n_states; i++)
		*must_add(arena, copy.states, copy.n_states) = lock->states[i];
	for (size_t i = 0; i < lock->n_kept; i++)
		*must_add(arena, copy.kept, copy.n_kept) = lock->kept[i];
	for (size_t i = 0; i < lock->n_uses; i++)
		*must_add(arena, copy.uses, copy.n_uses) = lock->uses[i];
	return copy;
}

/* Keep the elements for which KEEP holds; the room that must_add() made stays. */
#define FILTER(list, n, keep)                                                                \
	do {                                                                                 \
		size_t n_kept = 0;                                                           \
                                                                                             \
		for (size_t i = 0; i < (n); i++)                                             \
			if (keep)                                                            \
				(list)[n_kept++] = (list)[i];                                \
		(n) = n_kept;                                                                \
	} while (0)

void lock_set_use(struct lock *lock, const struct lock_use *use, struct cell_arena *arena)
{
	FILTER(lock->uses, lock->n_uses,
	       !is_of(lock->uses[i].file, lock->uses[i].declaration, use->file,
		      use->declaration));
	*must_add(arena, lock->uses, lock->n_uses) = *use;
}

static bool is_named(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

void lock_keep_uses(struct lock *lock, const char *file, const char *const *declarations,
		    size_t n)
{
	FILTER(lock->uses, lock->n_uses,
	       strcmp(lock->uses[i].file, file) != 0 ||
		       is_named(lock->uses[i].declaration, declarations, n));
}

void lock_set_state(struct lock *lock, const char *id, const char *digest,
		    struct cell_arena *arena)
{
	FILTER(lock->states, lock->n_states, strcmp(lock->states[i].id, id) != 0);
	*must_add(arena, lock->states, lock->n_states) = (struct lock_state){ id, digest };
}

static bool is_read(const struct lock *lock, const char *id)
{
	for (size_t i = 0; i < lock->n_uses; i++)
		if (is_named(id, lock->uses[i].reads, lock->uses[i].n_reads))
			return true;
	return false;
}

void lock_trim_states(struct lock *lock)
{
	FILTER(lock->states, lock->n_states, is_read(lock, lock->states[i].id));
}

void lock_set_kept(struct lock *lock, const char *file, const char *declaration,
		   const struct macro_kept *kept, size_t n, struct cell_arena *arena)
{
	FILTER(lock->kept, lock->n_kept,
	       !is_of(lock->kept[i].file, lock->kept[i].declaration, file, declaration));
	for (size_t i = 0; i < n; i++)
		*must_add(arena, lock->kept, lock->n_kept) = (struct lock_kept){
			file,
			declaration,
			kept[i].key,
			kept[i].value,
		};
}

void lock_move_kept(struct lock *lock, const char *from, const char *to,
		    const char *declaration)
{
	for (size_t i = 0; i < lock->n_kept; i++)
		if (is_of(from, declaration, lock->kept[i].file, lock->kept[i].declaration))
			lock->kept[i].file = to;
	FILTER(lock->uses, lock->n_uses,
	       !is_of(from, declaration, lock->uses[i].file, lock->uses[i].declaration));
}
