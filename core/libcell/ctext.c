#include <cell/internal/ctext.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* --- tokens ---------------------------------------------------------------------------- */

static bool is_name_start(char c)
{
	/* '$' is one for gcc and clang; bytes above 127 are UTF-8 identifiers. */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
	       (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
	return is_name_start(c) || is_digit(c);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

void ctext_init(struct ctext *ctext, const char *text)
{
	*ctext = (struct ctext){ .start = text, .at = text, .is_line_start = true, .line = 1,
				 .at_line = 1 };
}

bool ctext_is(const struct ctext *ctext, const char *word)
{
	return strlen(word) == ctext->len && memcmp(ctext->start, word, ctext->len) == 0;
}

static enum ctext_kind broken(struct ctext *ctext, const char *why)
{
	ctext->why = why;
	ctext->line = ctext->at_line;
	ctext->start = ctext->at;
	ctext->len = 0;
	ctext->at += strlen(ctext->at);
	return CTEXT_BROKEN;
}

static enum ctext_kind token(struct ctext *ctext, enum ctext_kind kind, const char *end)
{
	ctext->start = ctext->at;
	ctext->len = (size_t)(end - ctext->at);
	ctext->line = ctext->at_line;
	ctext->at = end;
	ctext->is_line_start = false;
	return kind;
}

/* Skip a comment at AT; NULL if it does not end. */
static const char *comment_end(struct ctext *ctext, const char *at)
{
	if (at[1] == '/')
		return at + strcspn(at, "\n");
	for (at += 2; *at; at++) {
		if (at[0] == '*' && at[1] == '/')
			return at + 2;
		ctext->at_line += *at == '\n';
	}
	return NULL;
}

/* Blanks and comments. What goes wrong is why; NULL = nothing. */
static const char *skip_blanks(struct ctext *ctext)
{
	for (;;) {
		const char *at = ctext->at;

		if (is_blank(*at) || *at == '\r') {
			ctext->at++;
		} else if (*at == '\n' && !ctext->is_directive) {
			ctext->at++;
			ctext->at_line++;
			ctext->is_line_start = true;
		} else if (at[0] == '/' && (at[1] == '*' || at[1] == '/')) {
			at = comment_end(ctext, at);
			if (!at)
				return "a comment does not end";
			/* "// ... \" goes on in the next line, unseen. */
			if (at[-1] == '\\')
				return "a comment ends with a backslash";
			ctext->at = at;
		} else if (at[0] == '\\' && at[1] == '\n') {
			if (!ctext->is_directive || at == ctext->start || !is_blank(at[-1]))
				return "a line goes on in the next one";
			ctext->at += 2;
			ctext->at_line++;
		} else {
			return NULL;
		}
	}
}

/* A literal from its opening quote on; NULL if the line ends first. */
static const char *literal_end(const char *at)
{
	char quote = *at++;

	for (; *at && *at != '\n'; at++) {
		if (*at == quote)
			return at + 1;
		if (*at == '\\' && (!at[1] || at[1] == '\n'))
			return NULL;
		at += *at == '\\';
	}
	return NULL;
}

static enum ctext_kind name_or_literal(struct ctext *ctext)
{
	const char *end = ctext->at;

	while (is_name(*end))
		end++;
	/* L"", u8"", and R"" as in C++ and GNU C, which is read differently. */
	if (*end == '"' || *end == '\'') {
		size_t len = (size_t)(end - ctext->at);
		bool is_string = *end == '"';

		if (end[-1] == 'R' && is_string)
			return broken(ctext, "a raw string");
		if (len == 1 ? strchr("LuU", *ctext->at) != NULL
			     : len == 2 && memcmp(ctext->at, "u8", 2) == 0) {
			end = literal_end(end);
			return end ? token(ctext, is_string ? CTEXT_STRING : CTEXT_CHARACTER, end)
				   : broken(ctext, "a literal does not end");
		}
	}
	return token(ctext, CTEXT_NAME, end);
}

static enum ctext_kind directive(struct ctext *ctext)
{
	const char *end, *why;
	unsigned line = ctext->at_line;

	ctext->at++;
	ctext->is_directive = true;
	why = skip_blanks(ctext);
	if (why)
		return broken(ctext, why);
	for (end = ctext->at; is_name(*end);)
		end++;
	(void)token(ctext, CTEXT_DIRECTIVE, end);
	ctext->line = line;
	return CTEXT_DIRECTIVE;
}

static const char *trick(const char *at)
{
	static const char *const digraphs[] = { "<:", ":>", "<%", "%>", "%:" };

	if (at[0] == '?' && at[1] == '?' && at[2] && strchr("=/'()!<>-", at[2]))
		return "a trigraph";
	for (size_t i = 0; i < sizeof digraphs / sizeof *digraphs; i++)
		if (strncmp(at, digraphs[i], 2) == 0)
			return "a digraph";
	return NULL;
}

enum ctext_kind ctext_next(struct ctext *ctext)
{
	const char *at, *why = skip_blanks(ctext);

	at = ctext->at;
	if (why)
		return broken(ctext, why);
	if (*at == '\0')
		return token(ctext, CTEXT_END, at);
	if (*at == '\n') {
		(void)token(ctext, CTEXT_NEWLINE, at + 1);
		ctext->at_line++;
		ctext->is_line_start = true;
		ctext->is_directive = false;
		return CTEXT_NEWLINE;
	}
	if (*at == '#' && ctext->is_line_start)
		return directive(ctext);
	if (is_name_start(*at))
		return name_or_literal(ctext);
	if (*at == '"' || *at == '\'') {
		const char *end = literal_end(at);

		return end ? token(ctext, *at == '"' ? CTEXT_STRING : CTEXT_CHARACTER, end)
			   : broken(ctext, "a literal does not end");
	}
	if (is_digit(*at) || (*at == '.' && is_digit(at[1]))) {
		const char *end = at + 1;

		while (is_name(*end) || *end == '.' ||
		       ((*end == '+' || *end == '-') && strchr("eEpP", end[-1])))
			end++;
		return token(ctext, CTEXT_NUMBER, end);
	}
	why = trick(at);
	if (why)
		return broken(ctext, why);
	if (*at == '\\' || *at == '@' || *at == '`' || (unsigned char)*at < ' ')
		return broken(ctext, "a character that C has no use for");
	return token(ctext, CTEXT_PUNCTUATOR, at + (at[0] == '#' && at[1] == '#' ? 2 : 1));
}

/* --- declarations ----------------------------------------------------------------------- */

/* Brackets within brackets: more than that is nobody's code. */
#define DEPTH_MAX 256

struct name {
	const char *start;
	size_t len;
	unsigned line;
};

struct reader {
	struct ctext ctext;
	enum ctext_kind kind; /* of the token that is next */
	ctext_name_fn *fn;
	void *userdata;
	const char *why;
	int status;
};

static void reader_fail(struct reader *r, const char *why)
{
	if (r->status == 0) {
		r->status = -EINVAL;
		r->why = why;
	}
	r->kind = CTEXT_END;
}

static void advance(struct reader *r);

static void report(struct reader *r, enum ctext_role role, struct name name)
{
	if (r->status || !name.len)
		return;
	r->status = r->fn(r->userdata, role, name.start, name.len, name.line);
	if (r->status)
		r->kind = CTEXT_END;
}

static struct name current(const struct reader *r)
{
	return (struct name){ r->ctext.start, r->ctext.len, r->ctext.line };
}

/* The rest of a directive; a #define declares. */
static void read_directive(struct reader *r)
{
	bool defines = ctext_is(&r->ctext, "define") || ctext_is(&r->ctext, "undef");

	r->kind = ctext_next(&r->ctext);
	if (defines && r->kind == CTEXT_NAME)
		report(r, CTEXT_MACRO, current(r));
	while (r->status == 0 && r->kind != CTEXT_NEWLINE && r->kind != CTEXT_END &&
	       r->kind != CTEXT_BROKEN)
		r->kind = ctext_next(&r->ctext);
	if (r->kind == CTEXT_BROKEN)
		reader_fail(r, r->ctext.why);
}

static void advance(struct reader *r)
{
	if (r->status)
		return;
	r->kind = ctext_next(&r->ctext);
	while (r->kind == CTEXT_DIRECTIVE || r->kind == CTEXT_NEWLINE) {
		if (r->kind == CTEXT_DIRECTIVE)
			read_directive(r);
		if (r->status || r->kind == CTEXT_END)
			return;
		r->kind = ctext_next(&r->ctext);
	}
	if (r->kind == CTEXT_BROKEN)
		reader_fail(r, r->ctext.why);
}

static bool at(const struct reader *r, char c)
{
	return r->kind == CTEXT_PUNCTUATOR && r->ctext.len == 1 && *r->ctext.start == c;
}

static bool at_word(const struct reader *r, const char *const *words)
{
	if (r->kind != CTEXT_NAME)
		return false;
	for (; *words; words++)
		if (ctext_is(&r->ctext, *words))
			return true;
	return false;
}

static char closing(char open)
{
	return open == '(' ? ')' : open == '[' ? ']' : '}';
}

/* From an opening bracket to behind the one that closes it. */
static void skip_brackets(struct reader *r)
{
	char open[DEPTH_MAX];
	size_t depth = 0;

	do {
		if (at(r, '(') || at(r, '[') || at(r, '{')) {
			if (depth == DEPTH_MAX) {
				reader_fail(r, "brackets within too many brackets");
				return;
			}
			open[depth++] = closing(*r->ctext.start);
		} else if (at(r, ')') || at(r, ']') || at(r, '}')) {
			if (*r->ctext.start != open[depth - 1]) {
				reader_fail(r, "brackets that do not match");
				return;
			}
			depth--;
		} else if (r->kind == CTEXT_END) {
			reader_fail(r, "brackets that are not closed");
			return;
		}
		advance(r);
	} while (depth > 0 && r->status == 0);
}

static const char *const tag_words[] = { "struct", "union", "enum", NULL };
/* Words with arguments in parentheses that are no declarator. */
static const char *const call_words[] = {
	"__attribute__", "__attribute", "_Alignas",   "alignas",       "typeof", "__typeof__",
	"__typeof",      "_Static_assert", "static_assert", "asm",    "__asm__", "__asm",
	"_Pragma",       "_BitInt",     "typeof_unqual", "_Atomic",   NULL,
};
static const char *const plain_words[] = {
	"const",    "volatile", "restrict",   "static",     "extern",   "inline",   "typedef",
	"register", "_Noreturn", "__inline__", "__inline",  "__extension__", "__restrict",
	"__restrict__", "__const", "__volatile__", "int", "char", "short", "long", "signed",
	"unsigned", "float",    "double",     "void",       "_Bool",    "bool",     "_Complex",
	"_Thread_local", "thread_local", "__thread", "constexpr", "__signed__", "__int128", "auto",
	NULL,
};

/* Nested ones: a struct in a struct declares its tag beside the outer one. */
struct nest {
	bool is_enum;
};

/* Read a "{ … }" of a struct, union or enum: inside, only tags and enumerators are declared. */
static bool read_tag(struct reader *r, bool *ret_opened, bool *ret_is_enum);

static void read_members(struct reader *r, bool is_enum)
{
	struct nest nests[DEPTH_MAX];
	size_t depth = 1;

	nests[0].is_enum = is_enum;
	advance(r);
	while (r->status == 0) {
		if (r->kind == CTEXT_END) {
			reader_fail(r, "brackets that are not closed");
		} else if (at(r, '}')) {
			advance(r);
			if (--depth == 0)
				return;
		} else if (at_word(r, tag_words)) {
			bool opened, inner;

			if (!read_tag(r, &opened, &inner) || !opened)
				continue;
			if (depth == DEPTH_MAX) {
				reader_fail(r, "brackets within too many brackets");
				return;
			}
			nests[depth++].is_enum = inner;
			advance(r);
		} else if (nests[depth - 1].is_enum && r->kind == CTEXT_NAME) {
			report(r, CTEXT_ORDINARY, current(r));
			/* Its value, or attributes: up to the comma. */
			while (r->status == 0 && !at(r, ',') && !at(r, '}') &&
			       r->kind != CTEXT_END) {
				if (at(r, '(') || at(r, '[') || at(r, '{'))
					skip_brackets(r);
				else
					advance(r);
			}
		} else if (at(r, '(') || at(r, '[') || at(r, '{')) {
			skip_brackets(r);
		} else if (at(r, ')') || at(r, ']')) {
			reader_fail(r, "brackets that do not match");
		} else {
			advance(r);
		}
	}
}

/* Attributes that stand here. */
static void skip_attributes(struct reader *r)
{
	for (;;) {
		if (r->kind == CTEXT_NAME &&
		    (ctext_is(&r->ctext, "__attribute__") || ctext_is(&r->ctext, "__attribute"))) {
			advance(r);
			if (!at(r, '('))
				return;
		} else if (!at(r, '[') || r->ctext.start[1] != '[') {
			return;
		}
		skip_brackets(r);
	}
}

/* "struct a" up to its "{", if that follows; the tag is declared only then. */
static bool read_tag(struct reader *r, bool *ret_opened, bool *ret_is_enum)
{
	struct name tag = { 0 };

	*ret_is_enum = ctext_is(&r->ctext, "enum");
	advance(r);
	skip_attributes(r);
	if (r->kind == CTEXT_NAME) {
		tag = current(r);
		advance(r);
		skip_attributes(r);
	}
	*ret_opened = at(r, '{');
	if (*ret_opened)
		report(r, CTEXT_TAG, tag);
	return r->status == 0;
}

/* The declarator's name in "(*name)(…)", "(*(*name)(…))[3]": the first inside. */
static struct name name_inside(struct reader *r)
{
	struct name name = { 0 };
	struct reader look = *r; /* reads ahead without reporting */

	for (advance(&look); look.status == 0; advance(&look)) {
		if (look.kind == CTEXT_NAME && !at_word(&look, plain_words)) {
			name = current(&look);
			break;
		}
		if (!at(&look, '*') && !at(&look, '(') && look.kind != CTEXT_NAME)
			break;
	}
	return name;
}

static bool is_pointer_declarator(const struct reader *r)
{
	struct reader look = *r;

	advance(&look);
	return at(&look, '*');
}

static void skip_initialiser(struct reader *r)
{
	while (r->status == 0 && !at(r, ',') && !at(r, ';') && r->kind != CTEXT_END) {
		if (at(r, '(') || at(r, '[') || at(r, '{'))
			skip_brackets(r);
		else if (at(r, ')') || at(r, ']') || at(r, '}'))
			reader_fail(r, "brackets that do not match");
		else
			advance(r);
	}
}

/* One external declaration, its ";" or body included. */
static void read_declaration(struct reader *r)
{
	struct name last = { 0 };
	bool is_function = false;

	while (r->status == 0 && r->kind != CTEXT_END) {
		if (at_word(r, tag_words)) {
			bool opened, is_enum;

			last = (struct name){ 0 };
			if (read_tag(r, &opened, &is_enum) && opened)
				read_members(r, is_enum);
		} else if (at_word(r, call_words)) {
			advance(r);
			if (at(r, '('))
				skip_brackets(r);
		} else if (at_word(r, plain_words)) {
			advance(r);
		} else if (r->kind == CTEXT_NAME) {
			last = current(r);
			advance(r);
		} else if (at(r, '(')) {
			if (is_pointer_declarator(r)) {
				last = name_inside(r);
				report(r, CTEXT_ORDINARY, last);
				is_function = false;
			} else if (last.len) {
				report(r, CTEXT_ORDINARY, last);
				is_function = true;
			}
			last = (struct name){ 0 };
			skip_brackets(r);
		} else if (at(r, '[') && r->ctext.start[1] == '[') {
			skip_brackets(r);
		} else if (at(r, '{')) {
			skip_brackets(r);
			if (is_function)
				return;
		} else if (at(r, '=') || at(r, ':') || at(r, '[') || at(r, ',') || at(r, ';')) {
			report(r, CTEXT_ORDINARY, last);
			last = (struct name){ 0 };
			if (at(r, '=') || at(r, ':'))
				skip_initialiser(r);
			else if (at(r, '['))
				skip_brackets(r);
			if (at(r, ',')) {
				is_function = false;
				advance(r);
			} else if (at(r, ';')) {
				advance(r);
				return;
			}
		} else if (at(r, ')') || at(r, ']') || at(r, '}')) {
			reader_fail(r, "brackets that do not match");
		} else {
			advance(r);
		}
	}
}

int ctext_declared(const char *text, ctext_name_fn *fn, void *userdata, const char **ret_why,
		   unsigned *ret_line)
{
	struct reader r = { .fn = fn, .userdata = userdata };

	ctext_init(&r.ctext, text);
	advance(&r);
	while (r.status == 0 && r.kind != CTEXT_END)
		read_declaration(&r);
	if (ret_why)
		*ret_why = r.why;
	if (ret_line)
		*ret_line = r.ctext.line;
	return r.status;
}
