#include "lex.h"

#include "vector.h"

/* Classes of bytes. What is 0 is stray. */
enum byte_class {
	BYTE_STRAY,
	BYTE_SPACE,
	BYTE_LETTER, /* of an identifier; bytes of UTF-8, too */
	BYTE_DIGIT,
	BYTE_QUOTE,
	BYTE_PUNCTUATOR,
	BYTE_NEWLINE,
	BYTE_BACKSLASH,
};

static const uint8_t byte_classes[256] = {
	['\t'] = BYTE_SPACE,
	['\v'] = BYTE_SPACE,
	['\f'] = BYTE_SPACE,
	['\r'] = BYTE_SPACE,
	[' '] = BYTE_SPACE,
	['\n'] = BYTE_NEWLINE,
	['\\'] = BYTE_BACKSLASH,
	['a' ... 'z'] = BYTE_LETTER,
	['A' ... 'Z'] = BYTE_LETTER,
	['_'] = BYTE_LETTER,
	['$'] = BYTE_LETTER,
	[128 ... 255] = BYTE_LETTER,
	['0' ... '9'] = BYTE_DIGIT,
	['"'] = BYTE_QUOTE,
	['\''] = BYTE_QUOTE,
	['!'] = BYTE_PUNCTUATOR,
	['#'] = BYTE_PUNCTUATOR,
	['%'] = BYTE_PUNCTUATOR,
	['&'] = BYTE_PUNCTUATOR,
	['(' ... '/'] = BYTE_PUNCTUATOR,
	[':' ... '?'] = BYTE_PUNCTUATOR,
	['['] = BYTE_PUNCTUATOR,
	[']'] = BYTE_PUNCTUATOR,
	['^'] = BYTE_PUNCTUATOR,
	['{' ... '~'] = BYTE_PUNCTUATOR,
};

