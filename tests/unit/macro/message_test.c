/*
 * What cell::message makes of every kind of member: compiled by gcc and clang without a
 * warning, run, and held against protoc, which knows the messages only from the descriptors
 * that the text carries.
 *
 * $CELL_TOP and $CELL_BUILD say where the tree and its build folder are.
 */
#include "macro/builtin.h"
#include "source.h"

#include <cell/cell.h>
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct cell_call *call;
static struct builtin self;
static char folder[] = "/tmp/message_test.XXXXXX";
static char output[65536];

static const char *env_or(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* Run a command line in the test's folder, keep what it prints. Fails the test if it fails. */
__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
	char command[8192];
	va_list args;
	size_t len;
	FILE *pipe;
	int n, status;

	n = snprintf(command, sizeof command, "cd '%s' && exec 2>&1; ", folder);
	va_start(args, format);
	n += vsnprintf(command + n, sizeof command - (size_t)n, format, args);
	va_end(args);
	ck_assert_int_lt(n, (int)sizeof command);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	len = fread(output, 1, sizeof output - 1, pipe);
	output[len] = '\0';
	status = pclose(pipe);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s\n%s", command, output);
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static const char compilers[][32] = { "gcc", "clang-14", "clang-19" };
#define FLAGS                                                                       \
	"-O2 -Wall -Wextra -Wpedantic -Werror -Wshadow "       \
	"-D_GNU_SOURCE -I'%s/core/include' -I'%s/core' -I'%s/gen'"

static bool has_compiler(const char *name)
{
	char command[128];

	(void)snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", name);
	return system(command) == 0;
}

/* --- the source --------------------------------------------------------------------------- */

static const char program[] =
	"#include \"libcell/fileset.h\"\n"
	"#include <stdio.h>\n"
	"#include <stdlib.h>\n"
	"\n"
	"static const struct cell_linked_method method = {\n"
	"\t.linked = { CELL_LINKED_METHOD, sizeof method }, .service = \"t\",\n"
	"\t.method = { .name = \"M\", .full_name = \"cell.t.v1.T/M\", .in = &cell_all_type,\n"
	"\t\t    .out = &cell_all_type },\n"
	"};\n"
	"\n"
	"static void fail(const char *what)\n"
	"{\n"
	"\tfprintf(stderr, \"%s\\n\", what);\n"
	"\texit(1);\n"
	"}\n"
	"\n"
	"static void put(const char *path, const uint8_t *bytes, size_t len)\n"
	"{\n"
	"\tFILE *file = fopen(path, \"wb\");\n"
	"\n"
	"\tif (!file || fwrite(bytes, 1, len, file) != len || fclose(file))\n"
	"\t\tfail(path);\n"
	"}\n"
	"\n"
	"static size_t encode(const struct all *all, uint8_t *bytes, size_t room)\n"
	"{\n"
	"\tsize_t bound = cell_all_type.bound(all), len;\n"
	"\n"
	"\tif (bound > room)\n"
	"\t\tfail(\"bound\");\n"
	"\tlen = (size_t)(cell_all_type.encode(all, bytes) - bytes);\n"
	"\tif (len > bound)\n"
	"\t\tfail(\"more than bound\");\n"
	"\treturn len;\n"
	"}\n"
	"\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"\tstatic const struct point points[2] = { { 1, -1 }, { 0, 0 } };\n"
	"\tstatic const struct point there = { 7, 8 };\n"
	"\tstatic const uint8_t data[3] = { 0, 1, 2 };\n"
	"\tstatic const int32_t counts[3] = { -1, 0, 300 };\n"
	"\tstatic const enum color colors[2] = { BLUE, RED };\n"
	"\tstatic const char *const names[2] = { \"a\", \"\" };\n"
	"\tstatic const struct cell_bytes blobs[1] = { { 3, data } };\n"
	"\tstatic const struct pair pairs[2] = { { \"k\", 5 }, { \"\", 0 } };\n"
	"\tstruct all all = {\n"
	"\t\t.i32 = -5, .u32 = 5, .i64 = -6000000000, .u64 = 6000000000, .flag = true,\n"
	"\t\t.f = 1.5f, .d = -2.25, .color = BLUE, .text = \"h\\303\\244\", .has_age = true,\n"
	"\t\t.n_data = 3, .data = data, .code = \"EU\", .id = { 1, [15] = 16 },\n"
	"\t\t.at = { 3, 4 }, .maybe = &there, .n_points = 2, .points = points,\n"
	"\t\t.n_counts = 3, .counts = counts, .n_colors = 2, .colors = colors,\n"
	"\t\t.n_names = 2, .names = names, .n_blobs = 1, .blobs = blobs,\n"
	"\t\t.rgb = { 1, 0, 3 }, .has_title = true, .title = \"\", .n_pairs = 2,\n"
	"\t\t.pairs = pairs, .shade = DARK, .flags = { true, false },\n"
	"\t\t.corner = { .at = { .x = 1 }, .name = \"\" },\n"
	"\t};\n"
	"\tstatic uint8_t bytes[65536], again[65536];\n"
	"\tstruct all none = { .text = \"\", .corner = { .name = \"\" } }, back;\n"
	"\tconst struct cell_linked_method *methods[] = { &method };\n"
	"\tconst struct fileset_service service = { \"cell.t.v1.T\", \"The T.\", methods, 1 };\n"
	"\tstruct cell_arena arena;\n"
	"\tstruct cell_error err = { 0 };\n"
	"\tconst uint8_t *set;\n"
	"\tsize_t len, set_len;\n"
	"\tFILE *file;\n"
	"\n"
	"\tcell_arena_init(&arena, 0);\n"
	"\tif (fileset_build(&service, NULL, 0, &arena, &set, &set_len, &err) < 0)\n"
	"\t\tfail(err.text);\n"
	"\tput(\"set\", set, set_len);\n"
	"\tlen = encode(&all, bytes, sizeof bytes);\n"
	"\tput(\"all\", bytes, len);\n"
	"\tmemcpy(again, bytes, len);\n"
	"\tif (cell_all_type.decode(&back, again, len, CELL_DECODE_IN_PLACE, &arena, &err) < 0)\n"
	"\t\tfail(err.text);\n"
	"\tif (strcmp(back.text, all.text) || memcmp(back.code, all.code, 3) ||\n"
	"\t    memcmp(back.id, all.id, 16) || memcmp(back.rgb, all.rgb, sizeof all.rgb) ||\n"
	"\t    back.maybe->y != 8 || back.at.x != 3 || back.n_points != 2 || !back.has_age ||\n"
	"\t    !back.has_title || *back.title || back.pairs[0].value != 5 || *back.pairs[1].key)\n"
	"\t\tfail(\"not what was sent\");\n"
	"\tif (encode(&back, again, sizeof again) != len || memcmp(bytes, again, len))\n"
	"\t\tfail(\"encoded otherwise\");\n"
	"\tlen = encode(&none, bytes, sizeof bytes);\n"
	"\tput(\"none\", bytes, len);\n"
	"\tif (argc > 1) { /* what protoc wrote */\n"
	"\t\tfile = fopen(argv[1], \"rb\");\n"
	"\t\tlen = file ? fread(bytes, 1, sizeof bytes, file) : 0;\n"
	"\t\tif (cell_all_type.decode(&back, bytes, len, 0, &arena, &err) < 0)\n"
	"\t\t\tfail(err.text);\n"
	"\t\tput(\"again\", again, encode(&back, again, sizeof again));\n"
	"\t}\n"
	"\tcell_arena_deinit(&arena);\n"
	"\treturn 0;\n"
	"}\n";

static struct source *every_kind(void)
{
	struct source *source = source_new("t");

	source_text(source, "#include <cell/cell.h>\n");
	source_enum(source, "color", "RED = 0, GREEN = 1, BLUE = 5");
	source_enum(source, "", "LIGHT, DARK");
	source_typedef(source, "enum", "shade");
	source_struct(source, "A place.", "cell::message", "point", "int32_t x; int32_t y;");
	source_struct(source, "", "cell::message", "corner", "struct point at; const char *name;");
	source_struct(source, "", "cell::message", "pair", "const char *key; uint32_t value;");
	source_struct(source, "Everything \"there\" is?\nReally.", "cell::message", "all",
		      "// below zero\nint32_t i32; uint32_t u32; int64_t i64; uint64_t u64; bool flag;"
		      "float f; double d; enum color color; const char *text;"
		      "bool has_age; uint32_t age; size_t n_data; const uint8_t *data;"
		      "char code[3]; uint8_t id[16]; struct point at; const struct point *maybe;"
		      "size_t n_points; const struct point *points;"
		      "size_t n_counts; const int32_t *counts;"
		      "size_t n_colors; const enum color *colors;"
		      "size_t n_names; const char *const *names;"
		      "size_t n_blobs; const struct cell_bytes *blobs;"
		      "uint32_t rgb[3]; bool has_title; const char *title;"
		      "size_t n_pairs; [[cell::map]] const struct pair *pairs;"
		      "[[cell::field(40)]] shade shade; bool flags[2]; struct corner corner;");
	return source;
}

static const char *expanded(struct source *source, const char **ret_units)
{
	const char *text = source_expand(source, call, &cell_builtin, &self, ret_units);

	ck_assert_msg(text != NULL, "%s", *ret_units);
	return text;
}

static void write_all(void)
{
	struct source *source = every_kind();
	const char *units, *text;
	char *whole;

	text = expanded(source, &units);
	ck_assert_str_ne(units, ""); /* more than ten fields: a unit of its own */
	ck_assert_int_ge(asprintf(&whole, "%s\n%s", text, program), 0);
	write_file("all.c", whole);
	free(whole);
	ck_assert_int_ge(asprintf(&whole, "#include <cell/cell.h>\n%s", units), 0);
	write_file("unit.c", whole);
	free(whole);
}

static void build(const char *compiler, const char *standard)
{
	const char *top = env_or("CELL_TOP", "."), *o = env_or("CELL_BUILD", "build");

	run("%s -std=%s " FLAGS " -o program all.c unit.c '%s/lib/libcell.a' -lev -lprotobuf-c "
	    "-lsodium -linih -lpthread",
	    compiler, standard, top, top, o, o);
}

START_TEST(every_kind_of_member_is_what_protoc_reads)
{
	const char *compiler = compilers[_i];

	if (!has_compiler(compiler))
		return;
	write_all();
	build(compiler, "gnu2x");
	run("./program");
	run("protoc --descriptor_set_in=set --decode=cell.t.v1.All <all >all.txt && cat all.txt");
	ck_assert_str_eq(output,
			 "i32: -5\nu32: 5\ni64: -6000000000\nu64: 6000000000\nflag: true\nf: 1.5\n"
			 "d: -2.25\ncolor: BLUE\ntext: \"h\\303\\244\"\nage: 0\ndata: \"\\000\\001\\002\"\n"
			 "code: \"EU\"\nid: \"\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000"
			 "\\000\\000\\000\\020\"\nat {\n  x: 3\n  y: 4\n}\nmaybe {\n  x: 7\n  y: 8\n}\n"
			 "points {\n  x: 1\n  y: -1\n}\npoints {\n}\ncounts: -1\ncounts: 0\ncounts: 300\n"
			 "colors: BLUE\ncolors: RED\nnames: \"a\"\nnames: \"\"\nblobs: \"\\000\\001\\002\"\n"
			 "rgb: 1\nrgb: 0\nrgb: 3\ntitle: \"\"\npairs {\n  key: \"\"\n  value: 0\n}\n"
			 "pairs {\n  key: \"k\"\n  value: 5\n}\nflags: true\nflags: false\n"
			 "corner {\n  at {\n    x: 1\n  }\n}\nshade: DARK\n");
	/* And back: protoc's bytes are ours, but for the map, whose entries it writes whole. */
	run("protoc --descriptor_set_in=set --encode=cell.t.v1.All <all.txt >theirs && "
	    "./program theirs && "
	    "protoc --descriptor_set_in=set --decode=cell.t.v1.All <again | cmp - all.txt");
	run("protoc --descriptor_set_in=set --decode=cell.t.v1.All <none");
	ck_assert_str_eq(output, "at {\n}\ncorner {\n  at {\n  }\n}\n");
}
END_TEST

/* The comments of the struct are those of the schema. */
START_TEST(comments_are_in_the_schema)
{
	write_all();
	build("gcc", "gnu17");
	run("./program && protoc --decode=google.protobuf.FileDescriptorSet "
	    "-I /usr/include /usr/include/google/protobuf/descriptor.proto <set | "
	    "grep leading_comments");
	ck_assert_ptr_nonnull(strstr(output, "\" Everything \\\"there\\\" is?\\n Really.\\n\""));
	ck_assert_ptr_nonnull(strstr(output, "\" below zero\\n\""));
	ck_assert_ptr_nonnull(strstr(output, "\" A place.\\n\""));
	ck_assert_ptr_nonnull(strstr(output, "\" The T.\\n\""));
}
END_TEST

static const struct {
	const char *text, *why;
} bad[] = {
	{ "code: \"EURO\"", "All.code: longer than the array it goes to" },
	{ "id: \"abc\"", "All.id: not as long as the array it goes to" },
	{ "rgb: 1 rgb: 2", "All.rgb: not as many values as the array has" },
	{ "rgb: [1, 2, 3, 4]", "All.rgb: not as many values as the array has" },
};

START_TEST(arrays_take_what_they_have_room_for)
{
	write_all();
	build("gcc", "gnu2x");
	run("./program");
	run("printf '%%s' '%s' | protoc --descriptor_set_in=set --encode=cell.t.v1.All >theirs; "
	    "! ./program theirs",
	    bad[_i].text);
	ck_assert_ptr_nonnull(strstr(output, bad[_i].why));
}
END_TEST

START_TEST(array_also_comes_unpacked)
{
	write_all();
	build("gcc", "gnu2x");
	/* field 21, not packed: tag 0xa8 0x01 */
	run("printf '\\250\\001\\001\\250\\001\\002\\250\\001\\003' >theirs && ./program theirs && "
	    "protoc --descriptor_set_in=set --decode=cell.t.v1.All <again");
	ck_assert_ptr_nonnull(strstr(output, "rgb: 1\nrgb: 2\nrgb: 3\n"));
}
END_TEST

START_TEST(prefix_renames_what_is_made)
{
	struct source *source = source_new("t");
	const char *units, *text;
	char *whole;

	source_text(source, "#include <cell/cell.h>\n#include <time.h>\n");
	source_struct(source, "", "cell::message(prefix = \"alarm\", name = \"Alarm\")", "timer",
		      "uint32_t at;");
	text = expanded(source, &units);
	ck_assert_ptr_nonnull(strstr(text, "int alarm_send("));
	ck_assert_ptr_nonnull(strstr(text, "const struct timer *item"));
	ck_assert_ptr_null(strstr(text, "timer_send"));
	ck_assert_int_ge(asprintf(&whole, "%s\nint main(void) { return 0; }\n", text), 0);
	write_file("alarm.c", whole);
	free(whole);
	run("gcc -std=gnu2x " FLAGS " -c alarm.c", env_or("CELL_TOP", "."), env_or("CELL_TOP", "."),
	    env_or("CELL_BUILD", "build"));
}
END_TEST

/* A compiler that lays it out otherwise is told, in words. */
START_TEST(other_layout_does_not_compile)
{
	struct source *source = source_new("t");
	const char *units, *text;

	source_text(source, "#include <cell/cell.h>\n#pragma pack(1)\n");
	source_struct(source, "", "cell::message", "odd", "bool a; uint64_t b;");
	text = expanded(source, &units);
	write_file("odd.c", text);
	run("! gcc -std=gnu2x " FLAGS " -c odd.c", env_or("CELL_TOP", "."), env_or("CELL_TOP", "."),
	    env_or("CELL_BUILD", "build"));
	ck_assert_ptr_nonnull(strstr(output, "struct odd is laid out otherwise than cellc saw it"));
}
END_TEST

static const struct {
	const char *compiler, *text;
} silent[] = {
	{ "gcc -std=gnu2x", NULL },
	{ "clang-14 -std=gnu2x", NULL },
	{ "clang-19 -std=gnu23", NULL },
	{ "gcc -std=c99", "CELL(cell::message)" },
	{ "gcc -std=gnu17", "CELL(cell::message)" },
	{ "clang-14 -std=c99", "CELL(cell::message)" },
	{ "clang-19 -std=c11", "CELL(cell::message)" },
};

/* A plain compiler reads the source as if the attributes were not there. */
START_TEST(attributes_pass_in_silence)
{
	char name[32], text[512];

	(void)sscanf(silent[_i].compiler, "%31s", name);
	if (!has_compiler(name))
		return;
	(void)snprintf(text, sizeof text,
		       "#include <cell/attr.h>\nstruct %s a {\n\t%s int x;\n};\n%s\n"
		       "%s int f(struct a *a);\n",
		       silent[_i].text ? silent[_i].text : "[[cell::message]]",
		       silent[_i].text ? "CELL(cell::field(1))" : "[[cell::field(1)]]",
		       silent[_i].text ? "" : "[[cell::service(\"x\")]];",
		       silent[_i].text ? "CELL(cell::handler(name = \"y\"))"
				       : "[[cell::handler(name = \"y\")]]");
	write_file("silent.c", text);
	run("%s -Wall -Wextra -Wpedantic -Werror -I'%s/core/include' -c silent.c",
	    silent[_i].compiler, env_or("CELL_TOP", "."));
}
END_TEST

START_TEST(equal_requests_give_equal_text)
{
	const char *units, *again;
	const char *a = expanded(every_kind(), &units), *b = expanded(every_kind(), &again);

	ck_assert_str_eq(a, b);
	ck_assert_str_eq(units, again);
}
END_TEST

static void setup(void)
{
	(void)setenv("CELL_RUNDIR", "/nonexistent", 1);
	call = cell_open("macro-test");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
	cell_close(call);
	run("rm -rf '%s'", folder);
}

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *tcase = tcase_create("message");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, every_kind_of_member_is_what_protoc_reads, 0,
			    sizeof compilers / sizeof *compilers);
	tcase_add_test(tcase, comments_are_in_the_schema);
	tcase_add_loop_test(tcase, arrays_take_what_they_have_room_for, 0, sizeof bad / sizeof *bad);
	tcase_add_test(tcase, array_also_comes_unpacked);
	tcase_add_test(tcase, prefix_renames_what_is_made);
	tcase_add_test(tcase, other_layout_does_not_compile);
	tcase_add_loop_test(tcase, attributes_pass_in_silence, 0, sizeof silent / sizeof *silent);
	tcase_add_test(tcase, equal_requests_give_equal_text);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
