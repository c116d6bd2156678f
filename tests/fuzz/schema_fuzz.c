/*
 * A schema that a cell tells of itself, on its way into a program: any bytes are refused with
 * a text, or give C for every file of it. cell::remote makes clients this way.
 */
#include <cell/internal/gen.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static void *on_alloc(void *userdata, size_t size)
{
	(void)userdata;
	return gen_take(size);
}

static void on_free(void *userdata, void *pointer)
{
	(void)userdata;
	(void)pointer;
}

static int make(void *userdata)
{
	const struct input *input = userdata;
	ProtobufCAllocator memory = { .alloc = on_alloc, .free = on_free };
	const struct gen_options options = { .cell = "bank", .alias = "b" };
	Google__Protobuf__FileDescriptorSet *set;
	struct gen_model model;

	set = google__protobuf__file_descriptor_set__unpack(&memory, input->size, input->data);
	if (!set)
		return 0;
	for (size_t i = 0; i < set->n_file; i++)
		if (!set->file[i]->name)
			return 0;
	gen_model_build(&model, set->file, set->n_file, &options);
	if (model.errors.len)
		return 0;
	for (size_t i = 0; i < model.n_files; i++) {
		struct gen_text header = { .len = 0 }, source = { .len = 0 };
		const struct gen_file *file = &model.files[i];

		if (!file->is_wanted)
			continue;
		gen_emit_header(&header, file);
		gen_emit_source(&source, &model, file);
		/* What no name or comment may do is end what it stands in. */
		if (strlen(header.bytes) != header.len || strlen(source.bytes) != source.len)
			abort();
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	(void)gen_run(make, &input);
	return 0;
}
