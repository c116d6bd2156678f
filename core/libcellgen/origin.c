#include "origin.h"

#include <string.h>

struct gen_path gen_path_down(const struct gen_path *path, int32_t number, size_t index)
{
	struct gen_path down = *path;

	if (down.n + 2 <= GEN_PATH_MAX_STEPS) {
		down.steps[down.n++] = number;
		down.steps[down.n++] = (int32_t)index;
	}
	return down;
}

struct gen_origin gen_origin_find(const Google__Protobuf__FileDescriptorProto *file,
				  const struct gen_path *path)
{
	struct gen_origin origin = { .file = file->name, .doc = "", .note = "" };
	const Google__Protobuf__SourceCodeInfo *info = file->source_code_info;

	for (size_t i = 0; info && i < info->n_location; i++) {
		const Google__Protobuf__SourceCodeInfo__Location *at = info->location[i];

		if (at->n_path != path->n ||
		    (path->n && memcmp(at->path, path->steps, path->n * sizeof *path->steps)))
			continue;
		if (at->n_span >= 2) {
			origin.line = at->span[0] + 1;
			origin.column = at->span[1] + 1;
		}
		if (at->leading_comments)
			origin.doc = at->leading_comments;
		if (at->trailing_comments)
			origin.note = at->trailing_comments;
		break;
	}
	return origin;
}
