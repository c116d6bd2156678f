#include "accept.h"

#include <cell/cell.h>
#include <cell/internal/ctext.h>
#include <stdio.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS  "0123456789"

bool accept_identifier(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 255 && !strchr(DIGITS, name[0]) &&
	       strspn(name, LETTERS DIGITS) == len;
}

bool accept_path(const char *path)
{
	size_t len = strlen(path);

	if (len == 0 || len > 1024 || path[len - 1] == '/')
		return false;
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c < ' ' || *c == '\\' || *c == 0x7f)
			return false;
	for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
		if (*part == '/' || *part == '.' || *part == 0)
			return false;
	return true;
}

bool accept_header(const char *header)
{
	size_t len = strlen(header);

	if (len < 3 || len > 255)
		return false;
	if (!(header[0] == '<' && header[len - 1] == '>') &&
	    !(header[0] == '"' && header[len - 1] == '"'))
		return false;
	return strspn(header + 1, LETTERS DIGITS "./+-") == len - 2 && !strstr(header, "..") &&
	       header[1] != '/';
}

bool accept_link(const char *flag)
{
	if (strcmp(flag, "-pthread") == 0)
		return true;
	return strncmp(flag, "-l", 2) == 0 && flag[2] &&
	       strspn(flag + 2, LETTERS DIGITS "+.-") == strlen(flag + 2);
}

/* ---- one text ------------------------------------------------------------------------- */

struct reading {
	const struct accept_rules *rules;
	const struct macro_piece *piece;
	struct cell_error *err;
	bool may_asm;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct reading *r, unsigned line,
							const char *format, ...)
{
	va_list args;
	char text[160];

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return cell_fail(r->err, CELL_INVALID_ARGUMENT, "line %u of its text %s", line, text);
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool is_any(const struct ctext *token, const char *const *words)
{
	for (; *words; words++)
		if (ctext_is(token, *words))
			return true;
	return false;
}

/* #include <x.h>, of the system or of Cell. */
static bool is_system_include(const struct ctext *token)
{
	const char *after = token->start + token->len;

	return ctext_is(token, "include") && after[strspn(after, " \t")] == '<';
}

/*
 * Under -fpreprocessed other directives do not work, or lie about where the text is from. A
 * unit of its own is compiled from the beginning, and has to include what it needs.
 */
static int check_directive(const struct reading *r, const struct ctext *token)
{
	if (r->piece->kind == MACRO_PIECE_KIND_UNIT && is_system_include(token))
		return 0;
	if (ctext_is(token, "define") || ctext_is(token, "undef") ||
	    (r->may_asm && ctext_is(token, "pragma")))
		return 0;
	if (token->len == 0 || strchr(DIGITS, *token->start))
		return refuse(r, token->line, "has a line marker");
	return refuse(r, token->line, "has #%.*s", (int)(token->len < 40 ? token->len : 40),
		      token->start);
}

static int check_word(const struct reading *r, const struct ctext *token)
{
	static const char *const never[] = { "__DATE__", "__TIME__", "__TIMESTAMP__",
					     "__has_include", "__has_embed", NULL };
	static const char *const announced[] = {
		"asm", "__asm", "__asm__", "_Pragma", "__pragma", "constructor", "__constructor__",
		"destructor", "__destructor__", "ifunc", "__ifunc__", "init_priority", NULL,
	};

	if (is_any(token, never))
		return refuse(r, token->line, "uses %.*s", (int)token->len, token->start);
	if (!r->may_asm && is_any(token, announced))
		return refuse(r, token->line, "uses '%.*s', which none of its macros announces",
			      (int)token->len, token->start);
	return 0;
}

/* Functions in these sections run before main() or after it. */
static int check_string(const struct reading *r, const struct ctext *token)
{
	static const char *const sections[] = { "\".init", "\".fini", "\".preinit", "\".ctors",
						"\".dtors", NULL };

	for (const char *const *s = sections; *s && !r->may_asm; s++)
		if (memmem(token->start, token->len, *s, strlen(*s)))
			return refuse(r, token->line, "names section %s, which runs at start-up",
				      *s + 1);
	return 0;
}

static int check_tokens(const struct reading *r)
{
	struct ctext token;
	enum ctext_kind kind;
	int err = 0;

	ctext_init(&token, r->piece->text);
	do {
		kind = ctext_next(&token);
		if (kind == CTEXT_DIRECTIVE)
			err = check_directive(r, &token);
		else if (kind == CTEXT_NAME)
			err = check_word(r, &token);
		else if (kind == CTEXT_STRING)
			err = check_string(r, &token);
	} while (err == 0 && kind != CTEXT_END && kind != CTEXT_BROKEN);
	return err;
}

static bool is_planned(const struct accept_rules *rules, enum ctext_role role, const char *name,
		       size_t len)
{
	for (size_t i = 0; i < rules->plan->n_symbols; i++)
		if (is_word(name, len, rules->plan->symbols[i].name) &&
		    (role == CTEXT_MACRO ||
		     rules->plan->symbols[i].is_type == (role == CTEXT_TAG)))
			return true;
	return false;
}

static bool is_planned_field(const struct accept_rules *rules, const char *name, size_t len)
{
	for (size_t i = 0; i < rules->plan->n_fields; i++)
		if (is_word(name, len, rules->plan->fields[i].name))
			return true;
	return false;
}

static int on_name(void *userdata, enum ctext_role role, const char *name, size_t len,
		   unsigned line)
{
	const struct reading *r = userdata;
	bool is_good;

	if (r->piece->anchor == MACRO_ANCHOR_STRUCT_END && role == CTEXT_ORDINARY)
		is_good = is_planned_field(r->rules, name, len);
	else if (len > 5 && (memcmp(name, "cell_", 5) == 0 || memcmp(name, "CELL_", 5) == 0))
		is_good = true;
	else
		is_good = (role == CTEXT_ORDINARY && (is_word(name, len, r->piece->symbol) ||
						      is_word(name, len, r->rules->declaration->name))) ||
			  is_planned(r->rules, role, name, len);
	if (is_good)
		return 0;
	return refuse(r, line, "declares '%.*s', which its plan does not name",
		      (int)(len < 60 ? len : 60), name);
}

int accept_text(const struct macro_piece *piece, bool may_asm, const struct accept_rules *rules,
		struct cell_error *err)
{
	struct reading r = { .rules = rules, .piece = piece, .err = err, .may_asm = may_asm };
	const char *root = rules->root, *why = "";
	unsigned line = 0;
	int e;

	if (root && strlen(root) > 1 && strstr(piece->text, root))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "its text names a path of this machine");
	if (strstr(piece->text, "$next$"))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "its text still has a $next$ in it");
	e = check_tokens(&r);
	if (e == 0) {
		e = ctext_declared(piece->text, on_name, &r, &why, &line);
		if (e == -EINVAL)
			e = cell_fail(err, CELL_INVALID_ARGUMENT, "line %u of its text: %s", line,
				      why);
	}
	return e;
}

