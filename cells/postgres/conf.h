/*
 * The cell's settings: lines `key = value` of the file postgres.conf in its state folder. Pure.
 *
 * A key is one of libpq's (host, port, dbname, user, password, sslmode, …), or one of ours:
 * `pool`, how many connections there may be, and `wait`, how many milliseconds a call waits for
 * a server that does not answer.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

/* More words than libpq has. */
#define CONF_WORDS_MAX 64
#define CONF_TEXT_MAX  16384

#define CONF_POOL_DEFAULT 8
#define CONF_POOL_MAX	  200
#define CONF_WAIT_DEFAULT 2000
#define CONF_WAIT_MAX	  60000

struct conf_word {
	const char *key;
	const char *value;
	unsigned line;
};

struct conf {
	unsigned pool;
	unsigned wait_ms;
	size_t n_words;
	struct conf_word words[CONF_WORDS_MAX]; /* libpq's, in order */
	bool has_password;
	char text[CONF_TEXT_MAX]; /* what the words point into */
};

/*
 * Read LEN bytes of TEXT. Lines that are empty or begin with # are left out; a value may stand
 * in single quotes. Returns 0, or CELL_INVALID_ARGUMENT with the line: "line 3: …". No message
 * has a value in it.
 */
int conf_parse(struct conf *ret, const char *text, size_t len, struct cell_error *err);

/* Forget it, secrets first. */
void conf_wipe(struct conf *conf);
