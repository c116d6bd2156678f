/*
 * The fixed point: the bank in tests/lib/bank_expanded.c is exactly what the macros make of
 * its source, with two wrappers of other providers around a handler, and no compiler has a
 * word to say about it. Change the macros, and this test shows what programs get instead:
 * BANK_WRITE=1 writes the file anew, for reading.
 *
 * $CELL_TOP and $CELL_BUILD say where the tree and its build folder are.
 */
#include "macro/builtin.h"
#include "source.h"

#include <cell/cell.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *env_or(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* --- two providers -------------------------------------------------------------------------- */

/* Before anybody has looked at the request: the uniform signature. */
static int require_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	return cell_plan_wrap(work, mine, MACRO_PHASE_AUTHORIZE, NULL, NULL);
}

static int require_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *symbol = cell_macro_printf(work, "cell_require_%s",
					       cell_macro_declaration(work)->name);

	cell_piece_template(cell_piece_wrap(work, mine, MACRO_PHASE_AUTHORIZE, symbol),
			    "static int $symbol$(struct cell_call *call, void *self, const void *in,\n"
			    "\t\tvoid *out)\n"
			    "{\n"
			    "\tif (strcmp(cell_call_peer(call)->cell, \"$who$\") == 0)\n"
			    "\t\treturn cell_refuse(call, CELL_PERMISSION_DENIED, \"not for $who$\");\n"
			    "\treturn $next$(call, self, in, out);\n"
			    "}\n",
			    (const char *const[]){ "symbol", symbol, "who",
						   cell_macro_text(work, mine, "not", ""), NULL });
	return 0;
}

static const struct cell_macro_argument require_arguments[] = {
	{ .name = "not", .kind = MACRO_VALUE_KIND_STRING, .doc = "Who may not." }, { 0 }
};
static const struct cell_macro require[] = {
	{ .name = "require", .doc = "Keeps somebody out.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_FUNCTION), .may = CELL_MACRO_BIT(MACRO_ADDITION_WRAP),
	  .arguments = require_arguments, .plan = require_plan, .expand = require_expand },
	{ 0 }
};
static const struct cell_macro_provider guard = {
	.namespaces = (const char *const[]){ "guard", NULL }, .macros = require
};

/* Behind the decoder: the handler's own signature. */
static int span_plan(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	return cell_plan_wrap(work, mine, MACRO_PHASE_TRACE, NULL, NULL);
}

static int span_expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_declaration *declaration = cell_macro_declaration(work);
	const char *symbol = cell_macro_printf(work, "cell_span_%s", declaration->name);
	struct cell_piece *piece = cell_piece_wrap(work, mine, MACRO_PHASE_TRACE, symbol);

	cell_piece_put(piece, "static int %s(", symbol);
	for (size_t i = 0; i < declaration->n_parameters; i++) {
		const struct macro_parameter *parameter = &declaration->parameters[i];

		cell_piece_put(piece, "%s%s%s", i ? ", " : "",
			       cell_macro_type(work, parameter->type)->spelling, parameter->name);
	}
	cell_piece_put(piece, ")\n{\n\tint err = $next$(");
	for (size_t i = 0; i < declaration->n_parameters; i++)
		cell_piece_put(piece, "%s%s", i ? ", " : "", declaration->parameters[i].name);
	cell_piece_put(piece,
		       ");\n\n\tcell_log(CELL_LOG_DEBUG, \"trace\", \"span\", \"name=%s err=%%d\", err);\n"
		       "\treturn err;\n}\n", declaration->name);
	return 0;
}

static const struct cell_macro span[] = {
	{ .name = "span", .doc = "Tells how it went.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_FUNCTION), .may = CELL_MACRO_BIT(MACRO_ADDITION_WRAP),
	  .plan = span_plan, .expand = span_expand },
	{ 0 }
};
static const struct cell_macro_provider trace = {
	.namespaces = (const char *const[]){ "trace", NULL }, .macros = span
};

/* --- the bank --------------------------------------------------------------------------------- */

