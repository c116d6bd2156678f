#include <string.h>

#include <cell/internal/gen.h>

static void emit_thunk(struct gen_text *out, const struct gen_service *service,
		       const struct gen_method *method)
{
	const bool in_empty = !method->client_streams && gen_message_is_empty(method->in);
	const bool out_empty = !method->server_streams && gen_message_is_empty(method->out);
	const char *in = in_empty ? ""
			 : method->client_streams
				 ? gen_printf(", (struct %s_source *)in", method->in->tag)
				 : ", in";
	const char *ret = out_empty ? "" : ", out";

	gen_put_call(out, gen_printf("static int %s_thunk", method->noun),
		     (const char *const[]){ "const void *handlers", "struct cell_call *call",
					    "void *self", "const void *in", "void *out" },
		     5, "\n{\n");
	gen_put(out, "\tconst struct %s_handlers *table = handlers;\n\n", service->prefix);
	if (in_empty)
		gen_add(out, "\t(void)in;\n");
	if (out_empty)
		gen_add(out, "\t(void)out;\n");
	gen_put(out, "\tif (!table->%s)\n\t\treturn CELL_UNIMPLEMENTED;\n", method->verb);
	gen_put(out, "\treturn table->%s(call, self%s%s);\n}\n\n", method->verb, in, ret);
}

static const char *method_flags(const struct gen_method *method)
{
	const char *flags =
		gen_printf("%s%s%s",
			   method->client_streams ? " | CELL_METHOD_CLIENT_STREAM" : "",
			   method->server_streams ? " | CELL_METHOD_SERVER_STREAM" : "",
			   method->is_idempotent ? " | CELL_METHOD_IDEMPOTENT" : "");

	return *flags ? flags + 3 : "0";
}

static void emit_methods(struct gen_text *out, const struct gen_file *file,
			 const struct gen_service *service, const char *linkage)
{
	gen_put(out, "%sconst struct cell_method %s_methods[] = {\n", linkage,
		gen_service_own(service));
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct gen_method *method = &service->methods[i];

		gen_put(out, "\t{\n\t\t.name = \"%s\",\n", method->name);
		gen_put(out, "\t\t.full_name = \"%s\",\n", method->full_name);
		gen_put(out, "\t\t.hash = 0x%08xu,\n", method->hash);
		gen_put(out, "\t\t.flags = %s,\n", method_flags(method));
		gen_put(out, "\t\t.channel = %s,\n", file->channel);
		gen_put(out, "\t\t.in = &%s_type,\n", gen_message_own(method->in));
		gen_put(out, "\t\t.out = &%s_type,\n\t},\n", gen_message_own(method->out));
	}
	gen_add(out, service->n_methods ? "" : "\t{ .name = NULL },\n");
	gen_add(out, "};\n\n");
}

void gen_emit_service(struct gen_text *out, const struct gen_file *file,
		      const struct gen_service *service)
{
	for (size_t i = 0; i < service->n_methods; i++)
		emit_thunk(out, service, &service->methods[i]);
	gen_put(out, "static cell_invoke_fn *const %s_thunks[] = {\n", service->prefix);
	for (size_t i = 0; i < service->n_methods; i++)
		gen_put(out, "\t%s_thunk,\n", service->methods[i].noun);
	gen_add(out, service->n_methods ? "};\n\n" : "\tNULL,\n};\n\n");

	emit_methods(out, file, service, "");
	gen_put(out, "const struct cell_service %s_service = {\n", service->prefix);
	gen_put(out, "\t.name = \"%s\",\n", service->full_name);
	gen_put(out, "\t.methods = %s_methods,\n\t.invoke = %s_thunks,\n", service->prefix,
		service->prefix);
	gen_put(out, "\t.n_methods = %zu,\n", service->n_methods);
	gen_add(out, "\t.schema = schema,\n\t.schema_len = sizeof schema,\n};\n\n");
}

void gen_emit_client_methods(struct gen_text *out, const struct gen_file *file,
			     const struct gen_service *service)
{
	emit_methods(out, file, service, "__attribute__((weak)) ");
}
