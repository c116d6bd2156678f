/*
 * Providing macros, without a connection: what is checked before a provider's functions run,
 * what they can say, and that nothing gets out which was not planned.
 */
#include <cell/cell.h>
#include <cell/macro.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct cell_call *call;

static void setup(void)
{
	call = cell_open("macro-test");
}

static void teardown(void)
{
	cell_close(call);
}

/* --- a provider that does as it is told ---------------------------------------------------- */

/* What plan and expand do, by the argument `do` of the attribute. */
static const char *todo(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	return cell_macro_text(work, mine, "do", "");
}

static bool has(const char *what, const char *word)
{
	return strstr(what, word) != NULL;
}

static int plan_thing(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *what = todo(work, mine);
	const char *noun = cell_macro_declaration(work)->name;
	static const char *const before[] = { "zeta", NULL };

	if (has(what, "refuse")) {
		(void)cell_macro_refuse(work, mine, cell_macro_argument(work, mine, "do"),
					"no %s today", "thing");
		cell_macro_note(work, "try %s", "tomorrow");
		cell_macro_note(work, "or never");
		return CELL_INVALID_ARGUMENT;
	}
	if (has(what, "where"))
		return cell_macro_refuse_at(work, mine, cell_macro_argument(work, mine, "do"), 3,
					    "no such %s", "where");
	if (has(what, "silent"))
		return CELL_NOT_FOUND;
	if (has(what, "warn"))
		cell_macro_warn(work, mine, "hm");
	if (has(what, "field"))
		(void)cell_plan_field(work, mine, "uint32_t", "cell_dirty");
	if (has(what, "named"))
		(void)cell_plan_field(work, mine, "uint32_t", "dirty");
	if (has(what, "wrap"))
		(void)cell_plan_wrap(work, mine, MACRO_PHASE_TRACE, before, NULL);
	if (has(what, "body"))
		(void)cell_plan_body(work, mine);
	if (has(what, "symbol"))
		(void)cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "%s_hello", noun);
	if (has(what, "tag"))
		(void)cell_plan_tag(work, mine, "%s_cursor", noun);
	if (has(what, "fact"))
		(void)cell_plan_provides(work, "size");
	if (has(what, "want"))
		(void)cell_plan_wants(work, mine, "other", "key", has(what, "optional"));
	(void)cell_plan_header(work, "<z.h>");
	return 0;
}

static int expand_thing(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *what = todo(work, mine);
	const char *noun = cell_macro_declaration(work)->name;
	struct cell_piece *piece;

	if (has(what, "FIELD")) {
		piece = cell_piece(work, mine, MACRO_ANCHOR_STRUCT_END, MACRO_PIECE_KIND_DECL);
		cell_piece_put(piece, "uint32_t %s;", has(what, "named") ? "dirty" : "cell_dirty");
	}
	if (has(what, "WRAP")) {
		piece = cell_piece_wrap(work, mine, MACRO_PHASE_TRACE, "traced");
		cell_piece_put(piece, "static int traced(void) { return $next$(); }");
	}
	if (has(what, "NONEXT")) {
		piece = cell_piece_wrap(work, mine, MACRO_PHASE_TRACE, "traced");
		cell_piece_put(piece, "static int traced(void) { return 0; }");
	}
	if (has(what, "GLUED")) {
		piece = cell_piece_wrap(work, mine, MACRO_PHASE_TRACE, "traced");
		cell_piece_put(piece, "static int traced(void) { return$next$(); }");
	}
	if (has(what, "SYMBOL")) {
		piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_INLINE);
		cell_piece_template(piece, "static inline int $noun$_hello(void)\n{\n",
				    (const char *const[]){ "noun", noun, NULL });
		cell_piece_from_member(piece, "id");
		cell_piece_put(piece, "\treturn 1;\n");
		cell_piece_from_value(piece, mine, &mine->values[0]);
		cell_piece_put(piece, "}\n");
	}
	if (has(what, "TAG")) {
		piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_DECL);
		cell_piece_put(piece, "struct %s_cursor { int at; };\n", noun);
	}
	if (has(what, "LITERAL")) {
		piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_ONCE);
		cell_piece_put(piece, "const char *cell_text = ");
		cell_piece_literal(piece, "a\"b\\c\n?\?=$next$\tz");
		cell_piece_put(piece, ";");
	}
	if (has(what, "UNKNOWN")) {
		piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_INLINE);
		cell_piece_template(piece, "int $what$;\n", (const char *const[]){ NULL });
	}
	if (has(what, "FACT"))
		(void)cell_macro_fact(work, "size", "12", 2);
	if (has(what, "ASK")) {
		enum macro_query_result_outcome outcome = MACRO_QUERY_RESULT_OUTCOME_VALUE;
		const uint8_t *value;
		size_t len;
		int r = cell_macro_query(work, "other", "key", &value, &len, &outcome);

		piece = cell_piece(work, mine, MACRO_ANCHOR_AFTER, MACRO_PIECE_KIND_INLINE);
		if (r == 0)
			cell_piece_put(piece, "/* %.*s */\n", (int)len, (const char *)value);
		else
			cell_piece_put(piece, "/* %d %d */\n", r == CELL_UNAVAILABLE, outcome);
	}
	if (has(what, "KEEP")) {
		const char *kept = cell_macro_kept(work, "field nick");

		(void)cell_macro_keep(work, "z", kept ? kept : "none");
		(void)cell_macro_keep(work, "a", "1");
		(void)cell_macro_keep(work, "a", "2");
	}
	if (has(what, "DECLARE"))
		(void)cell_macro_declare(work, mine, "table account", "body", 4);
	return 0;
}

