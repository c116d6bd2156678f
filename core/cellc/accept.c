#include "accept.h"

#include <cell/cell.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS  "0123456789"

/* How deep brackets may be nested in a text. */
#define DEPTH_MAX 256

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

struct reader {
	const char *at;
	const struct accept_rules *rules;
	struct cell_error *err;
	unsigned line;
	bool may_asm;
	bool is_line_start; /* only blanks and comments since the line's beginning */
	size_t depth;
	char open[DEPTH_MAX];
};

__attribute__((format(printf, 2, 3))) static int refuse(struct reader *r, const char *format, ...)
{
	va_list args;
	char text[160];

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return cell_fail(r->err, CELL_INVALID_ARGUMENT, "line %u of its text %s", r->line, text);
}

static int skip_comment(struct reader *r)
{
	if (r->at[1] == '/') {
		while (*r->at && *r->at != '\n')
			r->at++;
		return 0;
	}
	for (r->at += 2; r->at[0] != '*' || r->at[1] != '/'; r->at++) {
		if (!*r->at)
			return refuse(r, "has a comment without an end");
		r->line += *r->at == '\n';
	}
	r->at += 2;
	return 0;
}

/* A string or character constant; *RET_LEN bytes between its quotes. */
static int skip_quoted(struct reader *r, const char **ret, size_t *ret_len)
{
	char quote = *r->at++;

	*ret = r->at;
	while (*r->at != quote) {
		if (*r->at == '\\' && r->at[1] && r->at[1] != '\n')
			r->at++;
		if (!*r->at || *r->at == '\n')
			return refuse(r, "has a %s without an end",
				      quote == '"' ? "string" : "character");
		r->at++;
	}
	*ret_len = (size_t)(r->at - *ret);
	r->at++;
	return 0;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

static bool is_any(const char *text, size_t len, const char *const *words)
{
	for (; *words; words++)
		if (is_word(text, len, *words))
			return true;
	return false;
}

static bool is_planned(const struct reader *r, const char *text, size_t len)
{
	const struct macro_plan *plan = r->rules->plan;

	for (size_t i = 0; plan && i < plan->n_symbols; i++)
		if (is_word(text, len, plan->symbols[i].name))
			return true;
	return false;
}

/* A macro of its own: cell_…, CELL_…, or one that the plan names. */
static int check_define(struct reader *r, const char *name)
{
	size_t len;

	name += strspn(name, " \t");
	len = strspn(name, LETTERS DIGITS);
	if (strncmp(name, "cell_", 5) == 0 || strncmp(name, "CELL_", 5) == 0 ||
	    is_planned(r, name, len))
		return 0;
	return refuse(r, "defines '%.*s', which its plan does not name", (int)(len < 60 ? len : 60),
		      name);
}

/* AT is behind '#'. The rest of the line is read as text: what it defines is checked, too. */
static int check_directive(struct reader *r)
{
	const char *word = r->at + strspn(r->at, " \t");
	size_t len = strspn(word, LETTERS DIGITS);

	if (is_word(word, len, "define") || is_word(word, len, "undef")) {
		int err = check_define(r, word + len);

		r->at = word + len;
		return err;
	}
	if (is_word(word, len, "pragma") && r->may_asm) {
		r->at = word + len;
		return 0;
	}
	if (len == 0)
		return refuse(r, "has a line marker");
	return refuse(r, "has #%.*s", (int)(len < 40 ? len : 40), word);
}

static int check_identifier(struct reader *r)
{
	static const char *const never[] = { "__DATE__", "__TIME__", "__TIMESTAMP__",
					     "__has_include", "__has_embed", "include_next", NULL };
	static const char *const announced[] = {
		"asm", "__asm", "__asm__", "_Pragma", "__pragma", "constructor", "__constructor__",
		"destructor", "__destructor__", "ifunc", "__ifunc__", "init_priority", NULL,
	};
	const char *word = r->at;
	size_t len = strspn(word, LETTERS DIGITS "$");

	r->at += len;
	if (is_any(word, len, never))
		return refuse(r, "uses %.*s", (int)len, word);
	if (!r->may_asm && is_any(word, len, announced))
		return refuse(r, "uses '%.*s', which none of its macros announces", (int)len, word);
	return 0;
}

static bool contains(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what)) != NULL;
}

static int check_quoted(struct reader *r)
{
	static const char *const sections[] = { ".init", ".fini", ".preinit", ".ctors", ".dtors",
						NULL };
	const char *text = NULL;
	size_t len = 0;
	int err = skip_quoted(r, &text, &len);

	if (err < 0)
		return err;
	for (const char *const *s = sections; *s && !r->may_asm; s++)
		if (len >= strlen(*s) && memcmp(text, *s, strlen(*s)) == 0)
			return refuse(r, "names section %s, which runs at start-up", *s);
	return 0;
}

