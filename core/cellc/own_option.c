#include "command_work.h"

#include <string.h>

static int features_add(struct parser *parser, const char *features)
{
	struct command_line *line = parser->line;

	if (!features || !*features)
		return cell_fail(parser->err, CELL_INVALID_ARGUMENT,
				 "--features needs NAME=on or NAME=off");
	line->features = line->features ? cell_arena_printf(parser->arena, "%s,%s",
							    line->features, features)
					: features;
	return line->features ? 0 : parser_no_memory(parser);
}

/* Whether WORD is cellc's; then *RET_N of its words are used. NEXT may be NULL. */
int own_option(struct parser *parser, const char *word, const char *next, size_t *ret_n)
{
	struct command_line *line = parser->line;

	*ret_n = 1;
	if (strcmp(word, "--locked") == 0) {
		line->locked = true;
	} else if (strcmp(word, "--offline") == 0) {
		line->offline = true;
	} else if (strcmp(word, "--frozen") == 0) {
		line->locked = line->offline = true;
	} else if (strcmp(word, "--fresh") == 0) {
		line->fresh = true;
	} else if (strcmp(word, "--fix") == 0) {
		line->fix = true;
	} else if (strcmp(word, "--strict") == 0) {
		line->strict = true;
	} else if (strcmp(word, "--cellc-verbose") == 0) {
		line->verbose = true;
	} else if (strcmp(word, "--features") == 0) {
		*ret_n = 2;
		return features_add(parser, next);
	} else if (begins(word, "--features=")) {
		return features_add(parser, word + strlen("--features="));
	} else {
		*ret_n = 0;
	}
	return 0;
}

int own_flags(struct parser *parser, const char *flags)
{
	char **words;
	size_t n, used;
	int r = command_split(flags, strlen(flags), parser->arena, &words, &n, parser->err);

	for (size_t i = 0; r == 0 && i < n; i += used) {
		r = own_option(parser, words[i], i + 1 < n ? words[i + 1] : NULL, &used);
		if (r == 0 && used == 0)
			return cell_fail(parser->err, CELL_INVALID_ARGUMENT,
					 "CELLC_FLAGS: '%s' is no option of cellc's",
					 words[i]);
	}
	return r;
}