/* "child of good" comes behind "good"; each loop behind all others. */
static bool comes_before(struct cell_macro_work *work, const struct macro_declared *first,
			 const struct macro_declared *second)
{
	const char *of = strstr(second->name, " of ");

	(void)work;
	if (strncmp(first->name, "loop", 4) == 0 && strncmp(second->name, "loop", 4) == 0)
		return true;
	return of && strcmp(of + 4, first->name) == 0;
}

static int provision(struct cell_macro_work *work, const struct macro_declared *declared,
		     bool only_check)
{
	if (strcmp(declared->name, "checked") == 0)
		return cell_provision_refuse_member(work, declared, CELL_FAILED_PRECONDITION,
						    "balance", "check", "%d rows violate it", 17);
	if (strcmp(declared->name, "bad") == 0) {
		(void)cell_provision_refuse(work, declared, CELL_FAILED_PRECONDITION,
					    "it has rows");
		cell_macro_note(work, "add a default");
		return CELL_FAILED_PRECONDITION;
	}
	return cell_provision_changed(work, "%s %s", only_check ? "would create" : "created",
				      declared->name);
}

static const char *const colours[] = { "red", "green", NULL };
static const struct cell_macro_argument arguments[] = {
	{ "do", MACRO_VALUE_KIND_STRING, .is_positional = true },
	{ "limit", MACRO_VALUE_KIND_INTEGER, .is_positional = true },
	{ "unique", MACRO_VALUE_KIND_BOOL, .fallback = "false" },
	{ "colour", MACRO_VALUE_KIND_IDENTIFIER, .choices = colours },
	{ "names", MACRO_VALUE_KIND_LIST, .of = MACRO_VALUE_KIND_STRING },
	{ 0 },
};
static const struct cell_macro_argument must_arguments[] = {
	{ "role", MACRO_VALUE_KIND_STRING, .is_required = true, .doc = "who may" },
	{ 0 },
};

#define BIT CELL_MACRO_BIT
#define EVERYTHING                                                                           \
	(BIT(MACRO_ADDITION_FIELDS) | BIT(MACRO_ADDITION_WRAP) | BIT(MACRO_ADDITION_BODY) |  \
	 BIT(MACRO_ADDITION_DECLARATIONS))

static const char *const headers[] = { "<time.h>", "<a.h>", NULL };
static const struct cell_macro macros[] = {
	{ "thing", .doc = "Does things.\nMore of it.",
	  .places = BIT(MACRO_PLACE_STRUCT) | BIT(MACRO_PLACE_FUNCTION), .may = EVERYTHING,
	  .arguments = arguments, .headers = headers, .plan = plan_thing,
	  .expand = expand_thing },
	{ "key", .doc = "Which member it is.", .places = BIT(MACRO_PLACE_MEMBER) },
	{ "must", .doc = "Needs a role.", .places = BIT(MACRO_PLACE_STRUCT),
	  .arguments = must_arguments },
	{ "check", .doc = "An expression.", .places = BIT(MACRO_PLACE_STRUCT),
	  .takes_expression = true },
	{ "alias", .doc = "Any names.", .places = BIT(MACRO_PLACE_STRUCT),
	  .takes_any_argument = true, .is_repeatable = true },
	{ "poor", .doc = "May nothing.", .places = BIT(MACRO_PLACE_STRUCT), .plan = plan_thing,
	  .arguments = arguments },
	{ 0 },
};
static const char *const namespaces[] = { "test", NULL };
static const struct cell_macro_provider provider = { .namespaces = namespaces,
						     .macros = macros,
						     .provision = provision,
						     .comes_before = comes_before };