/* ---- all of it --------------------------------------------------------------------------- */

static int check_may(const struct accept_rules *rules, enum macro_addition bit, const char *what,
		     struct cell_error *err)
{
	if (rules->may >> bit & 1)
		return 0;
	return cell_fail(err, CELL_INVALID_ARGUMENT, "it came with %s, which no macro on this "
						     "declaration announces", what);
}

static bool is_braced(const char *text)
{
	size_t len = strlen(text);
	size_t start = strspn(text, " \t\n");

	while (len > 0 && strchr(" \t\n", text[len - 1]))
		len--;
	return len > start + 1 && text[start] == '{' && text[len - 1] == '}';
}

static int check_wrap(const struct macro_piece *piece, const struct macro_plan *plan,
		      struct cell_error *err)
{
	if (!accept_identifier(piece->symbol))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "its wrapper has no proper name");
	for (size_t i = 0; i < plan->n_wraps; i++)
		if (plan->wraps[i].phase == piece->phase)
			return 0;
	return cell_fail(err, CELL_INVALID_ARGUMENT, "its wrapper '%s' (phase %u) was not planned",
			 piece->symbol, piece->phase);
}

static int check_piece(const struct accept_rules *rules, const struct macro_piece *piece,
		       struct cell_error *err)
{
	bool may_asm = rules->may >> MACRO_ADDITION_ASM & 1;
	bool is_function = rules->declaration->place == MACRO_PLACE_FUNCTION ||
			   (rules->declaration->place == MACRO_PLACE_PROTOTYPE && rules->plan->body);
	int r = 0;

