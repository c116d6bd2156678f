/* The schema of tests/unit/cell/fixture.proto, as protoc gives it. */
#pragma once

#include "cell/schema.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of a FileDescriptorSet; the caller's. */
static inline uint8_t *fixture_bytes(size_t *ret_len)
{
	const char *top = getenv("CELL_TOP") ? getenv("CELL_TOP") : ".";
	size_t size = 1 << 20, n;
	uint8_t *bytes = malloc(size);
	char command[1024];
	FILE *pipe;

	ck_assert_ptr_nonnull(bytes);
	snprintf(command, sizeof command,
		 "protoc -I %s/tests/unit/cell --include_imports --include_source_info "
		 "--descriptor_set_out=/dev/stdout fixture.proto",
		 top);
	pipe = popen(command, "re");
	ck_assert_ptr_nonnull(pipe);
	n = fread(bytes, 1, size, pipe);
	ck_assert_int_eq(pclose(pipe), 0);
	ck_assert_uint_gt(n, 0);
	*ret_len = n;
	return bytes;
}

static inline struct schema *fixture_schema(void)
{
	static const char *const served[] = { "cell.fixture.v1.Store",
					      "cell.fixture.v1.Other" };
	struct cell_error err = { 0 };
	struct schema *schema = NULL;
	size_t len;
	uint8_t *bytes = fixture_bytes(&len);
	int r = schema_parse(&schema, bytes, len, served, 2, &err);

	ck_assert_msg(r == 0, "%s", err.text);
	/* Nothing of the model may point into them. */
	memset(bytes, 0xff, len);
	free(bytes);
	return schema;
}

static inline const struct schema_message *fixture_message(const struct schema *schema,
							   const char *name)
{
	struct schema_type_ref type;
	struct cell_error err;

	ck_assert_int_eq(schema_find_type(schema, name, &type, &err), 0);
	ck_assert_ptr_nonnull(type.message);
	return type.message;
}