/* --- requests -------------------------------------------------------------------------------- */

static struct macro_value values[8];
static struct macro_attribute attributes[4], member_attributes[1];
static struct macro_member members[1];
static struct macro_type types[1];
static struct macro_declaration declaration;
static struct macro_plan_request request;

static struct macro_value text(const char *name, const char *value)
{
	return (struct macro_value){ .kind = MACRO_VALUE_KIND_STRING, .name = name, .text = value };
}

/* struct [[test::MACRO(VALUES…)]] account { uint64_t id; }; */
static void ask(const char *macro, size_t n_values)
{
	types[0] = (struct macro_type){ .kind = MACRO_TYPE_KIND_STRUCT, .tag = "account",
					.spelling = "struct account", .doc = "" };
	declaration = (struct macro_declaration){ .place = MACRO_PLACE_STRUCT, .name = "account",
						  .type = 1, .doc = "" };
	attributes[0] = (struct macro_attribute){ .id = 1, .ns = "test", .name = macro,
						  .n_values = n_values, .values = values };
	request = (struct macro_plan_request){
		.declaration = &declaration, .n_types = 1, .types = types, .n_attributes = 1,
		.attributes = attributes, .program = "",
	};
}

static void ask_thing(const char *what)
{
	values[0] = text("", what);
	ask("thing", 1);
}

static struct macro_plan planned(void)
{
	struct macro_plan plan = { 0 };

	ck_assert_int_eq(cell_macro_plan(call, &provider, NULL, &request, &plan), 0);
	return plan;
}

static struct macro_generated_code expanded(void)
{
	struct macro_go go = { .request = &request };
	struct macro_generated_code code = { 0 };
	int r = cell_macro_expand(call, &provider, NULL, &go, NULL, NULL, &code);

	ck_assert_msg(r == 0, "%s", cell_error(call)->text);
	return code;
}

static void is_bug(const char *what, const char *said)
{
	struct macro_go go = { .request = &request };
	struct macro_generated_code code;

	ask_thing(what);
	ck_assert_int_eq(cell_macro_expand(call, &provider, NULL, &go, NULL, NULL, &code),
			 CELL_INTERNAL);
	ck_assert_str_eq(cell_error(call)->text, said);
}

/* --- the catalogue ------------------------------------------------------------------------------ */

START_TEST(catalogue_is_sorted_and_has_a_digest)
{
	struct macro_catalog catalog, again;
	struct macro_macro_info info;

	ck_assert_int_eq(cell_macro_catalog(call, &provider, NULL, &catalog), 0);
	ck_assert_uint_eq(catalog.n_macros, 6);
	ck_assert_str_eq(catalog.macros[0].name, "alias");
	ck_assert_str_eq(catalog.macros[5].name, "thing");
	ck_assert_str_eq(catalog.macros[5].summary, "Does things.");
	ck_assert_str_eq(catalog.namespaces[0], "test");
	ck_assert_uint_eq(catalog.n_digest, 32);
	ck_assert_int_eq(cell_macro_catalog(call, &provider, NULL, &again), 0);
	ck_assert_mem_eq(catalog.digest, again.digest, 32);
	ck_assert_int_eq(cell_macro_info(call, &provider,
					 &(struct macro_macro_names){
						 1, (const char *const[]){ "test::thing" } },
					 &info), 0);
	ck_assert_uint_eq(info.n_macros, 1);
	ck_assert_uint_eq(info.macros[0].n_arguments, 5);
	ck_assert_str_eq(info.macros[0].arguments[3].choices[1], "green");
	ck_assert_uint_eq(info.macros[0].n_headers, 2);
}
END_TEST

START_TEST(another_table_has_another_digest)
{
	static const struct cell_macro other[] = {
		{ "thing", .doc = "Other.", .places = BIT(MACRO_PLACE_STRUCT) }, { 0 } };
	struct cell_macro_provider changed = { .namespaces = namespaces, .macros = other };
	struct macro_catalog a, b;

	ck_assert_int_eq(cell_macro_catalog(call, &provider, NULL, &a), 0);
	ck_assert_int_eq(cell_macro_catalog(call, &changed, NULL, &b), 0);
	ck_assert_mem_ne(a.digest, b.digest, 32);
}
END_TEST

