/*
 * Plans of several providers as one: conflicts, who waits for whom, who wraps whom.
 */
#include "macro/plan.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cell_arena arena;
static struct macro_attribute attributes[8];
static struct macro_declaration declaration;
static struct macro_member members[2];
static struct macro_type types[1];
static struct macro_plan_request request;
static struct macro_plan plans[8];
static struct plan_part parts[8];
static const char *namespaces[8];
static struct plan_merged merged;
static const char *running[8];
static struct plan_world world;

static void setup(void)
{
	cell_arena_init(&arena, 0);
	memset(plans, 0, sizeof plans);
	members[0] = (struct macro_member){ .name = "id", .doc = "" };
	members[1] = (struct macro_member){ .name = "owner", .doc = "" };
	types[0] = (struct macro_type){ .kind = MACRO_TYPE_KIND_STRUCT, .tag = "account",
					.n_members = 2, .members = members };
	declaration = (struct macro_declaration){ .place = MACRO_PLACE_FUNCTION, .name = "deposit" };
	request = (struct macro_plan_request){ .declaration = &declaration,
					       .attributes = attributes };
	world = (struct plan_world){ .running = running };
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

/* One provider NS, whose macro is on the declaration; its plan. */
static struct macro_plan *part(const char *ns)
{
	size_t i = request.n_attributes++;

	attributes[i] = (struct macro_attribute){ .id = (uint32_t)i + 1, .ns = ns, .name = "it" };
	namespaces[i] = ns;
	parts[i] = (struct plan_part){ .cell = ns, .namespaces = &namespaces[i],
				       .n_namespaces = 1, .plan = &plans[i] };
	running[world.n_running++] = ns;
	return &plans[i];
}

static void a_struct(void)
{
	declaration = (struct macro_declaration){ .place = MACRO_PLACE_STRUCT, .name = "account",
						  .type = 1 };
	request.types = types;
	request.n_types = 1;
}

static void merge(void)
{
	ck_assert_int_eq(plan_merge(&arena, &request, parts, request.n_attributes, &world, &merged),
			 0);
}

/* "severity ns: text [note]" of all diagnostics, one a line. */
static const char *said(void)
{
	static char text[4096];

	text[0] = '\0';
	for (size_t i = 0; i < merged.plan.n_diagnostics; i++) {
		const struct macro_diagnostic *d = &merged.plan.diagnostics[i];

		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s %s@%u: %s",
			 i ? "\n" : "", d->severity == MACRO_DIAGNOSTIC_SEVERITY_ERROR ? "error" : "warning",
			 d->ns, d->attribute, d->text);
		for (size_t k = 0; k < d->n_notes; k++)
			snprintf(text + strlen(text), sizeof text - strlen(text), " [%s]",
				 d->notes[k]);
	}
	return text;
}

static struct macro_want want(const char *ns, const char *key, bool optional, uint32_t attribute)
{
	return (struct macro_want){ .ns = ns, .key = key, .optional = optional,
				    .attribute = attribute };
}

/* --- conflicts ----------------------------------------------------------------------------- */

START_TEST(two_bodies_are_one_too_many)
{
	declaration.place = MACRO_PLACE_PROTOTYPE;
	part("db")->body = 1;
	part("sql")->body = 2;
	merge();
	ck_assert_str_eq(said(), "error sql@2: db::it and sql::it both give 'deposit' its body");
	ck_assert_uint_eq(merged.n_errors, 1);
}
END_TEST

START_TEST(a_function_has_its_body)
{
	part("db")->body = 1;
	merge();
	ck_assert_str_eq(said(), "error db@1: would give a body to a function that has one");
}
END_TEST