static void messages(struct source *s)
{
	source_enum(s, "status", "STATUS_OPEN = 0, STATUS_CLOSED = 1");
	source_struct(s, "Money for an account.", "cell::message", "deposit",
		      "// From 0 to 3.\nuint32_t account; int64_t amount;");
	source_struct(s, "", "cell::message", "receipt",
		      "int64_t balance; const char *owner; enum status status;");
	source_struct(s, "", "cell::message", "filter", "bool has_min_balance; int64_t min_balance;");
	source_struct(s, "", "cell::message", "entry", "uint32_t account; int64_t balance;");
	source_struct(s, "", "cell::message", "report",
		      "size_t n_entries; const struct entry *entries; struct entry best;"
		      "char currency[3]; uint8_t seal[4]; uint32_t months[3];");
	source_struct(s, "", "cell::message", "signature", "uint64_t bytes; uint32_t sum;");
}

static void state(struct source *s)
{
	source_struct(s, "Keeps what people bring.", "cell::service(\"bank\")", "bank",
		      "int64_t balances[4]; uint64_t listings; bool is_open;");
	source_function(s, "", "cell::start", true, "unlock",
			"struct cell_call *call, struct bank *bank",
			"{\n\t(void)call;\n\tbank->is_open = true;\n\treturn 0;\n}");
	source_function(s, "", "cell::stop", true, "lock",
			"struct cell_call *call, struct bank *bank",
			"{\n\t(void)call;\n\tbank->is_open = false;\n"
			"\tfputs(\"bank: locked\\n\", stderr);\n\treturn 0;\n}");
}

static void handlers(struct source *s)
{
	source_function(s, "Put money in.\nSays what is there then.",
			"cell::handler, guard::require(not = \"thief\"), trace::span", true, "deposit",
			"struct cell_call *call, struct bank *bank, const struct deposit *in, "
			"struct receipt *out",
			"{\n"
			"\tif (!bank->is_open)\n"
			"\t\treturn cell_refuse(call, CELL_FAILED_PRECONDITION, \"closed\");\n"
			"\tif (in->amount <= 0)\n"
			"\t\treturn cell_refuse(call, CELL_INVALID_ARGUMENT,\n"
			"\t\t\t\t   \"amount %\" PRId64 \" is not positive\", in->amount);\n"
			"\tif (in->account >= 4)\n"
			"\t\treturn cell_refuse(call, CELL_NOT_FOUND, \"no account with id %\" PRIu32,\n"
			"\t\t\t\t   in->account);\n"
			"\tbank->balances[in->account] += in->amount;\n"
			"\t*out = (struct receipt){ .balance = bank->balances[in->account], .owner = \"Ada\" };\n"
			"\treturn 0;\n}");
	source_function(s, "", "cell::handler(idempotent = true)", true, "list",
			"struct cell_call *call, struct bank *bank, const struct filter *in, "
			"struct entry_sink *out",
			"{\n"
			"\tint err = 0;\n\n"
			"\t(void)call;\n"
			"\tbank->listings++;\n"
			"\tfor (uint32_t i = 0; i < 4 && !err; i++)\n"
			"\t\tif (!in->has_min_balance || bank->balances[i] >= in->min_balance)\n"
			"\t\t\terr = entry_send(out, &(struct entry){ i, bank->balances[i] });\n"
			"\treturn err;\n}");
	source_function(s, "", "cell::handler(service = \"bank\")", true, "total",
			"struct cell_call *call, struct deposit_source *in, struct receipt *out",
			"{\n"
			"\tstruct deposit *next;\n\n"
			"\t(void)call;\n"
			"\twhile ((next = deposit_recv(in)))\n"
			"\t\tout->balance += next->amount;\n"
			"\tout->owner = \"all\";\n"
			"\treturn 0;\n}");
	source_function(s, "", "cell::handler(service = \"bank\")", true, "each",
			"struct cell_call *call, struct deposit_source *in, struct entry_sink *out",
			"{\n"
			"\tstruct deposit *next;\n"
			"\tint err = 0;\n\n"
			"\t(void)call;\n"
			"\twhile (!err && (next = deposit_recv(in)))\n"
			"\t\terr = entry_send(out, &(struct entry){ next->account, -next->amount });\n"
			"\treturn err;\n}");
	source_function(s, "", "cell::handler(name = \"write\", idempotent = true)", true, "bank_report",
			"struct cell_call *call, struct bank *bank, struct report *out",
			"{\n"
			"\tstruct entry *entries = cell_arena_calloc(cell_arena(call), 4, sizeof *entries);\n\n"
			"\tif (!entries)\n"
			"\t\treturn cell_refuse(call, CELL_RESOURCE_EXHAUSTED, \"no memory\");\n"
			"\tfor (uint32_t i = 0; i < 4; i++)\n"
			"\t\tentries[i] = (struct entry){ i, bank->balances[i] };\n"
			"\t*out = (struct report){ .n_entries = 4, .entries = entries, .best = entries[0],\n"
			"\t\t\t\t.currency = { 'E', 'U', 'R' } };\n"
			"\treturn 0;\n}");
	source_function(s, "", "cell::handler(raw, service = \"bank\")", true, "sign",
			"struct cell_call *call, const struct receipt *in, struct signature *out",
			"{\n"
			"\tsize_t len;\n"
			"\tconst uint8_t *bytes = cell_request_bytes(call, &len);\n\n"
			"\tout->bytes = len;\n"
			"\tfor (size_t i = 0; i < len; i++)\n"
			"\t\tout->sum += bytes[i];\n"
			"\treturn *in->owner ? 0 : cell_refuse(call, CELL_INVALID_ARGUMENT, \"no owner\");\n}");
	source_function(s, "", "cell::handler(service = \"bank\")", true, "nap",
			"struct cell_call *call, const struct deposit *in",
			"{\n\treturn cell_sleep_ms(call, (uint64_t)in->amount);\n}");
	source_function(s, "", "cell::handler(service = \"bank\")", true, "odd",
			"struct cell_call *call", "{\n\t(void)call;\n\treturn 1;\n}");
}