START_TEST(unknown_macro_is_named)
{
	struct macro_macro_info info;

	ck_assert_int_eq(cell_macro_info(call, &provider,
					 &(struct macro_macro_names){
						 1, (const char *const[]){ "test::nothing" } },
					 &info), CELL_NOT_FOUND);
	ck_assert_str_eq(cell_error(call)->text, "no macro 'test::nothing'");
}
END_TEST

static const struct cell_macro no_places[] = { { "x", .doc = "X." }, { 0 } };
static const struct cell_macro no_doc[] = { { "x", .places = 4 }, { 0 } };
static const struct cell_macro twice[] = { { "x", .doc = "X.", .places = 4 },
					   { "x", .doc = "X.", .places = 4 }, { 0 } };
static const struct cell_macro foreign[] = { { "x", .ns = "y", .doc = "X.", .places = 4 }, { 0 } };
static const struct cell_macro_argument late_positional[] = {
	{ "a", .doc = "A." }, { "b", .is_positional = true }, { 0 } };
static const struct cell_macro late[] = {
	{ "x", .doc = "X.", .places = 4, .arguments = late_positional }, { 0 } };
static const struct {
	const struct cell_macro *macros;
	const char *said;
} tables[] = {
	{ no_places, "macro 'x' has no places" },
	{ no_doc, "macro 'x' is not documented" },
	{ twice, "macro 'test::x' is listed twice" },
	{ foreign, "macro 'x': 'y' is none of the namespaces" },
	{ late, "macro 'x': positional argument 'b' behind a named one" },
};