START_TEST(fields_clash_with_each_other_and_with_the_users)
{
	struct macro_planned_field a[] = { { "dirty", "bool", 1 }, { "owner", "int", 1 } };
	struct macro_planned_field b[] = { { "dirty", "int", 2 } };
	struct macro_plan *plan;

	a_struct();
	plan = part("db");
	plan->n_fields = 2;
	plan->fields = a;
	plan = part("raft");
	plan->n_fields = 1;
	plan->fields = b;
	merge();
	ck_assert_str_eq(said(),
			 "error db@1: would add the field 'owner', which 'account' has already\n"
			 "error raft@2: db::it and raft::it both add the field 'dirty'");
}
END_TEST

START_TEST(fields_need_a_struct)
{
	struct macro_planned_field a[] = { { "dirty", "bool", 1 } };
	struct macro_plan *plan = part("db");

	plan->n_fields = 1;
	plan->fields = a;
	merge();
	ck_assert_str_eq(said(), "error db@1: would add the field 'dirty', and this is no struct");
}
END_TEST

START_TEST(symbols_clash_unless_one_is_a_tag)
{
	struct macro_planned_symbol a[] = { { "account_get", false, 0, 1 },
					    { "account_get", false, MACRO_PIECE_KIND_ONCE, 1 },
					    { "account", false, 0, 1 },
					    { "account", true, 0, 1 } };
	struct macro_planned_symbol b[] = { { "account_get", false, 0, 2 },
					    { "account_get", true, 0, 2 } };
	struct macro_plan *plan;

	a_struct();
	plan = part("db");
	plan->n_symbols = 4;
	plan->symbols = a;
	plan = part("rest");
	plan->n_symbols = 2;
	plan->symbols = b;
	merge();
	ck_assert_str_eq(said(),
			 "error db@1: would declare 'account', which is there already\n"
			 "error rest@2: db::it and rest::it both declare 'account_get'");
}
END_TEST

START_TEST(wants_that_nobody_can_meet_are_told_before_any_text)
{
	struct macro_want wants[] = { want("auth", "roles", false, 1), want("log", "x", true, 1),
				      want("sms", "y", false, 1) };
	const char *off[] = { "sms" };
	struct macro_plan *plan = part("db");

	plan->n_wants = 3;
	plan->wants = wants;
	request.features_off = off;
	request.n_features_off = 1;
	merge();
	ck_assert_str_eq(said(),
			 "error db@1: needs 'roles' of 'auth', which no running cell provides "
			 "[run: cell run auth]\n"
			 "error db@1: needs 'y' of 'sms', which is switched off");
}
END_TEST

START_TEST(what_providers_say_is_taken_in_their_name)
{
	struct macro_diagnostic d = { .severity = MACRO_DIAGNOSTIC_SEVERITY_WARNING,
				      .attribute = 1, .member = "id", .text = "odd",
				      .ns = "somebody else" };
	struct macro_plan *plan = part("db");

	plan->n_diagnostics = 1;
	plan->diagnostics = &d;
	merge();
	ck_assert_str_eq(said(), "warning db@1: odd");
	ck_assert_str_eq(merged.plan.diagnostics[0].member, "id");
	ck_assert_uint_eq(merged.n_errors, 0);
}
END_TEST

/* --- who waits for whom ------------------------------------------------------------------------ */

static const char *const size_key[] = { "size" };

static void provides_size(struct macro_plan *plan)
{
	plan->provides = size_key;
	plan->n_provides = 1;
}

START_TEST(who_is_needed_comes_first)
{
	struct macro_want wants[] = { want("zeta", "size", false, 1) };
	struct macro_plan *plan = part("alpha");

	plan->n_wants = 1;
	plan->wants = wants;
	(void)part("beta");
	provides_size(part("zeta"));
	merge();
	ck_assert_str_eq(said(), "");
	/* beta waits for nobody, alpha for zeta. */
	ck_assert_uint_eq(merged.order[0], 1);
	ck_assert_uint_eq(merged.order[1], 2);
	ck_assert_uint_eq(merged.order[2], 0);
	ck_assert_uint_eq(merged.needs[0], 4);
}
END_TEST