static int check_bracket(struct reader *r)
{
	char c = *r->at++;

	if (strchr("({[", c)) {
		if (r->depth == DEPTH_MAX)
			return refuse(r, "is nested too deeply");
		r->open[r->depth++] = c == '(' ? ')' : c == '{' ? '}' : ']';
		return 0;
	}
	if (r->depth == 0 || r->open[r->depth - 1] != c)
		return refuse(r, "has a '%c' too many", c);
	r->depth--;
	return 0;
}

/* Spellings of '#', '[' and more that nobody writes today, but that compilers read. */
static bool is_odd(const char *at)
{
	static const char *const odd[] = { "%:", "<%", "%>", "<:", ":>", NULL };

	for (const char *const *o = odd; *o; o++)
		if (strncmp(at, *o, 2) == 0)
			return true;
	return false;
}

static int check_token(struct reader *r)
{
	char c = *r->at;

	if (c == '/' && (r->at[1] == '/' || r->at[1] == '*'))
		return skip_comment(r);
	if (c == '\n') {
		r->line++;
		r->at++;
		r->is_line_start = true;
		return 0;
	}
	if (c == ' ' || c == '\t') {
		r->at++;
		return 0;
	}
	if (is_odd(r->at))
		return refuse(r, "has a digraph");
	if (c == '\\') {
		/* Joined lines are for macros alone; they could hide a directive's name. */
		if (r->at[1] != '\n')
			return refuse(r, "has a stray '\\'");
		r->at += 2;
		r->line++;
		return 0;
	}
	if ((unsigned char)c < ' ' || c == 0x7f)
		return refuse(r, "has a control character");
	if (c == '#' && r->is_line_start) {
		r->at++;
		r->is_line_start = false;
		return check_directive(r);
	}
	r->is_line_start = false;
	if (c == '"' || c == '\'')
		return check_quoted(r);
	if (strchr("(){}[]", c))
		return check_bracket(r);
	if (strchr(LETTERS "$", c))
		return check_identifier(r);
	/* A number takes its letters along, so that 0xasm is none of ours. */
	if (strchr(DIGITS, c))
		r->at += strspn(r->at, LETTERS DIGITS ".");
	else
		r->at++;
	return 0;
}

/* A word that is split by a joined line would be read as two. */
static bool splits_word(const char *text)
{
	for (const char *at = text; (at = strstr(at, "\\\n")); at += 2)
		if (at > text && strchr(LETTERS DIGITS "#$", at[-1]) && at[2] &&
		    strchr(LETTERS DIGITS "$", at[2]))
			return true;
	return false;
}

/* Old dialects read them even in strings. */
static bool has_trigraph(const char *text)
{
	for (const char *at = text; (at = strstr(at, "\?\?")); at++)
		if (at[2] && strchr("=/'()!<>-", at[2]))
			return true;
	return false;
}

int accept_text(const char *text, bool may_asm, const struct accept_rules *rules,
		struct cell_error *err)
{
	struct reader r = { .at = text, .rules = rules, .err = err, .line = 1,
			    .may_asm = may_asm, .is_line_start = true };
	const char *root = rules->root;
	int e = 0;

	if (splits_word(text))
		return refuse(&r, "joins lines within a word");
	if (has_trigraph(text))
		return refuse(&r, "or one after it has a trigraph");
	if (root && strlen(root) > 1 && contains(text, strlen(text), root))
		return refuse(&r, "names a path of this machine");
	while (*r.at && e == 0)
		e = check_token(&r);
	if (e < 0)
		return e;
	if (r.depth)
		return refuse(&r, "lacks a '%c' before its end", r.open[r.depth - 1]);
	return 0;
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
	for (size_t i = 0; plan && i < plan->n_wraps; i++)
		if (plan->wraps[i].phase == piece->phase)
			return 0;
	return cell_fail(err, CELL_INVALID_ARGUMENT, "its wrapper '%s' (phase %u) was not planned",
			 piece->symbol, piece->phase);
}

static int check_piece(const struct accept_rules *rules, const struct macro_piece *piece,
		       struct cell_error *err)
{
	bool may_asm = rules->may >> MACRO_ADDITION_ASM & 1;
	bool is_function = rules->declaration->place == MACRO_PLACE_FUNCTION;
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
	return r < 0 ? r : accept_text(piece->text, may_asm, rules, err);
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
