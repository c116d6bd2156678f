/*
 * atomic, crud and persist, together with the macros of namespace cell: compiled, linked with
 * libcell and served in the own process. Tables are played by the program.
 */
#include "fixture.h"

#include "macro/builtin.h"

static struct builtin builtin_self;

static void expand(const char *source)
{
	const struct expansion_provider providers[] = {
		{ &cell_builtin, &builtin_self }, { &fixture.db, &fixture }, { NULL, NULL }
	};
	const struct expansion_project project = { .program = "bank", .kept_ns = "" };

	expansion_free(&fixture.result);
	expansion_make_by(&fixture.result, providers, &project, source);
}

static const char *const compilers[] = { "gcc", "clang-14", "clang-19" };
#define N_COMPILERS ((int)(sizeof compilers / sizeof *compilers))

static void runs(const char *compiler, const char *source)
{
	static char output[1 << 14];
	int status;

	expand(source);
	ck_assert_str_eq(fixture.result.diagnostics, "");
	status = expansion_can_run(compiler)
			 ? expansion_run(compiler, fixture.result.text, output, sizeof output)
			 : 0;
	ck_assert_msg(status == 0, "%s: %d: %.3000s", compiler, status, output);
}

/* --- atomic -------------------------------------------------------------------------- */

/* Runs twice, as if the first run had lost a race. */
static const char atomic[] =
	"static int runs, begun, ended;\n"
	"static struct cell_atomic fake_begin(struct cell_call *call)\n"
	"{ begun++; return (struct cell_atomic){ .call = call }; }\n"
	"static bool fake_again(struct cell_atomic *atomic, int *err)\n"
	"{ (void)err; return ++atomic->runs < 2; }\n"
	"static int fake_txn_begin(struct cell_call *call) { (void)call; begun++; return 0; }\n"
	"static int fake_txn_end(struct cell_call *call, int err) { (void)call; ended++; return err; }\n"
	"#define cell_atomic_begin fake_begin\n"
	"#define cell_atomic_again fake_again\n"
	"#define cell_txn_begin fake_txn_begin\n"
	"#define cell_txn_end fake_txn_end\n"
	"struct [[cell::message]] deposit { uint64_t account; int64_t amount; };\n"
	"struct [[cell::message]] receipt { int64_t balance; const char *owner; };\n"
	"struct [[cell::service(\"bank\")]] bank { uint64_t listings; };\n"
	"[[cell::handler, db::atomic]]\n"
	"static int pay(struct cell_call *call, struct bank *bank, const struct deposit *in, struct receipt *out)\n"
	"{\n"
	"	(void)call;\n"
	"	runs++;\n"
	"	bank->listings++;\n"
	"	out->balance += in->amount;\n"
	"	return 0;\n"
	"}\n"
	"[[cell::handler(service = \"bank\"), db::atomic]]\n"
	"static int each(struct cell_call *call, struct deposit_source *in, struct receipt *out)\n"
	"{\n"
	"	(void)call;\n"
	"	runs++;\n"
	"	for (struct deposit *d; (d = deposit_recv(in)); )\n"
	"		out->balance += d->amount;\n"
	"	return 0;\n"
	"}\n"
	"[[cell::handler(service = \"bank\"), db::atomic]]\n"
	"static int send(struct cell_call *call, const struct deposit *in, struct receipt_sink *out)\n"
	"{\n"
	"	(void)call;\n"
	"	return receipt_send(out, &(struct receipt){ .balance = in->amount, .owner = \"\" });\n"
	"}\n"
	"struct counter { int n; };\n"
	"[[db::atomic]]\n"
	"static int plain(struct cell_call *call, struct counter *counter, int step)\n"
	"{\n"
	"	(void)call;\n"
	"	runs++;\n"
	"	counter->n += step;\n"
	"	return step < 0 ? CELL_INVALID_ARGUMENT : 0;\n"
	"}\n"
	"int main(void)\n"
	"{\n"
	"	static struct cell_ref ref = CELL_REF(\"bank\");\n"
	"	struct cell_call *call = cell_open(\"atomic\");\n"
	"	struct counter counter = { 0 };\n"
	"	struct receipt receipt;\n"
	"	int err = cell_invoke(call, &ref, &cell_method_bank_pay.method,\n"
	"			      &(struct deposit){ 1, 5 }, &receipt);\n"
	"	if (err || receipt.balance != 5 || runs != 2 || begun != 1) {\n"
	"		printf(\"%d %s: balance %d, %d runs\\n\", err, cell_error(call)->text, (int)receipt.balance, runs);\n"
	"		return 1;\n"
	"	}\n"
	/* What is no reply stays as it is: the function sees what it left. */
	"	if (plain(call, &counter, 3) || counter.n != 6)\n"
	"		return 2;\n"
	"	if (plain(call, &counter, -1) != CELL_INVALID_ARGUMENT)\n"
	"		return 3;\n"
	"	cell_close(call);\n"
	"	return 0;\n"
	"}\n";

