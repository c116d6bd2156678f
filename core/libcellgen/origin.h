/*
 * Where an element stands in its file, and what its comments say.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <cell/internal/gen.h>

/* Messages nest at most 32 deep in protoc; two steps each, and a few for what is inside. */
#define GEN_PATH_MAX_STEPS 80

/* The way from a file to an element: field numbers of descriptor.proto, and indices. */
struct gen_path {
	int32_t steps[GEN_PATH_MAX_STEPS];
	size_t n;
};

/* The path of element INDEX of the repeated field NUMBER of what is at PATH. */
struct gen_path gen_path_down(const struct gen_path *path, int32_t number, size_t index);

/* Where PATH stands. A file without source info gives line 0 and no comments. */
struct gen_origin gen_origin_find(const Google__Protobuf__FileDescriptorProto *file,
				  const struct gen_path *path);