	switch (piece->anchor) {
	case MACRO_ANCHOR_STRUCT_END:
		r = check_may(rules, MACRO_ADDITION_FIELDS, "members", err);
		if (r == 0 && rules->declaration->place != MACRO_PLACE_STRUCT &&
		    rules->declaration->place != MACRO_PLACE_UNION)
			r = cell_fail(err, CELL_INVALID_ARGUMENT, "it has members for what is no struct");
		break;
	case MACRO_ANCHOR_BODY:
		r = check_may(rules, MACRO_ADDITION_BODY, "a body", err);
		if (r == 0 && (rules->declaration->place != MACRO_PLACE_PROTOTYPE ||
			       !is_braced(piece->text)))
			r = cell_fail(err, CELL_INVALID_ARGUMENT, "it has a body that is none");
		break;
	case MACRO_ANCHOR_WRAP:
		r = check_may(rules, MACRO_ADDITION_WRAP, "a wrapper", err);
		if (r == 0)
			r = is_function ? check_wrap(piece, rules->plan, err)
					: cell_fail(err, CELL_INVALID_ARGUMENT,
						    "it wraps what has no body");
		break;
	case MACRO_ANCHOR_AFTER:
	case MACRO_ANCHOR_BEFORE:
	case MACRO_ANCHOR_TOP:
	case MACRO_ANCHOR_END:
		r = check_may(rules, MACRO_ADDITION_DECLARATIONS, "declarations", err);
		break;
	default: r = cell_fail(err, CELL_INVALID_ARGUMENT, "it is to go to an unknown place");
	}
	if (r == 0 && (unsigned)piece->kind > MACRO_PIECE_KIND_UNIT)
		r = cell_fail(err, CELL_INVALID_ARGUMENT, "it is of an unknown kind");
	return r < 0 ? r : accept_text(piece, may_asm, rules, err);
}

static int check_plan(const struct macro_plan *plan, struct cell_error *err)
{
	for (size_t i = 0; i < plan->n_symbols; i++)
		if (!accept_identifier(plan->symbols[i].name))
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "its plan names a symbol '%.60s'", plan->symbols[i].name);
	for (size_t i = 0; i < plan->n_headers; i++)
		if (!accept_header(plan->headers[i]))
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "its plan names a header '%.60s'", plan->headers[i]);
	for (size_t i = 0; i < plan->n_link; i++)
		if (!accept_link(plan->link[i]))
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "its plan wants to link with '%.60s'", plan->link[i]);
	return 0;
}

int accept_code(const struct accept_rules *rules, const struct macro_generated_code *code,
		uint32_t *ret_attribute, struct cell_error *err)
{
	size_t total = 0;
	int r = check_plan(rules->plan, err);

	*ret_attribute = 0;
	if (r == 0 && *code->rename && strncmp(code->rename, "cell_body_", 10) != 0)
		r = cell_fail(err, CELL_INVALID_ARGUMENT, "it gives the function the name '%.60s'",
			      code->rename);
	if (r == 0 && *code->rename && !accept_identifier(code->rename))
		r = cell_fail(err, CELL_INVALID_ARGUMENT, "it gives the function no proper name");
	for (size_t i = 0; i < code->n_pieces && r == 0; i++) {
		total += strlen(code->pieces[i].text);
		if (total > ACCEPT_TEXT_MAX)
			r = cell_fail(err, CELL_INVALID_ARGUMENT,
				      "its text is longer than %d bytes", ACCEPT_TEXT_MAX);
		if (r == 0)
			r = check_piece(rules, &code->pieces[i], err);
		if (r < 0)
			*ret_attribute = code->pieces[i].attribute;
	}
	for (size_t i = 0; i < code->n_files && r == 0; i++) {
		r = check_may(rules, MACRO_ADDITION_FILES, "files", err);
		if (r == 0 && !accept_path(code->files[i].path))
			r = cell_fail(err, CELL_INVALID_ARGUMENT, "its file '%.80s' would not be "
								  "below the build's output",
				      code->files[i].path);
		total += code->files[i].n_content;
		if (r == 0 && total > ACCEPT_TEXT_MAX)
			r = cell_fail(err, CELL_INVALID_ARGUMENT,
				      "its files are longer than %d bytes", ACCEPT_TEXT_MAX);
	}
	return r;
}
