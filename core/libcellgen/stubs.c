#include <string.h>

#include <cell/internal/gen.h>

/* At most call, in and ret_out, and one of a stub's own. */
struct args {
	const char *at[4];
	size_t n;
};

static void arg(struct args *args, const char *text)
{
	args->at[args->n++] = text;
}

static void put(struct gen_text *out, const char *head, const struct args *args,
		const char *tail)
{
	gen_put_call(out, head, args->at, args->n, tail);
}

/* In a header nobody minds that a function is not used; text in a program's own file says so. */
static const char *unused(bool is_hidden)
{
	return is_hidden ? "__attribute__((unused)) " : "";
}

/* --- what a handler and a client have in common: typed streams ---------- */

/*
 * X_source and X_sink are names for libcell's streams that only gen_take one type. Several
 * files may stream a type of a third, hence the guards.
 */
void gen_emit_source_type(struct gen_text *out, const struct gen_message *m)
{
	const char *guard = gen_name_upper(m->tag);

	if (m->file)
		gen_put(out, "#ifndef CELL_%s_SOURCE\n#define CELL_%s_SOURCE\n", guard,
			guard);
	gen_put(out, "struct %s_source;\n\n", m->tag);
	gen_add(out,
		"/* In a handler: the client's next item, or NULL. It lives until the next. */\n");
	gen_put_call(out,
		     gen_printf("static inline %s%s *%s_recv", unused(m->is_hidden),
				     gen_message_type(m), m->tag),
		     (const char *const[]){ gen_printf("struct %s_source *source", m->tag) },
		     1, "\n{\n");
	gen_put(out, "\treturn (%s *)cell_stream_recv((struct cell_stream *)source);\n}\n",
		gen_message_type(m));
	gen_add(out, m->file ? "#endif\n\n" : "\n");
}

void gen_emit_sink_type(struct gen_text *out, const struct gen_message *m)
{
	const char *guard = gen_name_upper(m->tag);

	if (m->file)
		gen_put(out, "#ifndef CELL_%s_SINK\n#define CELL_%s_SINK\n", guard, guard);
	gen_put(out, "struct %s_sink;\n\n", m->tag);
	gen_add(out,
		"/* In a handler: send the client one more item. 0, or why there is no point. */\n");
	gen_put_call(out, gen_printf("static inline %sint %s_send", unused(m->is_hidden), m->tag),
		     (const char *const[]){
			     gen_printf("struct %s_sink *sink", m->tag),
			     gen_printf("const %s *item", gen_message_type(m)) },
		     2, "\n{\n");
	gen_add(out, "\treturn cell_stream_send((struct cell_stream *)sink, item);\n}\n");
	gen_add(out, m->file ? "#endif\n\n" : "\n");
}

static bool streamed_before(const struct gen_service *service, size_t method,
			    const struct gen_message *m, bool as_source)
{
	for (size_t i = 0; i < method; i++) {
		const struct gen_method *other = &service->methods[i];

		if (as_source ? other->client_streams && other->in == m
			      : other->server_streams && other->out == m)
			return true;
	}
	return false;
}

static void emit_stream_types(struct gen_text *out, const struct gen_service *service)
{
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct gen_method *method = &service->methods[i];

		if (method->client_streams && !streamed_before(service, i, method->in, true))
			gen_emit_source_type(out, method->in);
		if (method->server_streams &&
		    !streamed_before(service, i, method->out, false))
			gen_emit_sink_type(out, method->out);
	}
}

static void emit_handlers(struct gen_text *out, const struct gen_service *service)
{
	gen_put(out, "/* What a cell that serves %s fills in. NULL: UNIMPLEMENTED. */\n",
		service->name);
	gen_put(out, "struct %s_handlers {\n", service->prefix);
	for (size_t i = 0; i < service->n_methods; i++) {
		const struct gen_method *method = &service->methods[i];
		struct args args = { .n = 0 };

		arg(&args, "struct cell_call *call");
		arg(&args, "void *self");
		if (method->client_streams)
			arg(&args, gen_printf("struct %s_source *in", method->in->tag));
		else if (!gen_message_is_empty(method->in))
			arg(&args, gen_printf("const struct %s *in", method->in->tag));
		if (method->server_streams)
			arg(&args, gen_printf("struct %s_sink *out", method->out->tag));
		else if (!gen_message_is_empty(method->out))
			arg(&args, gen_printf("struct %s *out", method->out->tag));
		gen_emit_doc(out, "\t", method->origin.doc);
		put(out, gen_printf("\tint (*%s)", method->verb), &args, ";\n");
	}
	if (!service->n_methods)
		gen_add(out, "\tchar no_methods;\n");
	gen_add(out, "};\n\n");
}

/* --- client stubs ------------------------------------------------------- */

struct stub {
	const struct gen_method *method;
	const char *target; /* "&greeter_ref, &greeter_methods[0]" */
	bool has_in;        /* the request is in the signature */
	bool has_out;
};

