#include <cell/internal/macrotext.h>

#include <cell/internal/ctext.h>
#include <string.h>

static bool is_one_of(const struct ctext *ctext, const char *const *words)
{
	for (; *words; words++)
		if (ctext_is(ctext, *words))
			return true;
	return false;
}

/*
 * Lists of what is fine: a directive that nobody thought of is refused. Within the user's
 * file gcc's -fpreprocessed reads few; a unit of its own is compiled from the beginning.
 */
static const char *const directives[] = { "define", "undef", NULL };
static const char *const unit_directives[] = { "if",   "ifdef", "ifndef",  "elif",    "else",
					       "endif", "error", "warning", "elifdef", "elifndef",
					       NULL };
static const char *const dates[] = { "__DATE__", "__TIME__", "__TIMESTAMP__", NULL };
static const char *const asms[] = { "asm", "__asm", "__asm__", "_Pragma", "__pragma", NULL };
static const char *const attributes[] = { "__attribute__", "__attribute", NULL };
/* In an attribute: they run code before main(), or choose it. */
static const char *const constructors[] = { "constructor", "__constructor__", "destructor",
					    "__destructor__", "ifunc", "__ifunc__",
					    "init_priority", "__init_priority__", "naked",
					    "__naked__", NULL };

struct checker {
	struct ctext ctext;
	enum ctext_kind kind, before;
	const struct macro_text_rules *rules;
	int attribute_depth; /* brackets since __attribute__ or [[, 0 = outside */
	bool attribute_begins;
	const char *why;
};

static enum macro_text_verdict refuse(struct checker *c, enum macro_text_verdict verdict, const char *why)
{
	if (verdict == MACRO_TEXT_NEEDS_ASM && c->rules->allows_asm)
		return MACRO_TEXT_FINE;
	c->why = why;
	return verdict;
}

static bool begins(const char *text, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(text, with, n) == 0;
}

/* What the user wrote into an attribute may come back in the text. */
static bool is_of_user(const struct macro_plan_request *request, const char *text, size_t len)
{
	for (size_t i = 0; request && i < request->n_attributes; i++)
		for (size_t k = 0; k < request->attributes[i].n_values; k++) {
			const char *value = request->attributes[i].values[k].text;
			size_t n = strlen(value);

			if (n > 1 && n <= len && memcmp(text, value, n) == 0)
				return true;
		}
	return false;
}

/* Folders at the root of a machine. A route such as "/users/:id" is none. */
static bool is_machine_path(const char *text, size_t len)
{
	static const char *const roots[] = {
		"bin", "boot", "build", "builds", "dev",  "etc", "home", "lib", "lib64",
		"media", "mnt", "nix", "opt", "private", "proc", "root", "run", "sbin",
		"srv", "sys", "tmp", "usr", "var", "workspace", "Users", "Volumes", NULL };
	const char *end = len > 1 && *text == '/' ? memchr(text + 1, '/', len - 1) : NULL;

	for (const char *const *root = roots; end && *root; root++)
		if (strlen(*root) == (size_t)(end - text - 1) &&
		    memcmp(text + 1, *root, (size_t)(end - text - 1)) == 0)
			return true;
	return false;
}

static enum macro_text_verdict check_string(struct checker *c)
{
	const char *text = strchr(c->ctext.start, '"') + 1;
	size_t len = c->ctext.len - (size_t)(text - c->ctext.start) - 1;

	if (is_machine_path(text, len) && !is_of_user(c->rules->request, text, len))
		return refuse(c, MACRO_TEXT_REFUSED, "an absolute path");
	if (c->attribute_depth == 0)
		return MACRO_TEXT_FINE;
	/* section(".init_array") is a constructor, ".in" "it_array" is one that hides. */
	if (c->before == CTEXT_STRING)
		return refuse(c, MACRO_TEXT_NEEDS_ASM, "a string in two parts in an attribute");
	if (begins(text, len, ".init") || begins(text, len, ".fini") ||
	    begins(text, len, ".ctors") || begins(text, len, ".dtors") ||
	    begins(text, len, ".preinit") || memchr(text, '\\', len))
		return refuse(c, MACRO_TEXT_NEEDS_ASM, "a section of constructors");
	return MACRO_TEXT_FINE;
}