static const char *bank(struct cell_call *call)
{
	struct source *s = source_new("bank");
	struct builtin self = { .n_cells = 0 };
	const char *units, *text;

	source_provider(s, &guard);
	source_provider(s, &trace);
	source_text(s, "/* What the macros make of a bank: see tests/unit/macro/bank_test.c. */\n"
		       "#include <cell/cell.h>\n#include <stdio.h>\n#include <string.h>\n");
	messages(s);
	state(s);
	handlers(s);
	text = source_expand(s, call, &cell_builtin, &self, &units);
	ck_assert_msg(text != NULL, "%s", units);
	ck_assert_str_eq(units, "");
	return text;
}

START_TEST(bank_is_what_the_macros_make)
{
	struct cell_call *call = cell_open("macro-test");
	const char *text = bank(call);
	static char path[512], written[1 << 18];
	FILE *file;
	size_t len;

	(void)snprintf(path, sizeof path, "%s/tests/lib/bank_expanded.c", env_or("CELL_TOP", "."));
	if (getenv("BANK_WRITE")) {
		file = fopen(path, "w");
		ck_assert_ptr_nonnull(file);
		ck_assert_int_ge(fputs(text, file), 0);
		ck_assert_int_eq(fclose(file), 0);
	}
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	len = fread(written, 1, sizeof written - 1, file);
	(void)fclose(file);
	written[len] = '\0';
	ck_assert_str_eq(text, written);
	cell_close(call);
}
END_TEST

static const char *const compilers[] = {
	"gcc -std=gnu2x", "gcc -std=gnu17", "clang-14 -std=gnu2x", "clang-19 -std=gnu23",
};

START_TEST(no_compiler_warns)
{
	const char *top = env_or("CELL_TOP", "."), *o = env_or("CELL_BUILD", "build");
	char command[2048], first[32];

	(void)sscanf(compilers[_i], "%31s", first);
	(void)snprintf(command, sizeof command, "command -v %s >/dev/null", first);
	if (system(command) != 0)
		return;
	(void)snprintf(command, sizeof command,
		       "%s -O2 -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes "
		       "-D_GNU_SOURCE -I'%s/core/include' -I'%s/gen' -c -o /dev/null "
		       "'%s/tests/lib/bank_expanded.c'",
		       compilers[_i], top, o, top);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bank");
	TCase *tcase = tcase_create("bank");
	SRunner *runner = srunner_create(suite);
	int failed;

	(void)setenv("CELL_RUNDIR", "/nonexistent", 1);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, bank_is_what_the_macros_make);
	tcase_add_loop_test(tcase, no_compiler_warns, 0, sizeof compilers / sizeof *compilers);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