static void begin(struct gen_text *out, const struct stub *stub, const char *head,
		  const struct args *args)
{
	put(out, gen_printf("static inline %s%s", unused(stub->method->is_hidden), head), args,
	    "\n{\n");
}

static void arg_in(struct args *args, const struct stub *stub)
{
	if (stub->has_in)
		arg(args, gen_printf("const struct %s *in", stub->method->in->tag));
}

static void arg_out(struct args *args, const struct stub *stub)
{
	if (stub->has_out)
		arg(args, gen_printf("struct %s *ret_out", stub->method->out->tag));
}

/* What stands for the request or the reply that a signature leaves out. */
static void emit_none(struct gen_text *out, const struct stub *stub, bool in, bool ret)
{
	const bool in_none = in && !stub->has_in, out_none = ret && !stub->has_out;
	const struct gen_message *empty = in_none ? stub->method->in : stub->method->out;

	if (in_none || out_none)
		gen_put(out, "\tstruct %s none = { 0 };\n\n", empty->tag);
}

static const char *in_of(const struct stub *stub)
{
	return stub->has_in ? "in" : "&none";
}

static const char *out_of(const struct stub *stub)
{
	return stub->has_out ? "ret_out" : "&none";
}

static void emit_unary(struct gen_text *out, const struct stub *stub)
{
	const struct gen_method *method = stub->method;
	struct args args = { { "struct cell_call *call" }, 1 };

	arg_in(&args, stub);
	arg_out(&args, stub);
	begin(out, stub, gen_printf("int %s", method->noun), &args);
	emit_none(out, stub, true, true);
	gen_put(out, "\treturn cell_invoke(call, %s, %s, %s);\n}\n\n", stub->target,
		in_of(stub), out_of(stub));
}

static void emit_post(struct gen_text *out, const struct stub *stub)
{
	const struct gen_method *method = stub->method;
	struct args args = { { "struct cell_call *call" }, 1 };

	arg_in(&args, stub);
	gen_put(out, "/* %s one-way: 0 means it was sent, no more. */\n", method->name);
	begin(out, stub, gen_printf("int %s_post", method->noun), &args);
	emit_none(out, stub, true, false);
	gen_put(out, "\treturn cell_post(call, %s, %s);\n}\n\n", stub->target, in_of(stub));
}

static void emit_future(struct gen_text *out, const struct stub *stub)
{
	const struct gen_method *method = stub->method;
	struct args start = { { "struct cell_call *call" }, 1 };
	struct args wait = { { gen_printf("struct %s_future *future", method->noun) }, 1 };

	gen_put(out, "/* %s in two steps: start several, then wait for each. */\n",
		method->name);
	gen_put(out, "struct %s_future {\n\tstruct cell_future future;\n};\n\n",
		method->noun);
	arg_in(&start, stub);
	begin(out, stub, gen_printf("struct %s_future %s_start", method->noun, method->noun),
	      &start);
	gen_put(out, "\tstruct %s_future started;\n", method->noun);
	if (stub->has_in)
		gen_add(out, "\n");
	emit_none(out, stub, true, false);
	gen_put(out, "\tstarted.future = cell_invoke_start(call, %s, %s);\n", stub->target,
		in_of(stub));
	gen_add(out, "\treturn started;\n}\n\n");
	arg_out(&wait, stub);
	begin(out, stub, gen_printf("int %s_wait", method->noun), &wait);
	emit_none(out, stub, false, true);
	gen_put(out, "\treturn cell_invoke_wait(&future->future, %s);\n}\n\n", out_of(stub));
}

static void emit_cursor(struct gen_text *out, const struct stub *stub)
{
	const struct gen_method *method = stub->method;
	const char *cursor = gen_printf("struct %s_cursor", method->noun);
	struct args open = { { "struct cell_call *call" }, 1 };
	struct args one = { { gen_printf("%s *cursor", cursor) }, 1 };

	gen_put(out, "%s {\n\tstruct cell_stream *stream;\n};\n\n", cursor);
	gen_emit_doc(out, "", method->origin.doc);
	arg_in(&open, stub);
	begin(out, stub, gen_printf("%s %s", cursor, method->noun), &open);
	gen_put(out, "\t%s cursor;\n", cursor);
	if (stub->has_in)
		gen_add(out, "\n");
	emit_none(out, stub, true, false);
	gen_put(out,
		"\tcursor.stream = cell_stream_open(call, %s, %s);\n\treturn cursor;\n}\n\n",
		stub->target, in_of(stub));

	gen_add(out,
		"/* The next item, which lives until the one after it; NULL at the end. */\n");
	begin(out, stub, gen_printf("struct %s *%s_next", method->out->tag, method->noun), &one);
	gen_put(out, "\treturn (struct %s *)cell_stream_recv(cursor->stream);\n}\n\n",
		method->out->tag);
	gen_add(out, "/* Finish, before the end too: 0, or why it stopped. */\n");
	begin(out, stub, gen_printf("int %s_end", method->noun), &one);
	gen_add(out, "\treturn cell_stream_end(cursor->stream, NULL);\n}\n\n");
}