START_TEST(what_is_not_promised_makes_nobody_wait)
{
	struct macro_want wants[] = { want("zeta", "other", false, 1) };
	struct macro_plan *plan = part("alpha");
	size_t from;

	plan->n_wants = 1;
	plan->wants = wants;
	provides_size(part("zeta"));
	merge();
	ck_assert_uint_eq(merged.needs[0], 0);
	ck_assert_int_eq(plan_want(&request, parts, 2, &merged, &world, 0, &wants[0], &from),
			 PLAN_WANT_ASK);
}
END_TEST

START_TEST(loops_are_cut_with_one_warning)
{
	struct macro_want of_b[] = { want("b", "size", true, 1) };
	struct macro_want of_c[] = { want("c", "size", true, 2) };
	struct macro_want of_a[] = { want("a", "size", true, 3) };
	struct macro_want of_all[] = { want("a", "size", true, 4), want("c", "size", true, 4) };
	struct macro_plan *plan[4] = { part("a"), part("b"), part("c"), part("d") };
	size_t from;

	for (int i = 0; i < 3; i++) {
		provides_size(plan[i]);
		plan[i]->n_wants = 1;
	}
	plan[0]->wants = of_b;
	plan[1]->wants = of_c;
	plan[2]->wants = of_a;
	plan[3]->wants = of_all;
	plan[3]->n_wants = 2;
	merge();
	ck_assert_str_eq(said(), "warning a@1: a loop: 'a' needs 'b' needs 'c' needs 'a'; "
				 "each is expanded without the other");
	ck_assert_uint_eq(merged.n_loops, 1);
	ck_assert_uint_eq(merged.n_errors, 0);
	/* Those in the loop wait for nobody; who is outside of it for both. */
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(merged.needs[i], 0);
	ck_assert_uint_eq(merged.needs[3], 5);
	ck_assert_uint_eq(merged.order[3], 3);
	ck_assert_int_eq(plan_want(&request, parts, 4, &merged, &world, 0, &of_b[0], &from),
			 PLAN_WANT_CUT);
	ck_assert_int_eq(plan_want(&request, parts, 4, &merged, &world, 3, &of_all[0], &from),
			 PLAN_WANT_FACT);
}
END_TEST

START_TEST(a_loop_of_what_must_be_is_an_error)
{
	struct macro_want of_b[] = { want("b", "size", false, 1) };
	struct macro_want of_a[] = { want("a", "size", true, 2) };
	struct macro_plan *plan[2] = { part("a"), part("b") };

	provides_size(plan[0]);
	provides_size(plan[1]);
	plan[0]->n_wants = plan[1]->n_wants = 1;
	plan[0]->wants = of_b;
	plan[1]->wants = of_a;
	merge();
	ck_assert_uint_eq(merged.n_errors, 1);
	ck_assert_ptr_nonnull(strstr(said(), "error a@1: needs 'size' of 'b', which needs this first"));
}
END_TEST

START_TEST(two_loops_are_two_warnings)
{
	struct macro_want w[] = { want("b", "size", true, 1), want("a", "size", true, 2),
				  want("d", "size", true, 3), want("c", "size", true, 4) };
	const char *names[] = { "a", "b", "c", "d" };

	for (size_t i = 0; i < 4; i++) {
		struct macro_plan *plan = part(names[i]);

		provides_size(plan);
		plan->n_wants = 1;
		plan->wants = &w[i];
	}
	merge();
	ck_assert_uint_eq(merged.n_loops, 2);
	ck_assert_uint_eq(merged.plan.n_diagnostics, 2);
}
END_TEST

/* --- who wraps whom -------------------------------------------------------------------------------- */

static void wraps(const char *ns, struct macro_planned_wrap *wrap)
{
	struct macro_plan *plan = part(ns);

	wrap->attribute = (uint32_t)request.n_attributes;
	plan->n_wraps = 1;
	plan->wraps = wrap;
}

/* "auth trace db" from outside in. */
static const char *chain(void)
{
	static char text[256];

	text[0] = '\0';
	for (size_t i = 0; i < merged.n_wraps; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
			 parts[merged.wraps[i].part].cell);
	return text;
}

