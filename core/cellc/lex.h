/*
 * The lexical grammar of C: what is a token, a comment, the end of a directive. It knows
 * continued lines and digraphs, and nothing of macros. Pure.
 */
#pragma once

#include <cell/arena.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token_kind {
	TOKEN_END,        /* of the text */
	TOKEN_LINE_END,   /* of the directive */
	TOKEN_IDENTIFIER, /* keywords, too */
	TOKEN_NUMBER,     /* as the preprocessor sees it: 5ms is one */
	TOKEN_STRING,     /* with its prefix */
	TOKEN_CHARACTER,
	TOKEN_PUNCTUATOR,
	TOKEN_STRAY,      /* a byte that C has no use for */
};

/* Punctuators as numbers: their bytes, the first one lowest. Digraphs are what they stand for. */
#define PUNCTUATOR_2(a, b) ((uint32_t)(a) | (uint32_t)(b) << 8)
#define PUNCTUATOR_SCOPE   PUNCTUATOR_2(':', ':')

struct token {
	enum token_kind kind;
	uint32_t punctuator;   /* 0 for other kinds */
	size_t start, end;     /* bytes of the text */
	bool is_first;         /* on its line, but for spaces and comments */
	bool is_continued;     /* a backslash and a line's end are inside */
	bool is_unterminated;  /* strings and characters */
};

struct range {
	size_t start, end;
};

struct lexer {
	const char *text;
	size_t len;
	size_t at;            /* the next byte to look at */
	bool in_directive;    /* a line's end is a token */
	bool at_line_start;
	/* Comments are added to it. NULL: nobody cares. */
	struct ranges *comments;
	struct cell_arena *arena; /* of COMMENTS */
};

struct ranges {
	struct range *items;
	size_t n, room;
};

/* Read from byte AT on. */
void lex_init(struct lexer *lexer, const char *text, size_t len, size_t at);

/* The next token. At the end of the text it is TOKEN_END for ever. */
enum token_kind lex_next(struct lexer *lexer, struct token *ret);

/* Leave out the rest of a directive, its line's end included. */
void lex_skip_line(struct lexer *lexer);

/* Whether TOKEN, an identifier, is WORD. */
bool lex_is(const struct lexer *lexer, const struct token *token, const char *word);

/*
 * TOKEN's bytes without continued lines, as a string. Lives in ARENA.
 */
const char *lex_text(const struct lexer *lexer, const struct token *token,
		     struct cell_arena *arena);

/*
 * The bytes of a string or character literal's contents, escapes decoded, in ARENA. *RET_LEN
 * without the NUL behind it; a character of more than 8 bits is encoded as UTF-8.
 * Returns false if an escape makes no sense.
 */
bool lex_decode(const struct lexer *lexer, const struct token *token, struct cell_arena *arena,
		const char **ret_bytes, size_t *ret_len);

/*
 * The byte of the text at which stands what became byte OFFSET of those of lex_decode(): of
 * several that are one escape, that of its backslash. Behind the last: the closing quote.
 */
size_t lex_locate(const struct lexer *lexer, const struct token *token, size_t offset,
		  struct cell_arena *arena);