static void emit_stream(struct gen_text *out, const struct stub *stub)
{
	const struct gen_method *method = stub->method;
	const char *type = gen_printf("struct %s_stream", method->noun);
	struct args open = { { "struct cell_call *call" }, 1 };
	struct args one = { { gen_printf("%s *stream", type) }, 1 };
	struct args send = {
		{ one.at[0], gen_printf("const struct %s *item", method->in->tag) }, 2
	};
	struct args close = one;

	gen_put(out, "%s {\n\tstruct cell_stream *stream;\n};\n\n", type);
	gen_emit_doc(out, "", method->origin.doc);
	begin(out, stub, gen_printf("%s %s_open", type, method->noun), &open);
	gen_put(out, "\t%s opened;\n\n", type);
	gen_put(out,
		"\topened.stream = cell_stream_open(call, %s, NULL);\n\treturn opened;\n}\n\n",
		stub->target);

	gen_add(out, "/* Send one item: 0, or why there is no point. */\n");
	begin(out, stub, gen_printf("int %s_send", method->noun), &send);
	gen_add(out, "\treturn cell_stream_send(stream->stream, item);\n}\n\n");

	if (method->server_streams) {
		gen_add(out,
			"/* The next item, which lives until the one after it; NULL at the end. */\n");
		begin(out, stub, gen_printf("struct %s *%s_recv", method->out->tag, method->noun),
		      &one);
		gen_put(out, "\treturn (struct %s *)cell_stream_recv(stream->stream);\n}\n\n",
			method->out->tag);
		gen_add(out, "/* No more items from us; those of the cell go on. */\n");
		begin(out, stub, gen_printf("int %s_close_send", method->noun), &one);
		gen_add(out, "\treturn cell_stream_close_send(stream->stream);\n}\n\n");
		gen_add(out, "/* Finish, before the end too: 0, or why it stopped. */\n");
		begin(out, stub, gen_printf("int %s_close", method->noun), &one);
		gen_add(out, "\treturn cell_stream_end(stream->stream, NULL);\n}\n\n");
		return;
	}
	gen_add(out, "/* No more items: wait for what the cell makes of them. */\n");
	arg_out(&close, stub);
	begin(out, stub, gen_printf("int %s_close", method->noun), &close);
	emit_none(out, stub, false, true);
	gen_add(out, "\t(void)cell_stream_close_send(stream->stream);\n");
	gen_put(out, "\treturn cell_stream_end(stream->stream, %s);\n}\n\n", out_of(stub));
}

static void emit_method(struct gen_text *out, const struct gen_service *service, size_t index)
{
	const struct gen_method *method = &service->methods[index];
	const struct stub stub = {
		.method = method,
		.target = gen_printf("&%s_ref, &%s_methods[%zu]", gen_service_own(service),
				     gen_service_own(service), index),
		.has_in = !method->client_streams && !gen_message_is_empty(method->in),
		.has_out = !method->server_streams && !gen_message_is_empty(method->out),
	};

	if (method->client_streams) {
		emit_stream(out, &stub);
		return;
	}
	if (method->server_streams) {
		emit_cursor(out, &stub);
		return;
	}
	gen_emit_doc(out, "", method->origin.doc);
	emit_unary(out, &stub);
	if (gen_message_is_empty(method->out))
		emit_post(out, &stub);
	emit_future(out, &stub);
}

/* The reference to the cell, and the stubs. */
static void emit_calls(struct gen_text *out, const struct gen_file *file,
		       const struct gen_service *service)
{
	gen_add(out, "/* The cell that the stubs call, unless cell_to() says another. */\n");
	gen_put(out,
		"static struct cell_ref %s_ref __attribute__((unused)) = CELL_REF(\"%s\");\n\n",
		gen_service_own(service), file->cell);
	for (size_t i = 0; i < service->n_methods; i++)
		emit_method(out, service, i);
}

void gen_emit_client(struct gen_text *out, const struct gen_file *file,
		     const struct gen_service *service)
{
	gen_emit_doc(out, "", service->origin.doc);
	gen_put(out, "extern const struct cell_method %s_methods[];\n\n",
		gen_service_own(service));
	emit_calls(out, file, service);
}

void gen_emit_stubs(struct gen_text *out, const struct gen_file *file,
		    const struct gen_service *service)
{
	gen_emit_doc(out, "", service->origin.doc);
	gen_put(out, "extern const struct cell_service %s_service;\n", service->prefix);
	gen_put(out, "extern const struct cell_method %s_methods[];\n\n", service->prefix);
	emit_stream_types(out, service);
	emit_handlers(out, service);
	emit_calls(out, file, service);
}