START_TEST(an_atomic_function_runs_again_with_an_empty_reply)
{
	runs(compilers[_i], atomic);
}
END_TEST

START_TEST(what_a_stream_of_requests_has_taken_does_not_come_again)
{
	expand(atomic);
	ck_assert_ptr_nonnull(strstr(fixture.result.text,
				     "\tint cell_err = cell_txn_begin(call);\n\n"
				     "\tif (!cell_err)\n"
				     "\t\tcell_err = cell_txn_end(call, each(call, in, out));\n"
				     "\treturn cell_err;\n"));
}
END_TEST

/* --- crud ---------------------------------------------------------------------------- */

static const char crud[] =
	"static char said[1024];\n"
	"#define SAY(...) snprintf(said + strlen(said), sizeof said - strlen(said), __VA_ARGS__)\n"
	"#define cell_table_get fake_get\n"
	"#define cell_table_insert fake_insert\n"
	"#define cell_table_update fake_update\n"
	"#define cell_table_delete fake_delete\n"
	"#define cell_table_scan fake_scan\n"
	"#define cell_cursor_next fake_next\n"
	"#define cell_cursor_end fake_end\n"
	"static int fake_get(struct cell_call *, const struct cell_table *, unsigned, const void *, void *);\n"
	"static int fake_insert(struct cell_call *, const struct cell_table *, void *);\n"
	"static int fake_update(struct cell_call *, const struct cell_table *, const void *);\n"
	"static int fake_delete(struct cell_call *, const struct cell_table *, const void *);\n"
	"static struct cell_cursor fake_scan(struct cell_call *, const struct cell_table *, const struct cell_scan *);\n"
	"static void *fake_next(struct cell_cursor *);\n"
	"static int fake_end(struct cell_cursor *);\n"
	"/* An account. */\n"
	"struct [[cell::message, db::table, db::crud(service = \"bank\")]] account {\n"
	"	[[db::key]] const char *city;\n"
	"	[[db::key]] uint64_t number;\n"
	"	int64_t balance;\n"
	"};\n"
	"static int fake_get(struct cell_call *call, const struct cell_table *t, unsigned key, const void *row, void *ret)\n"
	"{\n"
	"	const struct account *in = row;\n"
	"	(void)call; (void)t;\n"
	"	SAY(\"get %u %s %d\", key, in->city, (int)in->number);\n"
	"	*(struct account *)ret = (struct account){ in->city, in->number, 77 };\n"
	"	return in->number == 404 ? cell_refuse(call, CELL_NOT_FOUND, \"no account with number 404\") : 0;\n"
	"}\n"
	"static int fake_insert(struct cell_call *call, const struct cell_table *t, void *row)\n"
	"{\n"
	"	struct account *in = row;\n"
	"	(void)call; (void)t;\n"
	"	SAY(\"insert %s %d\", in->city, (int)in->number);\n"
	"	in->number = 12;\n"
	"	return 0;\n"
	"}\n"
	"static int fake_update(struct cell_call *call, const struct cell_table *t, const void *row)\n"
	"{ (void)call; (void)t; SAY(\"update %d\", (int)((const struct account *)row)->number); return 0; }\n"
	"static int fake_delete(struct cell_call *call, const struct cell_table *t, const void *row)\n"
	"{ (void)call; (void)t; SAY(\"delete %d\", (int)((const struct account *)row)->number); return 0; }\n"
	"static int given;\n"
	"static struct cell_cursor fake_scan(struct cell_call *call, const struct cell_table *t, const struct cell_scan *s)\n"
	"{ (void)t; SAY(\"scan %u %u\", s->key, s->n_from); given = 0; return (struct cell_cursor){ .call = call }; }\n"
	"static void *fake_next(struct cell_cursor *c)\n"
	"{ static struct account rows[2] = { { \"Rome\", 1, 5 }, { \"Rome\", 2, 6 } }; (void)c; return given < 2 ? &rows[given++] : NULL; }\n"
	"static int fake_end(struct cell_cursor *c) { (void)c; return 0; }\n"
	"static int failed;\n"
	"static void wants(const char *wanted)\n"
	"{\n"
	"	if (strcmp(said, wanted) != 0) {\n"
	"		printf(\"said '%s', wanted '%s'\\n\", said, wanted);\n"
	"		failed = 1;\n"
	"	}\n"
	"	said[0] = 0;\n"
	"}\n"
	"extern const struct cell_linked_method cell_method_bank_create_account, cell_method_bank_get_account,\n"
	"	cell_method_bank_update_account, cell_method_bank_delete_account, cell_method_bank_list_account;\n"
	"static struct cell_ref ref = CELL_REF(\"bank\");\n"
	"static int64_t list(struct cell_call *call, const struct account *from)\n"
	"{\n"
	"	struct cell_stream *stream = cell_stream_open(call, &ref, &cell_method_bank_list_account.method, from);\n"
	"	int64_t sum = 0;\n"
	"	for (struct account *a; (a = cell_stream_recv(stream)); )\n"
	"		sum += a->balance;\n"
	"	return cell_stream_end(stream, NULL) ? -1 : sum;\n"
	"}\n"
	"int main(void)\n"
	"{\n"
	"	struct cell_call *call = cell_open(\"crud\");\n"
	"	struct account in = { \"Rome\", 9, 5 }, out = { 0 };\n"
	"	struct cell_empty { char none; } empty;\n"
	"	failed |= cell_invoke(call, &ref, &cell_method_bank_get_account.method, &in, &out) || out.balance != 77;\n"
	"	wants(\"get 0 Rome 9\");\n"
	"	failed |= cell_invoke(call, &ref, &cell_method_bank_create_account.method, &in, &out) || out.number != 12 || out.balance != 5;\n"
	"	wants(\"insert Rome 9\");\n"
	"	failed |= cell_invoke(call, &ref, &cell_method_bank_update_account.method, &in, &empty); wants(\"update 9\");\n"
	"	failed |= cell_invoke(call, &ref, &cell_method_bank_delete_account.method, &in, &empty); wants(\"delete 9\");\n"
	"	in.number = 404;\n"
	"	failed |= cell_invoke(call, &ref, &cell_method_bank_get_account.method, &in, &out) != CELL_NOT_FOUND;\n"
	"	wants(\"get 0 Rome 404\");\n"
	"	failed |= list(call, &(struct account){ \"\", 0, 0 }) != 11; wants(\"scan 0 0\");\n"
	"	failed |= list(call, &(struct account){ \"Rome\", 0, 0 }) != 11; wants(\"scan 0 1\");\n"
	"	failed |= list(call, &(struct account){ \"Rome\", 1, 0 }) != 11; wants(\"scan 0 2\");\n"
	"	failed |= strcmp(cell_method_bank_get_account.method.full_name, \"cell.bank.v1.Bank/GetAccount\") != 0;\n"
	"	failed |= cell_method_bank_get_account.method.hash != cell_method_hash(\"cell.bank.v1.Bank/GetAccount\");\n"
	"	cell_close(call);\n"
	"	return failed;\n"
	"}\n";