START_TEST(phases_decide)
{
	struct macro_planned_wrap a = { .phase = MACRO_PHASE_TRANSACT };
	struct macro_planned_wrap b = { .phase = MACRO_PHASE_AUTHORIZE };
	struct macro_planned_wrap c = { .phase = MACRO_PHASE_ENTRY };

	wraps("db", &a);
	wraps("auth", &b);
	wraps("cell", &c);
	merge();
	ck_assert_str_eq(said(), "");
	ck_assert_str_eq(chain(), "cell auth db");
	ck_assert_uint_eq(merged.plan.wraps[0].phase, MACRO_PHASE_ENTRY);
}
END_TEST

START_TEST(before_and_after_decide_within_a_phase)
{
	static const char *const trace[] = { "trace" }, *const meter[] = { "meter" };
	struct macro_planned_wrap a = { .phase = 50, .n_before = 1, .before = trace };
	struct macro_planned_wrap b = { .phase = 50 };
	struct macro_planned_wrap c = { .phase = 50, .n_after = 1, .after = meter,
					.n_before = 1, .before = trace };

	/* meter outside of log (after), log outside of trace, meter too. */
	wraps("log", &c);
	wraps("meter", &a);
	wraps("trace", &b);
	merge();
	ck_assert_str_eq(said(), "");
	ck_assert_str_eq(chain(), "meter log trace");
}
END_TEST

START_TEST(without_a_word_there_is_no_order)
{
	struct macro_planned_wrap a = { .phase = 50 }, b = { .phase = 50 };

	wraps("meter", &a);
	wraps("trace", &b);
	merge();
	ck_assert_str_eq(said(), "error trace@2: meter::it and trace::it both wrap 'deposit' in phase "
				 "50, and nothing says in which order [say which is outside: order = "
				 "meter trace in .cell/project]");
}
END_TEST

START_TEST(the_project_decides_what_nobody_says)
{
	struct macro_planned_wrap w[3] = { { .phase = 50 }, { .phase = 50 }, { .phase = 50 } };
	const char *order[] = { "trace", "x", "meter", "log" };

	request.order = order;
	request.n_order = 4;
	wraps("log", &w[0]);
	wraps("meter", &w[1]);
	wraps("trace", &w[2]);
	merge();
	ck_assert_str_eq(said(), "");
	ck_assert_str_eq(chain(), "trace meter log");
}
END_TEST

START_TEST(both_outside_is_an_error)
{
	static const char *const trace[] = { "trace" }, *const meter[] = { "meter" };
	struct macro_planned_wrap a = { .phase = 50, .n_before = 1, .before = trace };
	struct macro_planned_wrap b = { .phase = 50, .n_before = 1, .before = meter };

	wraps("meter", &a);
	wraps("trace", &b);
	merge();
	ck_assert_ptr_nonnull(strstr(said(), "meter::it and trace::it both wrap 'deposit' in phase "
					     "50, each outside of the other"));
}
END_TEST

START_TEST(one_entry_and_a_body_to_wrap)
{
	struct macro_planned_wrap a = { .phase = 0 }, b = { .phase = 0 };

	wraps("cell", &a);
	wraps("http", &b);
	merge();
	ck_assert_str_eq(said(), "error http@2: cell::it and http::it both wrap 'deposit' in phase 0, "
				 "which has one entry");
	declaration.place = MACRO_PLACE_PROTOTYPE;
	merge();
	ck_assert_str_eq(said(), "error cell@1: would wrap what has no body: nothing runs here");
}
END_TEST

/* --- answers that make no sense ------------------------------------------------------------------------ */

