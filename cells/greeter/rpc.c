/* The methods of proto/greeter.proto, in its order. */
#include "greeter.h"

#include "greeter.cell.h"

#include <cell/cell.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define COUNT_MAX 1000000
/* Names in one greeting, with what stands between them. */
#define EVERYBODY_MAX_BYTES 4096

static int name_check(struct cell_call *call, const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "a greeting needs a name");
	if (len > NAME_MAX_BYTES)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "a name of %zu bytes, limit %d", len,
				   NAME_MAX_BYTES);
	return 0;
}

/* The text lives in CALL, as long as the reply needs it: nobody frees it. */
static int say_hello(struct cell_call *call, struct greeter *greeter, const char *to,
		     struct greeter_greeting *out)
{
	const char *text = cell_arena_printf(cell_arena(call), "Hello, %s!", to);

	if (!text)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a greeting");
	*out = (struct greeter_greeting){ .text = text, .number = ++greeter->greetings };
	return 0;
}

static int greet(struct cell_call *call, void *self, const struct greeter_hello *in,
		 struct greeter_greeting *out)
{
	int err = name_check(call, in->name);

	return err ? err : say_hello(call, self, in->name, out);
}

static int greet_many(struct cell_call *call, void *self, const struct greeter_hello_many *in,
		      struct greeter_greeting_sink *out)
{
	int err = name_check(call, in->name);

	if (!err && in->count > COUNT_MAX)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "%" PRIu32 " greetings, limit %d",
				   in->count, COUNT_MAX);

	for (uint32_t i = 0; !err && i < in->count; i++) {
		struct cell_arena_mark mark = cell_mark(call);
		struct greeter_greeting greeting;

		/* Only this call waits; the process goes on serving. */
		if (i > 0 && in->interval_ms > 0)
			err = cell_sleep_ms(call, in->interval_ms);
		if (!err)
			err = say_hello(call, self, in->name, &greeting);
		if (!err)
			err = greeter_greeting_send(out, &greeting);
		cell_rewind(call, mark);
	}
	return err;
}

static int greet_all(struct cell_call *call, void *self, struct greeter_hello_source *in,
		     struct greeter_greeting *out)
{
	char everybody[EVERYBODY_MAX_BYTES] = "";
	const struct greeter_hello *hello;
	size_t used = 0;

	while ((hello = greeter_hello_recv(in))) {
		int err = name_check(call, hello->name);
		int n;

		if (err)
			return err;
		n = snprintf(everybody + used, sizeof everybody - used, "%s%s", used ? ", " : "",
			     hello->name);
		if (n < 0 || (size_t)n >= sizeof everybody - used)
			return cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
					   "these names do not fit into %d bytes",
					   EVERYBODY_MAX_BYTES);
		used += (size_t)n;
	}
	if (!used)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "nobody was named");
	return say_hello(call, self, everybody, out);
}

static int greet_each(struct cell_call *call, void *self, struct greeter_hello_source *in,
		      struct greeter_greeting_sink *out)
{
	const struct greeter_hello *hello;
	int err = 0;

	while (!err && (hello = greeter_hello_recv(in))) {
		struct cell_arena_mark mark = cell_mark(call);
		struct greeter_greeting greeting;

		err = name_check(call, hello->name);
		if (!err)
			err = say_hello(call, self, hello->name, &greeting);
		if (!err)
			err = greeter_greeting_send(out, &greeting);
		cell_rewind(call, mark);
	}
	return err;
}

const struct greeter_handlers greeter_handlers = {
	.greet = greet,
	.greet_many = greet_many,
	.greet_all = greet_all,
	.greet_each = greet_each,
};
