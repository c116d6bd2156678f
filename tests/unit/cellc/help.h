/*
 * What the tests of cellc share: messages caught in a pipe, values and attributes as text.
 */
#pragma once

#include "cellc/scan.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What is said goes to a file without a name. */
struct caught {
	struct diag *diag;
	FILE *file;
	char text[8192];
};

static inline void caught_open(struct caught *caught, const struct diag_options *options)
{
	caught->file = tmpfile();
	ck_assert_ptr_nonnull(caught->file);
	caught->diag = diag_new(options, fileno(caught->file));
}

/* Everything that was said. */
static inline const char *caught_close(struct caught *caught)
{
	size_t n;

	diag_free(caught->diag);
	rewind(caught->file);
	n = fread(caught->text, 1, sizeof caught->text - 1, caught->file);
	caught->text[n] = '\0';
	fclose(caught->file);
	return caught->text;
}

static inline void values_print(FILE *out, const struct attribute *attribute, uint32_t parent)
{
	bool first = true;

	for (size_t i = 0; i < attribute->n_values; i++) {
		const struct macro_value *value = &attribute->values[i];

		if (value->parent != parent)
			continue;
		if (!first)
			fputs(", ", out);
		first = false;
		if (value->name[0])
			fprintf(out, "%s=", value->name);
		switch (value->kind) {
		case MACRO_VALUE_KIND_STRING: fprintf(out, "\"%s\"", value->text); break;
		case MACRO_VALUE_KIND_INTEGER:
			fprintf(out, "%lld", (long long)value->integer);
			break;
		case MACRO_VALUE_KIND_BOOL:
			fputs(value->integer ? "true" : "false", out);
			break;
		case MACRO_VALUE_KIND_IDENTIFIER: fprintf(out, "%s", value->text); break;
		case MACRO_VALUE_KIND_FLOAT: fprintf(out, "%sf", value->text); break;
		case MACRO_VALUE_KIND_NULL: fputs("null", out); break;
		case MACRO_VALUE_KIND_TOKENS: fprintf(out, "<%s>", value->text); break;
		case MACRO_VALUE_KIND_LIST:
			fputs("[", out);
			values_print(out, attribute, (uint32_t)i + 1);
			fputs("]", out);
			break;
		case MACRO_VALUE_KIND_RECORD:
			fputs("(", out);
			values_print(out, attribute, (uint32_t)i + 1);
			fputs(")", out);
			break;
		default: ck_abort_msg("a value of no kind");
		}
	}
}

/* "db::table(name=\"x\")"; the caller frees it. */
static inline char *attribute_print(const struct attribute *attribute)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	fprintf(out, "%s::%s", attribute->ns, attribute->name);
	if (attribute->n_values) {
		fputs("(", out);
		values_print(out, attribute, 0);
		fputs(")", out);
	}
	fclose(out);
	return text;
}