START_TEST(garbage_is_not_believed)
{
	struct cell_error err = { 0 };
	struct macro_planned_symbol foreign = { "x", false, 0, 2 };
	struct macro_planned_symbol no_name = { "x y", false, 0, 1 };
	struct macro_planned_symbol good = { "x", false, 0, 1 };
	const char *bad_link[] = { "-Wl,-x" }, *bad_header[] = { "<a.h>\n#include <b.h>" };
	struct macro_plan *plan = part("db");

	(void)part("other");
	ck_assert_int_eq(plan_check(&request, &parts[0], &err), 0);
	plan->n_symbols = 1;
	plan->symbols = &foreign;
	ck_assert_int_eq(plan_check(&request, &parts[0], &err), CELL_INTERNAL);
	ck_assert_str_eq(err.text, "cell 'db' answered what makes no sense: the symbol 'x'");
	plan->symbols = &no_name;
	ck_assert_int_eq(plan_check(&request, &parts[0], &err), CELL_INTERNAL);
	plan->symbols = &good;
	ck_assert_int_eq(plan_check(&request, &parts[0], &err), 0);
	plan->n_link = 1;
	plan->link = bad_link;
	ck_assert_int_eq(plan_check(&request, &parts[0], &err), CELL_INTERNAL);
	plan->n_link = 0;
	plan->n_headers = 1;
	plan->headers = bad_header;
	ck_assert_int_eq(plan_check(&request, &parts[0], &err), CELL_INTERNAL);
	plan->n_headers = 0;
	plan->n_symbols = PLAN_ITEMS_MAX + 1;
	ck_assert_int_eq(plan_check(&request, &parts[0], &err), CELL_INTERNAL);
	ck_assert_str_eq(err.text, "cell 'db' plans 1025 of one kind, limit 1024");
	plan->n_symbols = 1;
	plan->body = 2;
	ck_assert_int_eq(plan_check(&request, &parts[0], &err), CELL_INTERNAL);
}
END_TEST

START_TEST(the_digest_is_of_the_plan_not_of_what_is_said)
{
	struct macro_diagnostic d = { .severity = MACRO_DIAGNOSTIC_SEVERITY_WARNING,
				      .member = "", .text = "odd", .ns = "" };
	struct macro_planned_symbol symbol = { "x", false, 0, 1 };
	struct macro_plan *plan = part("db");
	uint8_t first[32];

	merge();
	ck_assert_uint_eq(merged.plan.n_digest, 32);
	memcpy(first, merged.plan.digest, 32);
	plan->n_diagnostics = 1;
	plan->diagnostics = &d;
	merge();
	ck_assert_mem_eq(first, merged.plan.digest, 32);
	plan->n_symbols = 1;
	plan->symbols = &symbol;
	merge();
	ck_assert_mem_ne(first, merged.plan.digest, 32);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan");
	TCase *tcase = tcase_create("plan");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, two_bodies_are_one_too_many);
	tcase_add_test(tcase, a_function_has_its_body);
	tcase_add_test(tcase, fields_clash_with_each_other_and_with_the_users);
	tcase_add_test(tcase, fields_need_a_struct);
	tcase_add_test(tcase, symbols_clash_unless_one_is_a_tag);
	tcase_add_test(tcase, wants_that_nobody_can_meet_are_told_before_any_text);
	tcase_add_test(tcase, what_providers_say_is_taken_in_their_name);
	tcase_add_test(tcase, who_is_needed_comes_first);
	tcase_add_test(tcase, what_is_not_promised_makes_nobody_wait);
	tcase_add_test(tcase, loops_are_cut_with_one_warning);
	tcase_add_test(tcase, a_loop_of_what_must_be_is_an_error);
	tcase_add_test(tcase, two_loops_are_two_warnings);
	tcase_add_test(tcase, phases_decide);
	tcase_add_test(tcase, before_and_after_decide_within_a_phase);
	tcase_add_test(tcase, without_a_word_there_is_no_order);
	tcase_add_test(tcase, the_project_decides_what_nobody_says);
	tcase_add_test(tcase, both_outside_is_an_error);
	tcase_add_test(tcase, one_entry_and_a_body_to_wrap);
	tcase_add_test(tcase, garbage_is_not_believed);
	tcase_add_test(tcase, the_digest_is_of_the_plan_not_of_what_is_said);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
