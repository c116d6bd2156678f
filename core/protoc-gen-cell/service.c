#include <string.h>

#include "emit.h"

static void emit_thunk(struct text *out, const struct service *service,
		       const struct method *method)
{
	const bool in_empty = !method->client_streams && message_is_empty(method->in);
	const bool out_empty = !method->server_streams && message_is_empty(method->out);
	const char *in = in_empty ? ""
			 : method->client_streams
				 ? take_printf(", (struct %s_source *)in", method->in->tag)
				 : ", in";
	const char *ret = out_empty ? "" : ", out";

	text_put_call(out, take_printf("static int %s_thunk", method->noun),
		      (const char *const[]){ "const void *handlers", "struct cell_call *call",
					     "void *self", "const void *in", "void *out" },
		      5, "\n{\n");
	text_put(out, "\tconst struct %s_handlers *table = handlers;\n\n", service->prefix);
	if (in_empty)
		text_add(out, "\t(void)in;\n");
	if (out_empty)
		text_add(out, "\t(void)out;\n");
	text_put(out, "\tif (!table->%s)\n\t\treturn CELL_UNIMPLEMENTED;\n", method->verb);
	text_put(out, "\treturn table->%s(call, self%s%s);\n}\n\n", method->verb, in, ret);
}

static const char *method_flags(const struct method *method)
{
	const char *flags =
		take_printf("%s%s%s",
			    method->client_streams ? " | CELL_METHOD_CLIENT_STREAM" : "",
			    method->server_streams ? " | CELL_METHOD_SERVER_STREAM" : "",
			    method->is_idempotent ? " | CELL_METHOD_IDEMPOTENT" : "");

	return *flags ? flags + 3 : "0";
}

static void emit_methods(struct text *out, const struct file *file,
			 const struct service *service)
{
	text_put(out, "const struct cell_method %s_methods[] = {\n", service->prefix);
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct method *method = &service->methods[i];

		text_put(out, "\t{\n\t\t.name = \"%s\",\n", method->name);
		text_put(out, "\t\t.full_name = \"%s\",\n", method->full_name);
		text_put(out, "\t\t.hash = 0x%08xu,\n", method->hash);
		text_put(out, "\t\t.flags = %s,\n", method_flags(method));
		text_put(out, "\t\t.channel = %s,\n", file->channel);
		text_put(out, "\t\t.in = &%s_type,\n", method->in->tag);
		text_put(out, "\t\t.out = &%s_type,\n\t},\n", method->out->tag);
	}
	text_add(out, service->n_methods ? "" : "\t{ .name = NULL },\n");
	text_add(out, "};\n\n");
}

void emit_service(struct text *out, const struct file *file, const struct service *service)
{
	for (size_t i = 0; i < service->n_methods; i++)
		emit_thunk(out, service, &service->methods[i]);
	text_put(out, "static cell_invoke_fn *const %s_thunks[] = {\n", service->prefix);
	for (size_t i = 0; i < service->n_methods; i++)
		text_put(out, "\t%s_thunk,\n", service->methods[i].noun);
	text_add(out, service->n_methods ? "};\n\n" : "\tNULL,\n};\n\n");

	emit_methods(out, file, service);
	text_put(out, "const struct cell_service %s_service = {\n", service->prefix);
	text_put(out, "\t.name = \"%s\",\n", service->full_name);
	text_put(out, "\t.methods = %s_methods,\n\t.invoke = %s_thunks,\n", service->prefix,
		 service->prefix);
	text_put(out, "\t.n_methods = %zu,\n", service->n_methods);
	text_add(out, "\t.schema = schema,\n\t.schema_len = sizeof schema,\n};\n\n");
}