static enum macro_text_verdict check_name(struct checker *c)
{
	if (is_one_of(&c->ctext, dates))
		return refuse(c, MACRO_TEXT_REFUSED, "the date of the build");
	if (is_one_of(&c->ctext, asms))
		return refuse(c, MACRO_TEXT_NEEDS_ASM, "asm or a pragma");
	if (c->attribute_depth > 0 && is_one_of(&c->ctext, constructors))
		return refuse(c, MACRO_TEXT_NEEDS_ASM, "a constructor");
	c->attribute_begins = is_one_of(&c->ctext, attributes);
	return MACRO_TEXT_FINE;
}

/* #include <x.h>, of the system or of Cell. */
static bool is_system_include(const struct ctext *ctext)
{
	const char *after = ctext->start + ctext->len;

	return ctext_is(ctext, "include") && after[strspn(after, " \t")] == '<';
}

static enum macro_text_verdict check_directive(struct checker *c)
{
	if (is_one_of(&c->ctext, directives))
		return MACRO_TEXT_FINE;
	if (c->rules->is_unit &&
	    (is_one_of(&c->ctext, unit_directives) || is_system_include(&c->ctext)))
		return MACRO_TEXT_FINE;
	if (ctext_is(&c->ctext, "pragma"))
		return refuse(c, MACRO_TEXT_NEEDS_ASM, "a pragma");
	if (ctext_is(&c->ctext, "include"))
		return refuse(c, MACRO_TEXT_REFUSED, "an #include");
	if (ctext_is(&c->ctext, "line") || c->ctext.len == 0 ||
	    (*c->ctext.start >= '0' && *c->ctext.start <= '9'))
		return refuse(c, MACRO_TEXT_REFUSED, "a line marker");
	return refuse(c, MACRO_TEXT_REFUSED, "a directive that text must not have");
}

static enum macro_text_verdict check_punctuator(struct checker *c)
{
	char first = *c->ctext.start;

	if (ctext_is(&c->ctext, "##"))
		return refuse(c, MACRO_TEXT_NEEDS_ASM, "words pasted together");
	if (first == '(' || first == '[') {
		if (c->attribute_depth > 0 || c->attribute_begins)
			c->attribute_depth++;
		else if (first == '[' && c->ctext.start[1] == '[')
			c->attribute_depth = 1;
	} else if ((first == ')' || first == ']') && c->attribute_depth > 0) {
		c->attribute_depth--;
	}
	c->attribute_begins = false;
	return MACRO_TEXT_FINE;
}

static enum macro_text_verdict check_token(struct checker *c)
{
	switch (c->kind) {
	case CTEXT_NAME: return check_name(c);
	case CTEXT_STRING: return check_string(c);
	case CTEXT_DIRECTIVE: return check_directive(c);
	case CTEXT_PUNCTUATOR: return check_punctuator(c);
	case CTEXT_BROKEN: return refuse(c, MACRO_TEXT_REFUSED, c->ctext.why);
	case CTEXT_END:
	case CTEXT_NUMBER:
	case CTEXT_CHARACTER:
	case CTEXT_NEWLINE: break;
	}
	return MACRO_TEXT_FINE;
}

enum macro_text_verdict macro_text_check(const char *text, const struct macro_text_rules *rules,
			     const char **ret_why, unsigned *ret_line)
{
	struct checker c = { .rules = rules };
	enum macro_text_verdict verdict = MACRO_TEXT_FINE;
	size_t len = strlen(text);

	ctext_init(&c.ctext, text);
	if (len > 0 && text[len - 1] != '\n')
		verdict = refuse(&c, MACRO_TEXT_REFUSED, "a line that is not ended");
	while (verdict == MACRO_TEXT_FINE) {
		c.before = c.kind;
		c.kind = ctext_next(&c.ctext);
		if (c.kind == CTEXT_END)
			return MACRO_TEXT_FINE;
		verdict = check_token(&c);
	}
	*ret_why = c.why;
	*ret_line = c.ctext.line;
	return verdict;
}