/* What identifiers and numbers are made of. */
static const bool word_bytes[256] = {
	['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true,
	['_'] = true,         ['$'] = true,         [128 ... 255] = true,
};

static enum byte_class class_of(char byte)
{
	return byte_classes[(uint8_t)byte];
}

void lex_init(struct lexer *lexer, const char *text, size_t len, size_t at)
{
	*lexer = (struct lexer){
		.text = text, .len = len, .at = at, .at_line_start = at == 0
	};
}

/* The length of a backslash and a line's end at AT; 0 if there is none. */
static size_t continuation_at(const struct lexer *lexer, size_t at)
{
	const char *text = lexer->text;

	if (at + 1 < lexer->len && text[at] == '\\') {
		if (text[at + 1] == '\n')
			return 2;
		if (text[at + 1] == '\r' && at + 2 < lexer->len && text[at + 2] == '\n')
			return 3;
	}
	return 0;
}

/* AT behind whatever continues lines there. */
static size_t continue_at(const struct lexer *lexer, size_t at)
{
	size_t n;

	while ((n = continuation_at(lexer, at)))
		at += n;
	return at;
}

/* The byte at AT, lines continued; *RET_NEXT is behind it. 0 at the end. */
static char byte_at(const struct lexer *lexer, size_t at, size_t *ret_next)
{
	at = continue_at(lexer, at);
	if (at >= lexer->len) {
		*ret_next = lexer->len;
		return '\0';
	}
	*ret_next = at + 1;
	return lexer->text[at];
}

static size_t line_comment_end(const struct lexer *lexer, size_t at)
{
	const char *end;

	for (;;) {
		end = at < lexer->len ? memchr(lexer->text + at, '\n', lexer->len - at)
				      : NULL;
		if (!end)
			return lexer->len;
		at = (size_t)(end - lexer->text);
		if (at == 0 ||
		    (lexer->text[at - 1] != '\\' &&
		     (lexer->text[at - 1] != '\r' || at < 2 || lexer->text[at - 2] != '\\')))
			return at;
		at++;
	}
}

static size_t block_comment_end(const struct lexer *lexer, size_t at)
{
	const char *star;
	size_t next;

	for (;;) {
		star = at < lexer->len ? memchr(lexer->text + at, '*', lexer->len - at)
				       : NULL;
		if (!star)
			return lexer->len;
		at = (size_t)(star - lexer->text) + 1;
		if (byte_at(lexer, at, &next) == '/')
			return next;
	}
}

/* Whether a comment starts at AT (where a slash is); *RET_END is behind it. */
static bool comment_at(struct lexer *lexer, size_t at, size_t *ret_end)
{
	size_t next;
	char byte = byte_at(lexer, at + 1, &next);

	if (byte != '/' && byte != '*')
		return false;
	*ret_end =
		byte == '/' ? line_comment_end(lexer, next) : block_comment_end(lexer, next);
	if (lexer->comments)
		*VECTOR_ADD(lexer->arena, lexer->comments) = (struct range){ at, *ret_end };
	return true;
}

/* The end of an identifier, or of a number with its signs behind exponents. */
static size_t word_end(const struct lexer *lexer, size_t at, bool is_number, bool *continued)
{
	const char *text = lexer->text;
	size_t n, sign, start = at;
	char last = '\0';

	for (;;) {
		while (at < lexer->len &&
		       (word_bytes[(uint8_t)text[at]] || (is_number && text[at] == '.')))
			at++;
		if (at > start)
			last = text[at - 1];
		if (at >= lexer->len)
			return at;
		n = continuation_at(lexer, at);
		if (n) {
			/* Only if the word goes on behind it. */
			sign = continue_at(lexer, at);
			if (sign >= lexer->len || !word_bytes[(uint8_t)text[sign]])
				return at;
			*continued = true;
			at = sign;
			continue;
		}
		if (is_number && (text[at] == '+' || text[at] == '-') &&
		    (last == 'e' || last == 'E' || last == 'p' || last == 'P')) {
			last = text[at++];
			continue;
		}
		/* C23: 1'000. Only between digits, so that '5' behind a number stays one. */
		if (is_number && text[at] == '\'' && at + 1 < lexer->len && last &&
		    word_bytes[(uint8_t)text[at + 1]] &&
		    !(at + 2 < lexer->len && text[at + 2] == '\'')) {
			last = text[++at];
			continue;
		}
		return at;
	}
}

/* AT is behind the opening quote. Neither strings nor characters go over a line's end. */
static size_t literal_end(const struct lexer *lexer, size_t at, char quote,
			  struct token *token)
{
	const char *text = lexer->text;
	size_t n;

	while (at < lexer->len && text[at] != '\n') {
		n = continuation_at(lexer, at);
		if (n) {
			token->is_continued = true;
			at += n;
		} else if (text[at] == '\\') {
			at = at + 1 < lexer->len && text[at + 1] != '\n' ? at + 2 : at + 1;
		} else if (text[at++] == quote) {
			return at;
		}
	}
	token->is_unterminated = true;
	return at;
}

/*
 * R"x(…)x", which gcc and clang know in gnu99 and later. AT is behind the quote.
 * Returns 0 if it is no such thing.
 */
static size_t raw_end(const struct lexer *lexer, size_t at)
{
	const char *text = lexer->text, *found;
	size_t delimiter = at, n;

	while (at < lexer->len && at - delimiter <= 16 && text[at] != '(')
		if (class_of(text[at]) == BYTE_SPACE || text[at] == ')' || text[at] == '\\' ||
		    text[at] == '\n' || text[at] == '"')
			return 0;
		else
			at++;
	if (at >= lexer->len || text[at] != '(')
		return 0;
	n = at - delimiter;
	while ((found = memchr(text + at, ')', lexer->len - at))) {
		at = (size_t)(found - text) + 1;
		if (lexer->len - at > n && memcmp(text + at, text + delimiter, n) == 0 &&
		    text[at + n] == '"')
			return at + n + 1;
	}
	return 0;
}

static bool is_prefix(const char *word, size_t len, bool *ret_is_raw)
{
	*ret_is_raw = len && word[len - 1] == 'R';
	if (*ret_is_raw)
		len--;
	return len == 0 || (len == 1 && strchr("LuU", word[0])) ||
	       (len == 2 && word[0] == 'u' && word[1] == '8');
}

/* A word, or the literal that it is the prefix of. */
static void lex_word(struct lexer *lexer, struct token *ret)
{
	const char *text = lexer->text;
	size_t at = word_end(lexer, ret->start, false, &ret->is_continued), end;
	bool is_raw;

	ret->kind = TOKEN_IDENTIFIER;
	ret->end = at;
	if (at >= lexer->len || class_of(text[at]) != BYTE_QUOTE || at - ret->start > 3 ||
	    !is_prefix(text + ret->start, at - ret->start, &is_raw))
		return;
	if (is_raw) {
		end = text[at] == '"' ? raw_end(lexer, at + 1) : 0;
		if (!end)
			return;
		ret->end = end;
	} else {
		ret->end = literal_end(lexer, at + 1, text[at], ret);
	}
	ret->kind = text[at] == '"' ? TOKEN_STRING : TOKEN_CHARACTER;
}

/* What may follow a first byte: longest first. Digraphs are looked at before. */
static const char *const punctuators[] = {
	"...", "<<=", ">>=", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=",
	"&&",  "||",  "*=",  "/=", "%=", "+=", "-=", "&=", "^=", "|=", "##", "::",
};

static const struct digraph {
	char bytes[3];
	char means;
} digraphs[] = { { "<:", '[' }, { ":>", ']' }, { "<%", '{' }, { "%>", '}' }, { "%:", '#' } };

static void lex_punctuator(struct lexer *lexer, struct token *ret)
{
	char bytes[3] = { lexer->text[ret->start] };
	size_t ends[3] = { ret->start + 1 }, n;

	ret->kind = TOKEN_PUNCTUATOR;
	ret->punctuator = (uint8_t)bytes[0];
	ret->end = ends[0];
	/* Most stand alone. */
	if (strchr("()[]{},;?~", bytes[0]))
		return;
	bytes[1] = byte_at(lexer, ends[0], &ends[1]);
	if (class_of(bytes[1]) != BYTE_PUNCTUATOR)
		return;
	for (size_t i = 0; i < sizeof digraphs / sizeof *digraphs; i++)
		if (bytes[0] == digraphs[i].bytes[0] && bytes[1] == digraphs[i].bytes[1]) {
			ret->punctuator = (uint8_t)digraphs[i].means;
			ret->end = ends[1];
			ret->is_continued = ends[1] - ret->start != 2;
			return;
		}
	bytes[2] = byte_at(lexer, ends[1], &ends[2]);
	for (size_t i = 0; i < sizeof punctuators / sizeof *punctuators; i++) {
		n = strlen(punctuators[i]);
		if (memcmp(punctuators[i], bytes, n) != 0)
			continue;
		ret->punctuator = PUNCTUATOR_2(bytes[0], bytes[1]);
		if (n == 3)
			ret->punctuator |= (uint32_t)bytes[2] << 16;
		ret->end = ends[n - 1];
		ret->is_continued = ret->end - ret->start != n;
		return;
	}
}

enum token_kind lex_next(struct lexer *lexer, struct token *ret)
{
	const char *text = lexer->text;
	size_t at = lexer->at, n, end;
	bool first = lexer->at_line_start;

	while (at < lexer->len) {
		enum byte_class class = class_of(text[at]);

		if (class == BYTE_SPACE) {
			at++;
		} else if (class == BYTE_NEWLINE) {
			if (lexer->in_directive)
				break;
			first = true;
			at++;
		} else if (class == BYTE_BACKSLASH && (n = continuation_at(lexer, at))) {
			at += n;
		} else if (text[at] == '/' && comment_at(lexer, at, &end)) {
			at = end;
		} else {
			break;
		}
	}

	*ret = (struct token){ .kind = TOKEN_END, .start = at, .end = at, .is_first = first };
	lexer->at_line_start = false;
	if (at >= lexer->len) {
		lexer->at = at;
		return TOKEN_END;
	}
	switch (class_of(text[at])) {
	case BYTE_NEWLINE:
		ret->kind = TOKEN_LINE_END;
		ret->end = at + 1;
		lexer->in_directive = false;
		lexer->at_line_start = true;
		break;
	case BYTE_LETTER: lex_word(lexer, ret); break;
	case BYTE_DIGIT:
		ret->kind = TOKEN_NUMBER;
		ret->end = word_end(lexer, at, true, &ret->is_continued);
		break;
	case BYTE_QUOTE:
		ret->kind = text[at] == '"' ? TOKEN_STRING : TOKEN_CHARACTER;
		ret->end = literal_end(lexer, at + 1, text[at], ret);
		break;
	case BYTE_PUNCTUATOR:
		if (text[at] == '.' && at + 1 < lexer->len &&
		    class_of(text[at + 1]) == BYTE_DIGIT) {
			ret->kind = TOKEN_NUMBER;
			ret->end = word_end(lexer, at, true, &ret->is_continued);
		} else {
			lex_punctuator(lexer, ret);
		}
		break;
	default:
		ret->kind = TOKEN_STRAY;
		ret->end = at + 1;
		break;
	}
	lexer->at = ret->end;
	return ret->kind;
}

void lex_skip_line(struct lexer *lexer)
{
	struct token token;

	while (lexer->in_directive && lex_next(lexer, &token) != TOKEN_END)
		;
	lexer->in_directive = false;
}

bool lex_is(const struct lexer *lexer, const struct token *token, const char *word)
{
	size_t n = strlen(word), k = 0, next;

	if (token->kind != TOKEN_IDENTIFIER)
		return false;
	if (!token->is_continued)
		return token->end - token->start == n &&
		       memcmp(lexer->text + token->start, word, n) == 0;
	for (size_t at = token->start; at < token->end; at = next, k++)
		if (k >= n || byte_at(lexer, at, &next) != word[k])
			return false;
	return k == n;
}

const char *lex_text(const struct lexer *lexer, const struct token *token,
		     struct cell_arena *arena)
{
	char *text =
		memory_copy(arena, lexer->text + token->start, token->end - token->start);
	size_t n = 0, next;

	if (!token->is_continued)
		return text;
	for (size_t at = token->start; at < token->end; at = next) {
		char byte = byte_at(lexer, at, &next);

		if (next <= token->end)
			text[n++] = byte;
	}
	text[n] = '\0';
	return text;
}

static size_t utf8_put(char *at, uint32_t code)
{
	if (code < 0x80) {
		at[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		at[0] = (char)(0xc0 | code >> 6);
		at[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		at[0] = (char)(0xe0 | code >> 12);
		at[1] = (char)(0x80 | (code >> 6 & 0x3f));
		at[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	at[0] = (char)(0xf0 | code >> 18);
	at[1] = (char)(0x80 | (code >> 12 & 0x3f));
	at[2] = (char)(0x80 | (code >> 6 & 0x3f));
	at[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

static int digit_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return 16;
}

/* Up to N digits at *AT. False if there are none, or N are wanted and there are fewer. */
static bool read_digits(const char **at, const char *end, int base, int n, bool all,
			uint32_t *ret_value)
{
	uint32_t value = 0;
	int k = 0;

	for (; k < n && *at < end && digit_value(**at) < base; k++, (*at)++) {
		if (value >> 28)
			return false;
		value = value * (uint32_t)base + (uint32_t)digit_value(**at);
	}
	*ret_value = value;
	return all ? k == n : k > 0;
}

/* An escape, *AT behind its backslash, to OUT; fewer bytes than it took. False: nonsense. */
static bool escape_read(const char **at, const char *end, char *out, size_t *ret_n)
{
	static const char names[] = "abfnrtve", values[] = "\a\b\f\n\r\t\v\033";
	const char *name;
	uint32_t value;
	char byte;

	if (*at >= end)
		return false;
	byte = **at;
	*ret_n = 1;
	if (byte >= '0' && byte <= '7') {
		if (!read_digits(at, end, 8, 3, false, &value) || value > 255)
			return false;
		out[0] = (char)value;
		return true;
	}
	(*at)++;
	name = byte ? strchr(names, byte) : NULL;
	if (name) {
		out[0] = values[name - names];
		return true;
	}
	switch (byte) {
	case 'x':
		if (!read_digits(at, end, 16, 8, false, &value) || value > 255)
			return false;
		out[0] = (char)value;
		return true;
	case 'u':
	case 'U':
		if (!read_digits(at, end, 16, byte == 'u' ? 4 : 8, true, &value) ||
		    value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
			return false;
		*ret_n = utf8_put(out, value);
		return true;
	case '\'':
	case '"':
	case '?':
	case '\\': out[0] = byte; return true;
	default: return false;
	}
}

/* What is between the quotes of TEXT, a literal; is_raw: as it stands. */
struct contents {
	const char *start, *end;
	bool is_raw;
};

/* False: it is not closed. */
static bool contents_find(const char *text, struct contents *ret)
{
	const char *end = text + strlen(text), *at = text;

	while (at < end && *at != '"' && *at != '\'')
		at++;
	if (at > text && at[-1] == 'R') {
		const char *open = memchr(at, '(', (size_t)(end - at));

		/* )delimiter" */
		*ret = (struct contents){ open + 1, end - 1 - (open - at), true };
		return true;
	}
	if (end - at < 2 || end[-1] != *at)
		return false;
	*ret = (struct contents){ at + 1, end - 1, false };
	return true;
}

bool lex_decode(const struct lexer *lexer, const struct token *token,
		struct cell_arena *arena, const char **ret_bytes, size_t *ret_len)
{
	const char *text = lex_text(lexer, token, arena);
	struct contents contents;
	char *out, *to;
	size_t n;

	/* A NUL in the source would end it here. */
	if (!token->is_continued && strlen(text) != token->end - token->start)
		return false;
	if (token->is_unterminated || !contents_find(text, &contents))
		return false;
	to = out = memory_copy(arena, contents.start,
			       (size_t)(contents.end - contents.start));
	*ret_bytes = out;
	if (contents.is_raw) {
		*ret_len = (size_t)(contents.end - contents.start);
		return true;
	}
	for (const char *at = contents.start; at < contents.end;) {
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		at++;
		if (!escape_read(&at, contents.end, to, &n))
			return false;
		to += n;
	}
	*to = '\0';
	*ret_len = (size_t)(to - out);
	return true;
}

/* The byte of the source that is byte INDEX of TOKEN's lex_text(). */
static size_t text_byte(const struct lexer *lexer, const struct token *token, size_t index)
{
	size_t at = token->start, next;

	if (!token->is_continued)
		return at + index;
	for (; index; index--, at = next)
		(void)byte_at(lexer, at, &next);
	return continue_at(lexer, at);
}

size_t lex_locate(const struct lexer *lexer, const struct token *token, size_t offset,
		  struct cell_arena *arena)
{
	const char *text = lex_text(lexer, token, arena), *at;
	struct contents contents;
	char bytes[8];
	size_t n = 1;

	if (token->is_unterminated || !contents_find(text, &contents))
		return token->start;
	for (at = contents.start; at < contents.end; offset -= n) {
		const char *start = at++;

		if (contents.is_raw || *start != '\\')
			n = 1;
		else if (!escape_read(&at, contents.end, bytes, &n))
			return token->start;
		if (offset < n) {
			at = start;
			break;
		}
	}
	return text_byte(lexer, token, (size_t)(at - text));
}
