/*
 * protoc-gen-cell: C for the schemas of cells (protoc-gen-cell(1)).
 *
 * protoc parses the .proto files and writes a CodeGeneratorRequest to our standard input;
 * we answer with a CodeGeneratorResponse. What is wrong with a schema goes into the
 * response; only trouble with the request itself is our own failure.
 */
#include <stdio.h>
#include <string.h>

#include <cell/internal/gen.h>

#define FEATURE_PROTO3_OPTIONAL 1

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request_proto;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse response_proto;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse__File response_file;

static uint8_t *read_all(FILE *from, size_t *ret_len)
{
	size_t room = 1 << 16, len = 0;
	uint8_t *bytes = gen_take(room);

	for (;;) {
		len += fread(bytes + len, 1, room - len, from);
		if (len < room)
			break;
		uint8_t *more = gen_take(2 * room);

		memcpy(more, bytes, len);
		bytes = more;
		room *= 2;
	}
	*ret_len = len;
	return bytes;
}

static void respond(response_proto *response, const char *name, struct gen_text *content)
{
	response_file *file = gen_take(sizeof *file);

	google__protobuf__compiler__code_generator_response__file__init(file);
	file->name = (char *)name;
	file->content = content->bytes;
	response->file[response->n_file++] = file;
}

static void generate(response_proto *response, const struct gen_model *model)
{
	response->file = gen_take(2 * model->n_files * sizeof *response->file);
	for (size_t i = 0; i < model->n_files; i++) {
		const struct gen_file *file = &model->files[i];
		struct gen_text header = { .len = 0 }, source = { .len = 0 };

		if (!file->is_wanted)
			continue;
		gen_emit_header(&header, file);
		gen_emit_source(&source, model, file);
		respond(response, gen_printf("%s.cell.h", file->stem), &header);
		respond(response, gen_printf("%s.cell.c", file->stem), &source);
	}
}

int main(int argc, char **argv)
{
	response_proto response = GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
	struct gen_options options;
	struct gen_model model;
	request_proto *request;
	uint8_t *bytes;
	size_t len;

	if (argc > 1) {
		fprintf(stderr, "usage: protoc --plugin=%s --cell_out=DIR FILE.proto\n",
			argv[0]);
		return 2;
	}
	bytes = read_all(stdin, &len);
	request =
		google__protobuf__compiler__code_generator_request__unpack(NULL, len, bytes);
	if (!request) {
		fprintf(stderr,
			"protoc-gen-cell: standard input is no CodeGeneratorRequest\n");
		return 1;
	}
	response.has_supported_features = 1;
	response.supported_features = FEATURE_PROTO3_OPTIONAL;
	options =
		(struct gen_options){ .wanted =
					      (const char *const *)request->file_to_generate,
				      .n_wanted = request->n_file_to_generate };
	gen_model_build(&model, request->proto_file, request->n_proto_file, &options);
	if (model.errors.len)
		response.error = model.errors.bytes;
	else
		generate(&response, &model);

	len = google__protobuf__compiler__code_generator_response__get_packed_size(&response);
	bytes = gen_take(len);
	(void)google__protobuf__compiler__code_generator_response__pack(&response, bytes);
	if (fwrite(bytes, 1, len, stdout) != len || fflush(stdout)) {
		perror("protoc-gen-cell: standard output");
		return 1;
	}
	return 0;
}