START_TEST(crud_adds_five_methods)
{
	runs(compilers[_i], crud);
}
END_TEST

START_TEST(crud_takes_the_service_of_the_file)
{
	expand("[[cell::service(\"branch-office\")]];\n"
	       "struct [[cell::message(prefix = \"m\"), db::table(prefix = \"acc\"), db::crud]] account { [[db::key]] uint64_t id; };\n");
	ck_assert_str_eq(fixture.result.diagnostics, "");
	ck_assert_ptr_nonnull(strstr(fixture.result.text, "\"cell.branch_office.v1.BranchOffice/CreateAcc\""));
	ck_assert_ptr_nonnull(strstr(fixture.result.text, ".in = &cell_m_type, .out = &cell_m_type"));
}
END_TEST

/* --- persist ------------------------------------------------------------------------- */

static const char persisted[] =
	"struct [[cell::message]] place { const char *city; };\n"
	"struct [[cell::service(\"bank\"), db::persist]] bank {\n"
	"	[[db::check(listings < 1000)]] uint64_t listings;\n"
	"	[[db::default(\"open\")]] const char *mood;\n"
	"	bool has_rate; double rate;\n"
	"	struct place place;\n"
	"};\n"
	"[[cell::handler]]\n"
	"static int list(struct cell_call *call, struct bank *bank)\n"
	"{ (void)call; bank->listings++; return 0; }\n"
	"int main(void)\n"
	"{\n"
	"	const struct cell_linked_kept *kept = NULL;\n"
	"	const struct cell_table *t;\n"
	"	for (const struct cell_linked *const *at = __start_cell_linked; at < __stop_cell_linked; at++)\n"
	"		if ((*at)->kind == CELL_LINKED_KEPT)\n"
	"			kept = (const struct cell_linked_kept *)(const void *)*at;\n"
	"	if (!kept || kept->linked.size != sizeof *kept || strcmp(kept->service, \"bank\") != 0)\n"
	"		return 1;\n"
	"	t = kept->table;\n"
	"	if (strcmp(t->name, \"bank\") != 0 || strcmp(t->store, \"bank\") != 0 || t->n_columns != 4 ||\n"
	"	    t->n_keys != 1 || t->keys[0].n != 0 || t->row_size != sizeof(struct bank))\n"
	"		return 2;\n"
	"	if (strcmp(*(const char *const *)t->columns[1].fallback, \"open\") != 0 ||\n"
	"	    t->columns[2].has_offset != offsetof(struct bank, has_rate) ||\n"
	"	    t->columns[3].kind != CELL_COLUMN_MESSAGE || t->columns[3].message != &cell_place_type)\n"
	"		return 3;\n"
	"	return 0;\n"
	"}\n";

START_TEST(the_state_of_a_service_is_a_table_of_one_row)
{
	runs(compilers[_i], persisted);
	ck_assert_str_eq(fixture.result.declared_name, "table bank");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("service");
	TCase *service = tcase_create("service");

	(void)setenv("CELL_RUNDIR", "/nonexistent", 1);
	tcase_add_checked_fixture(service, fixture_setup, fixture_teardown);
	tcase_add_loop_test(service, an_atomic_function_runs_again_with_an_empty_reply, 0, N_COMPILERS);
	tcase_add_test(service, what_a_stream_of_requests_has_taken_does_not_come_again);
	tcase_add_loop_test(service, crud_adds_five_methods, 0, N_COMPILERS);
	tcase_add_test(service, crud_takes_the_service_of_the_file);
	tcase_add_loop_test(service, the_state_of_a_service_is_a_table_of_one_row, 0, N_COMPILERS);
	tcase_set_timeout(service, 120);
	suite_add_tcase(suite, service);
	return fixture_run(suite);
}
