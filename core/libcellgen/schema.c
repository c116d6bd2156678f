#include <string.h>

#include <cell/internal/gen.h>

#define BYTES_PER_LINE 20

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__SourceCodeInfo source_info;

/*
 * Of the source info only the comments are kept: they are the documentation that a
 * running cell gives. Most entries have none and are as large as all the rest.
 */
static source_info *info_strip(const source_info *info)
{
	source_info *stripped = gen_take(sizeof *stripped);

	google__protobuf__source_code_info__init(stripped);
	stripped->location = gen_take(info->n_location * sizeof *stripped->location);
	for (size_t i = 0; i < info->n_location; i++) {
		Google__Protobuf__SourceCodeInfo__Location *at = info->location[i];

		at->n_leading_detached_comments = 0;
		if (at->leading_comments || at->trailing_comments)
			stripped->location[stripped->n_location++] = at;
	}
	return stripped;
}

static file_proto *file_strip(const file_proto *proto)
{
	file_proto *stripped = gen_take(sizeof *stripped);

	*stripped = *proto;
	/* What protobuf itself brings is documented elsewhere, at length. */
	if (!strncmp(proto->name, "google/protobuf/", 16))
		stripped->source_code_info = NULL;
	else if (proto->source_code_info)
		stripped->source_code_info = info_strip(proto->source_code_info);
	return stripped;
}

/* Mark PROTO and all that it imports. */
static void mark(const struct gen_model *model, const char *name, bool *wanted)
{
	for (size_t i = 0; i < model->n_files; i++) {
		const file_proto *proto = model->files[i].proto;

		if (strcmp(proto->name, name) || wanted[i])
			continue;
		wanted[i] = true;
		for (size_t d = 0; d < proto->n_dependency; d++)
			mark(model, proto->dependency[d], wanted);
	}
}

void gen_emit_schema(struct gen_text *out, const struct gen_model *model,
		     const struct gen_file *file)
{
	Google__Protobuf__FileDescriptorSet set = GOOGLE__PROTOBUF__FILE_DESCRIPTOR_SET__INIT;
	bool *wanted = gen_take(model->n_files * sizeof *wanted);
	uint8_t *bytes;
	size_t len;

	mark(model, file->name, wanted);
	set.file = gen_take(model->n_files * sizeof *set.file);
	/* protoc gives them in an order in which imports come first; a set wants the same. */
	for (size_t i = 0; i < model->n_files; i++)
		if (wanted[i])
			set.file[set.n_file++] = file_strip(model->files[i].proto);

	len = google__protobuf__file_descriptor_set__get_packed_size(&set);
	bytes = gen_take(len);
	(void)google__protobuf__file_descriptor_set__pack(&set, bytes);
	gen_put(out,
		"/* A google.protobuf.FileDescriptorSet: this file and what it imports. */\n");
	gen_put(out, "static const uint8_t schema[%zu] = {", len);
	for (size_t i = 0; i < len; i++)
		gen_put(out, "%s%u,", i % BYTES_PER_LINE ? "" : "\n\t", bytes[i]);
	gen_add(out, "\n};\n\n");
}