START_TEST(wrong_table_is_refused)
{
	struct cell_macro_provider wrong = { .namespaces = namespaces,
					     .macros = tables[_i].macros };

	ck_assert_int_eq(cell_provide_macros(call, &wrong, NULL), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(cell_error(call)->text, tables[_i].said);
}
END_TEST

/* --- arguments ------------------------------------------------------------------------------------- */

static const struct {
	const char *macro;
	struct macro_value values[4];
	size_t n;
	const char *said; /* NULL: it is fine */
	uint32_t value;
} uses[] = {
	{ "thing", { { MACRO_VALUE_KIND_STRING, "", "x", 0, 0 } }, 1, NULL, 0 },
	{ "thing", { { MACRO_VALUE_KIND_STRING, "", "x", 0, 0 },
		     { MACRO_VALUE_KIND_INTEGER, "", "", 3, 0 } }, 2, NULL, 0 },
	{ "thing", { { MACRO_VALUE_KIND_INTEGER, "", "", 3, 0 } }, 1,
	  "'do' must be a string, not an integer", 1 },
	{ "thing", { { MACRO_VALUE_KIND_INTEGER, "unique", "", 1, 0 } }, 1, NULL, 0 },
	{ "thing", { { MACRO_VALUE_KIND_INTEGER, "unique", "", 2, 0 } }, 1,
	  "'unique' must be true or false, not an integer", 1 },
	{ "thing", { { MACRO_VALUE_KIND_BOOL, "uniqe", "", 1, 0 } }, 1,
	  "no argument 'uniqe' (did you mean 'unique'?)", 1 },
	{ "thing", { { MACRO_VALUE_KIND_INTEGER, "limit", "", 1, 0 },
		     { MACRO_VALUE_KIND_INTEGER, "limit", "", 1, 0 } }, 2,
	  "'limit' is given twice", 2 },
	{ "thing", { { MACRO_VALUE_KIND_STRING, "", "x", 0, 0 },
		     { MACRO_VALUE_KIND_INTEGER, "", "", 1, 0 },
		     { MACRO_VALUE_KIND_INTEGER, "", "", 1, 0 } }, 3,
	  "one argument too many without a name", 3 },
	{ "thing", { { MACRO_VALUE_KIND_IDENTIFIER, "colour", "red", 0, 0 } }, 1, NULL, 0 },
	{ "thing", { { MACRO_VALUE_KIND_IDENTIFIER, "colour", "gren", 0, 0 } }, 1,
	  "'gren' is no colour (did you mean 'green'?)", 1 },
	{ "thing", { { MACRO_VALUE_KIND_LIST, "names", "", 0, 0 },
		     { MACRO_VALUE_KIND_STRING, "", "a", 0, 1 },
		     { MACRO_VALUE_KIND_STRING, "", "b", 0, 1 } }, 3, NULL, 0 },
	{ "thing", { { MACRO_VALUE_KIND_LIST, "names", "", 0, 0 },
		     { MACRO_VALUE_KIND_STRING, "", "a", 0, 1 },
		     { MACRO_VALUE_KIND_INTEGER, "", "", 7, 1 } }, 3,
	  "'names' is a list of which each must be a string, not an integer", 3 },
	{ "thing", { { MACRO_VALUE_KIND_STRING, "", "x", 0, 3 } }, 1,
	  "the request's arguments are not a table", 0 },
	{ "must", { { 0 } }, 0, "needs 'role', a string", 0 },
	{ "check", { { 0 } }, 0, "needs an expression", 0 },
	{ "check", { { MACRO_VALUE_KIND_TOKENS, "", "a > b", 0, 0 } }, 1, NULL, 0 },
	{ "alias", { { MACRO_VALUE_KIND_STRING, "whatever", "x", 0, 0 } }, 1, NULL, 0 },
	{ "thin", { { 0 } }, 0, "no such macro (did you mean 'thing'?)", 0 },
	{ "key", { { 0 } }, 0, "does not belong on a struct", 0 },
};

START_TEST(arguments_are_checked)
{
	struct macro_plan plan;

	memcpy(values, uses[_i].values, sizeof uses[_i].values);
	for (size_t i = 0; i < 4; i++) {
		values[i].name = values[i].name ? values[i].name : "";
		values[i].text = values[i].text ? values[i].text : "";
	}
	ask(uses[_i].macro, uses[_i].n);
	plan = planned();
	if (!uses[_i].said) {
		ck_assert_uint_eq(plan.n_diagnostics, 0);
		return;
	}
	ck_assert_uint_eq(plan.n_diagnostics, 1);
	ck_assert_str_eq(plan.diagnostics[0].text, uses[_i].said);
	ck_assert_uint_eq(plan.diagnostics[0].attribute, 1);
	ck_assert_uint_eq(plan.diagnostics[0].value, uses[_i].value);
}
END_TEST

START_TEST(repetition_is_refused_on_one_thing_only)
{
	struct macro_plan plan;

	ask("thing", 0);
	attributes[1] = attributes[0];
	attributes[1].id = 2;
	request.n_attributes = 2;
	plan = planned();
	ck_assert_uint_eq(plan.n_diagnostics, 1);
	ck_assert_str_eq(plan.diagnostics[0].text, "stands here twice");
	ck_assert_uint_eq(plan.diagnostics[0].attribute, 2);

	/* One key on a member, and one on the struct: that is not the same place. */
	attributes[0].name = attributes[1].name = "key";
	member_attributes[0] = attributes[0];
	members[0] = (struct macro_member){ .name = "id", .n_attributes = 1,
					    .attributes = member_attributes, .doc = "" };
	types[0].n_members = 1;
	types[0].members = members;
	plan = planned();
	ck_assert_uint_eq(plan.n_diagnostics, 1);
	ck_assert_str_eq(plan.diagnostics[0].text, "does not belong on a struct");
	ck_assert_str_eq(plan.diagnostics[0].notes[0], "it belongs on a member");
}
END_TEST

/* --- planning and expanding ------------------------------------------------------------------------ */

START_TEST(plan_says_what_was_planned)
{
	struct macro_plan plan, again;

	ask_thing("field wrap body symbol tag fact want optional");
	plan = planned();
	ck_assert_uint_eq(plan.n_diagnostics, 0);
	ck_assert_str_eq(plan.fields[0].name, "cell_dirty");
	ck_assert_str_eq(plan.fields[0].type, "uint32_t");
	ck_assert_uint_eq(plan.wraps[0].phase, MACRO_PHASE_TRACE);
	ck_assert_str_eq(plan.wraps[0].before[0], "zeta");
	ck_assert_uint_eq(plan.body, 1);
	ck_assert_str_eq(plan.symbols[0].name, "account_hello");
	ck_assert(plan.symbols[1].is_type);
	ck_assert_str_eq(plan.provides[0], "size");
	ck_assert(plan.wants[0].optional);
	ck_assert_uint_eq(plan.n_headers, 3);
	ck_assert_str_eq(plan.headers[0], "<a.h>");
	ck_assert_str_eq(plan.headers[2], "<z.h>");
	again = planned();
	ck_assert_mem_eq(plan.digest, again.digest, 32);
	ask_thing("field wrap body symbol tag fact want");
	again = planned();
	ck_assert_mem_ne(plan.digest, again.digest, 32);
}
END_TEST

START_TEST(refusal_has_a_place_and_notes)
{
	struct macro_plan plan;
	struct macro_generated_code code;

	ask_thing("refuse");
	plan = planned();
	ck_assert_uint_eq(plan.n_diagnostics, 1);
	ck_assert_str_eq(plan.diagnostics[0].text, "no thing today");
	ck_assert_uint_eq(plan.diagnostics[0].value, 1);
	ck_assert_uint_eq(plan.diagnostics[0].n_notes, 2);
	ck_assert_str_eq(plan.diagnostics[0].notes[0], "try tomorrow");
	code = expanded();
	ck_assert_uint_eq(code.n_diagnostics, 1);
	ck_assert_uint_eq(code.n_pieces, 0);
}
END_TEST

START_TEST(refusal_may_be_within_a_value)
{
	struct macro_plan plan;

	ask_thing("a where");
	plan = planned();
	ck_assert_uint_eq(plan.n_diagnostics, 1);
	ck_assert_str_eq(plan.diagnostics[0].text, "no such where");
	ck_assert_uint_eq(plan.diagnostics[0].value, 1);
	ck_assert_uint_eq(plan.diagnostics[0].offset, 4);
	ck_assert_str_eq(plan.diagnostics[0].macro, "");
}
END_TEST

START_TEST(failure_without_a_word_is_a_bug)
{
	struct macro_plan plan;

	ask_thing("silent");
	ck_assert_int_eq(cell_macro_plan(call, &provider, NULL, &request, &plan), CELL_INTERNAL);
	ck_assert_str_eq(cell_error(call)->text,
			 "test::thing: its plan failed with NOT_FOUND and does not say why");
}
END_TEST

START_TEST(plan_beyond_the_table_is_a_bug)
{
	struct macro_plan plan;

	values[0] = text("", "wrap");
	ask("poor", 1);
	ck_assert_int_eq(cell_macro_plan(call, &provider, NULL, &request, &plan), CELL_INTERNAL);
	ck_assert_str_eq(cell_error(call)->text,
			 "test::poor: plans a wrapper, which its table does not announce");
}
END_TEST

START_TEST(text_has_its_sources)
{
	struct macro_generated_code code;

	ask_thing("symbol SYMBOL warn");
	code = expanded();
	/* The plan's warning is the plan's to say. */
	ck_assert_uint_eq(code.n_diagnostics, 0);
	ck_assert_uint_eq(code.n_pieces, 1);
	ck_assert_str_eq(code.pieces[0].text,
			 "static inline int account_hello(void)\n{\n\treturn 1;\n}\n");
	ck_assert_uint_eq(code.pieces[0].n_sources, 3);
	ck_assert_uint_eq(code.pieces[0].sources[0].line, 1);
	ck_assert_uint_eq(code.pieces[0].sources[1].line, 3);
	ck_assert_str_eq(code.pieces[0].sources[1].member, "id");
	ck_assert_uint_eq(code.pieces[0].sources[2].line, 4);
	ck_assert_uint_eq(code.pieces[0].sources[2].value, 1);
}
END_TEST

START_TEST(literals_are_escaped)
{
	struct macro_generated_code code;

	ask_thing("LITERAL");
	code = expanded();
	ck_assert_str_eq(code.pieces[0].text,
			 "const char *cell_text = \"a\\\"b\\\\c\\n\\077\\077=\\044next\\044\\tz\";\n");
}
END_TEST

START_TEST(what_was_not_planned_is_refused)
{
	is_bug("SYMBOL", "test::thing: line 1 of its text declares 'account_hello', which it did not plan");
	is_bug("symbol TAG", "test::thing: line 1 of its text declares 'account_cursor', which it did not plan");
	is_bug("field FIELD named", "test::thing: plans the field 'cell_dirty' and does not add it");
	is_bug("WRAP", "test::thing: wraps as 'traced' in phase 50, which it did not plan");
	is_bug("wrap", "test::thing: plans one wrapper in phase 50 and makes 0");
	is_bug("wrap NONEXT", "test::thing: its wrapper 'traced' never calls $next$");
	is_bug("wrap GLUED", "test::thing: a word of its text has a '$' in it");
	is_bug("body", "test::thing: plans a body and does not give one");
	is_bug("FACT", "test: gives the fact 'size', which it did not plan");
	is_bug("fact", "plans the fact 'size' and does not give it");
	is_bug("UNKNOWN", "test::thing: its template has $what$, and no such word is given");
}
END_TEST

START_TEST(what_was_planned_is_taken)
{
	struct macro_generated_code code;

	ask_thing("field FIELD wrap WRAP symbol SYMBOL tag TAG fact FACT DECLARE");
	code = expanded();
	ck_assert_uint_eq(code.n_pieces, 4);
	ck_assert_str_eq(code.pieces[1].symbol, "traced");
	ck_assert_uint_eq(code.pieces[1].phase, MACRO_PHASE_TRACE);
	ck_assert_uint_eq(code.n_facts, 1);
	ck_assert_mem_eq(code.facts[0].value, "12", 2);
	ck_assert_str_eq(code.declared[0].name, "table account");
	ck_assert_uint_eq(code.declared[0].n_digest, 32);
}
END_TEST

/* --- queries ------------------------------------------------------------------------------------------ */

static int answer(void *userdata, const struct macro_query *query, struct macro_query_result *ret)
{
	int *asked = userdata;

	++*asked;
	ck_assert_str_eq(query->ns, "other");
	ck_assert_str_eq(query->key, "key");
	*ret = (struct macro_query_result){ .n_value = 2, .value = (const uint8_t *)"42" };
	if (*asked > 1)
		ret->outcome = MACRO_QUERY_RESULT_OUTCOME_TIMEOUT;
	return 0;
}

START_TEST(queries_are_for_what_the_plan_wants)
{
	struct macro_fact fact = { .ns = "other", .key = "key", .n_value = 2,
				   .value = (const uint8_t *)"41" };
	struct macro_go go = { .request = &request };
	struct macro_generated_code code;
	int asked = 0;

	ask_thing("ASK");
	ck_assert_int_eq(cell_macro_expand(call, &provider, NULL, &go, answer, &asked, &code), 0);
	ck_assert_str_eq(code.pieces[0].text, "/* 1 1 */\n");
	ck_assert_int_eq(asked, 0);

	ask_thing("want optional ASK");
	ck_assert_int_eq(cell_macro_expand(call, &provider, NULL, &go, answer, &asked, &code), 0);
	ck_assert_str_eq(code.pieces[0].text, "/* 42 */\n");
	ck_assert_int_eq(asked, 1);
	ck_assert(!code.degraded);

	/* A time-out passes: what was made without the answer is not to be kept. */
	ck_assert_int_eq(cell_macro_expand(call, &provider, NULL, &go, answer, &asked, &code), 0);
	ck_assert_str_eq(code.pieces[0].text, "/* 1 3 */\n");
	ck_assert(code.degraded);

	go.n_facts = 1;
	go.facts = &fact;
	ck_assert_int_eq(cell_macro_expand(call, &provider, NULL, &go, answer, &asked, &code), 0);
	ck_assert_str_eq(code.pieces[0].text, "/* 41 */\n");
	ck_assert_int_eq(asked, 2);
}
END_TEST

START_TEST(what_is_kept_is_the_last_word_and_sorted)
{
	struct macro_kept kept[] = { { "field nick", "4" } };
	struct macro_kept_of of[] = { { .ns = "other", .n_kept = 0 },
				      { .ns = "test", .n_kept = 1, .kept = kept } };
	struct macro_generated_code code;

	ask_thing("KEEP");
	request.n_kept = 2;
	request.kept = of;
	code = expanded();
	ck_assert_uint_eq(code.n_kept, 1);
	ck_assert_str_eq(code.kept[0].ns, "test");
	ck_assert_uint_eq(code.kept[0].n_kept, 2);
	ck_assert_str_eq(code.kept[0].kept[0].key, "a");
	ck_assert_str_eq(code.kept[0].kept[0].value, "2");
	ck_assert_str_eq(code.kept[0].kept[1].value, "4");
}
END_TEST

START_TEST(provisioning_ends_at_the_first_refusal)
{
	struct macro_declared declared[] = {
		{ .ns = "test", .name = "good", .attribute = 3 },
		{ .ns = "test", .name = "bad", .attribute = 4 },
		{ .ns = "test", .name = "later" },
	};
	struct macro_provision_request in = { .n_declared = 3, .declared = declared };
	struct macro_provisioned out;

	ck_assert_int_eq(cell_macro_provision(call, &provider, NULL, &in, &out), 0);
	ck_assert_uint_eq(out.n_changes, 1);
	ck_assert_str_eq(out.changes[0], "created good");
	ck_assert_uint_eq(out.status, cell_status_to_wire(CELL_FAILED_PRECONDITION));
	ck_assert_uint_eq(out.n_diagnostics, 1);
	ck_assert_str_eq(out.diagnostics[0].text, "it has rows");
	ck_assert_uint_eq(out.diagnostics[0].attribute, 4);
	ck_assert_str_eq(out.diagnostics[0].notes[0], "add a default");

	ck_assert_str_eq(out.diagnostics[0].member, "");
	ck_assert_str_eq(out.diagnostics[0].macro, "");

	declared[1].name = "checked";
	ck_assert_int_eq(cell_macro_provision(call, &provider, NULL, &in, &out), 0);
	ck_assert_uint_eq(out.status, cell_status_to_wire(CELL_FAILED_PRECONDITION));
	ck_assert_uint_eq(out.n_diagnostics, 1);
	ck_assert_str_eq(out.diagnostics[0].text, "17 rows violate it");
	ck_assert_uint_eq(out.diagnostics[0].attribute, 4);
	ck_assert_str_eq(out.diagnostics[0].ns, "test");
	ck_assert_str_eq(out.diagnostics[0].member, "balance");
	ck_assert_str_eq(out.diagnostics[0].macro, "check");

	declared[1].name = "fine";
	in.only_check = true;
	ck_assert_int_eq(cell_macro_provision(call, &provider, NULL, &in, &out), 0);
	ck_assert_uint_eq(out.status, 0);
	ck_assert_uint_eq(out.n_changes, 3);
	ck_assert_str_eq(out.changes[1], "would create fine");
}
END_TEST

/* Bytes are the same however often they are asked for. */
START_TEST(equal_requests_give_equal_bytes)
{
	uint8_t a[8192], b[8192];
	size_t n, m;
	struct macro_generated_code code;

	ask_thing("field FIELD wrap WRAP symbol SYMBOL fact FACT");
	code = expanded();
	ck_assert_uint_lt(macro_generated_code_type.bound(&code), sizeof a);
	n = (size_t)(macro_generated_code_type.encode(&code, a) - a);
	code = expanded();
	m = (size_t)(macro_generated_code_type.encode(&code, b) - b);
	ck_assert_uint_eq(n, m);
	ck_assert_mem_eq(a, b, n);
}
END_TEST

START_TEST(what_others_need_is_provisioned_first)
{
	struct macro_declared declared[] = {
		{ .ns = "test", .name = "x of child of good" },
		{ .ns = "test", .name = "child of good" },
		{ .ns = "test", .name = "alone" },
		{ .ns = "test", .name = "good" },
		{ .ns = "test", .name = "loop 1" }, /* a circle ends, too */
		{ .ns = "test", .name = "loop 2" },
	};
	static const char *const order[] = { "alone", "good" };
	struct macro_provision_request in = { .n_declared = 4, .declared = declared };
	struct macro_provisioned out;

	ck_assert_int_eq(cell_macro_provision(call, &provider, NULL, &in, &out), 0);
	ck_assert_uint_eq(out.status, 0);
	ck_assert_uint_eq(out.n_changes, 4);
	for (size_t i = 0; i < 2; i++)
		ck_assert_msg(strstr(out.changes[i], order[i]) != NULL, "%s", out.changes[i]);
	ck_assert_str_eq(out.changes[2], "created child of good");
	ck_assert_str_eq(out.changes[3], "created x of child of good");
	in.n_declared = 6;
	ck_assert_int_eq(cell_macro_provision(call, &provider, NULL, &in, &out), 0);
	ck_assert_uint_eq(out.n_changes, 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("macro");
	TCase *tcase = tcase_create("macro");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, catalogue_is_sorted_and_has_a_digest);
	tcase_add_test(tcase, another_table_has_another_digest);
	tcase_add_test(tcase, unknown_macro_is_named);
	tcase_add_loop_test(tcase, wrong_table_is_refused, 0, sizeof tables / sizeof *tables);
	tcase_add_loop_test(tcase, arguments_are_checked, 0, sizeof uses / sizeof *uses);
	tcase_add_test(tcase, repetition_is_refused_on_one_thing_only);
	tcase_add_test(tcase, plan_says_what_was_planned);
	tcase_add_test(tcase, refusal_has_a_place_and_notes);
	tcase_add_test(tcase, refusal_may_be_within_a_value);
	tcase_add_test(tcase, failure_without_a_word_is_a_bug);
	tcase_add_test(tcase, plan_beyond_the_table_is_a_bug);
	tcase_add_test(tcase, text_has_its_sources);
	tcase_add_test(tcase, literals_are_escaped);
	tcase_add_test(tcase, what_was_not_planned_is_refused);
	tcase_add_test(tcase, what_was_planned_is_taken);
	tcase_add_test(tcase, queries_are_for_what_the_plan_wants);
	tcase_add_test(tcase, what_is_kept_is_the_last_word_and_sorted);
	tcase_add_test(tcase, provisioning_ends_at_the_first_refusal);
	tcase_add_test(tcase, what_others_need_is_provisioned_first);
	tcase_add_test(tcase, equal_requests_give_equal_bytes);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
