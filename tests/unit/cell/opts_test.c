#include <cell/internal/opts.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct options {
	bool follow;
	unsigned loud;
	const char *level;
	uint64_t lines;
	uint64_t since_ns;
	uint64_t size;
	const char *mode;
};

static const struct opts_option options[] = {
	{ 'f', "follow", OPTS_FLAG, offsetof(struct options, follow), .help = "go on" },
	{ 'l', "loud", OPTS_COUNT, offsetof(struct options, loud), .help = "louder" },
	{ 0, "level", OPTS_TEXT, offsetof(struct options, level), .value = "LEVEL",
	  .help = "which" },
	{ 'n', "lines", OPTS_NUMBER, offsetof(struct options, lines), .value = "N",
	  .help = "how many of them, at most, counted from the end of what there is (10)",
	  .min = 1, .max = 1000 },
	{ 0, "since", OPTS_DURATION, offsetof(struct options, since_ns), .value = "AGO",
	  .help = "from" },
	{ 0, "size", OPTS_SIZE, offsetof(struct options, size), .value = "SIZE",
	  .help = "bytes" },
	{ 0, "mode", OPTS_TEXT, offsetof(struct options, mode), .value = "MODE",
	  .help = "how", .choices = "fast|slow" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "which cell", .words = OPTS_CELL },
	{ "METHOD", .is_optional = true, .words = OPTS_METHOD },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell try greeter", "one" },
	{ 0 },
};

static const struct opts_command command = {
	.name = "cell try",
	.summary = "try something",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

static const struct opts_argument put_arguments[] = {
	{ "KEY", .help = "what" },
	{ "VALUE", .repeats = true },
	{ 0 },
};
static const struct opts_command put = {
	.name = "put", .summary = "put it", .options = options, .arguments = put_arguments
};
static const struct opts_command get = { .name = "get", .summary = "get it" };
static const struct opts_command *const commands[] = { &put, &get, NULL };
static const struct opts_command tree = { .name = "cell dht",
					  .summary = "keys",
					  .commands = commands };

static const struct opts_argument turn_arguments[] = {
	{ "WAY", .choices = "left|right" },
	{ "STEP", .choices = "walk|run", .is_optional = true, .repeats = true },
	{ 0 },
};
static const struct opts_command turn = {
	.name = "cell turn", .summary = "turn", .arguments = turn_arguments
};

static struct options got;
static struct opts opts;
static struct cell_error err;

/* Parse the words of LINE, which blanks separate. */
static int parse(const struct opts_command *which, const char *line)
{
	static char words[512];
	static char *argv[32];
	char *save = NULL;
	int argc = 0;

	snprintf(words, sizeof words, "%s", line);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	got = (struct options){ .lines = 10 };
	memset(&err, 0, sizeof err);
	return opts_parse(&opts, which, argc, argv, &got, &err);
}

static void refuses(const struct opts_command *which, const char *line, const char *why)
{
	ck_assert_int_eq(parse(which, line), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, why);
}

START_TEST(takes_options_anywhere)
{
	ck_assert_int_eq(parse(&command,
			       "try -f greeter -n5 --level=warn greet --since 2m -ll"),
			 0);
	ck_assert(got.follow);
	ck_assert_uint_eq(got.lines, 5);
	ck_assert_uint_eq(got.loud, 2);
	ck_assert_str_eq(got.level, "warn");
	ck_assert_uint_eq(got.since_ns, UINT64_C(120000000000));
	ck_assert_uint_eq(opts.n_args, 2);
	ck_assert_str_eq(opts.args[0], "greeter");
	ck_assert_str_eq(opts.args[1], "greet");
	ck_assert_int_eq(parse(&command, "try greeter --size 64M"), 0);
	ck_assert_uint_eq(got.size, 64 << 20);
	ck_assert_uint_eq(got.lines, 10);
}
END_TEST

START_TEST(takes_what_is_common_to_all)
{
	ck_assert_int_eq(parse(&command, "try --json greeter -qv --rundir /x --color never"),
			 0);
	ck_assert(opts.common.json);
	ck_assert_uint_eq(opts.common.quiet, 1);
	ck_assert_uint_eq(opts.common.verbose, 1);
	ck_assert_str_eq(opts.common.rundir, "/x");
	ck_assert_str_eq(opts.common.color, "never");
	ck_assert_int_eq(parse(&command, "try greeter"), 0);
	ck_assert_str_eq(opts.common.color, "auto");
	/* Help is given whatever else is wrong with the line. */
	ck_assert_int_eq(parse(&command, "try --help"), 0);
	ck_assert(opts.common.help);
	refuses(&tree, "dht get --json", "unknown option '--json'");
}
END_TEST

START_TEST(ends_options_at_two_dashes)
{
	ck_assert_int_eq(parse(&command, "try -- -f --level"), 0);
	ck_assert(!got.follow);
	ck_assert_str_eq(opts.args[0], "-f");
	ck_assert_str_eq(opts.args[1], "--level");
	ck_assert_int_eq(parse(&command, "try greeter -"), 0);
	ck_assert_str_eq(opts.args[1], "-");
}
END_TEST

START_TEST(says_which_word_is_wrong)
{
	refuses(&command, "try", "CELL is missing");
	refuses(&command, "try a b c", "one argument too many: 'c'");
	refuses(&command, "try a --folow",
		"unknown option '--folow' (did you mean '--follow'?)");
	refuses(&command, "try a --frobnicate=3", "unknown option '--frobnicate'");
	refuses(&command, "try a --jsn", "unknown option '--jsn' (did you mean '--json'?)");
	refuses(&command, "try a -x", "unknown option '-x'");
	refuses(&command, "try a --follow=yes", "--follow takes no value");
	refuses(&command, "try a --lines", "'--lines' needs a value: N");
	refuses(&command, "try a -n", "'-n' needs a value: N");
	refuses(&command, "try a -n many", "--lines: 'many' is no number");
	refuses(&command, "try a -n -1", "--lines: '-1' is no number");
	refuses(&command, "try a -n 0", "--lines: 0 is not between 1 and 1000");
	refuses(&command, "try a -n 99999999999999999999999",
		"--lines: 99999999999999999999999 is not between 1 and 1000");
	refuses(&command, "try a --since 5",
		"--since: '5' is no duration, such as 250ms, 10s or 2m");
	refuses(&command, "try a --size big",
		"--size: 'big' is no size, such as 512, 64M or 1G");
	refuses(&command, "try a --mode fats", "--mode: 'fats' (did you mean 'fast'?)");
	refuses(&command, "try a --mode x", "--mode: 'x' is none of fast|slow");
	refuses(&turn, "turn lfet", "WAY: 'lfet' (did you mean 'left'?)");
	refuses(&turn, "turn left walk up", "STEP: 'up' is none of walk|run");
	refuses(&turn, "turn", "WAY is missing");
}
END_TEST

START_TEST(chooses_commands_of_a_command)
{
	ck_assert_int_eq(parse(&tree, "dht -v put -n 3 k v w"), 0);
	ck_assert_ptr_eq(opts.command, &put);
	ck_assert_ptr_eq(opts.parent, &tree);
	ck_assert_uint_eq(got.lines, 3);
	ck_assert_uint_eq(opts.common.verbose, 1);
	ck_assert_uint_eq(opts.n_args, 3);
	refuses(&tree, "dht", "which command?");
	refuses(&tree, "dht ptu", "unknown command 'ptu' (did you mean 'put'?)");
	refuses(&tree, "dht frobnicate", "unknown command 'frobnicate': there are put, get");
	refuses(&tree, "dht put k", "VALUE is missing");
	ck_assert_int_eq(parse(&tree, "dht --help"), 0);
	ck_assert_ptr_eq(opts.command, &tree);
	ck_assert_int_eq(parse(&tree, "dht put --help"), 0);
	ck_assert_ptr_eq(opts.command, &put);
}
END_TEST

static char *help_of(const struct opts_command *parent, const struct opts_command *which)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	opts_help(file, parent, which);
	fclose(file);
	return text;
}

START_TEST(help_has_examples_first_and_eighty_columns)
{
	char *text = help_of(NULL, &command), *save = NULL;

	ck_assert_ptr_nonnull(strstr(text, "cell try [OPTION]... CELL [METHOD]"));
	ck_assert_ptr_nonnull(strstr(text, "  -n, --lines N"));
	ck_assert_ptr_nonnull(strstr(text, "      --json"));
	ck_assert(strstr(text, "Examples:") < strstr(text, "Usage:"));
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		ck_assert_msg(strlen(line) <= OPTS_WIDTH, "%s", line);
	free(text);
	text = help_of(&tree, &put);
	ck_assert_ptr_nonnull(strstr(text, "cell dht put [OPTION]... KEY VALUE..."));
	free(text);
	text = help_of(NULL, &tree);
	ck_assert_ptr_nonnull(strstr(text, "  put "));
	free(text);
}
END_TEST

static void offer(void *userdata, enum opts_words words, char **args, size_t n_args,
		  FILE *file)
{
	(void)userdata;
	fprintf(file, "<%d:%zu:%s>\n", (int)words, n_args, n_args ? args[n_args - 1] : "");
}

static void completes(const struct opts_command *which, const char *line, const char *wanted)
{
	char words[256], *list[16], *text = NULL, *at = words;
	size_t n = 0, size;
	FILE *file = open_memstream(&text, &size);

	/* A blank at the end begins a new word. */
	snprintf(words, sizeof words, "%s", line);
	for (char *w; (w = strsep(&at, " "));)
		list[n++] = w;
	opts_complete(file, which, list, n, offer, NULL);
	fclose(file);
	ck_assert_msg(strstr(text, wanted) || !*wanted, "'%s' gives %s", line, text);
	if (!*wanted)
		ck_assert_str_eq(text, "");
	free(text);
}

START_TEST(completes_by_the_same_table)
{
	char cell[32], method[32];

	snprintf(cell, sizeof cell, "<%d:0:>", OPTS_CELL);
	snprintf(method, sizeof method, "<%d:1:greeter>", OPTS_METHOD);
	completes(&command, "", cell);
	completes(&command, "gre", cell);
	completes(&command, "-f ", cell);
	completes(&command, "-n 5 ", cell);
	completes(&command, "greeter ", method);
	completes(&command, "greeter --level x ", method);
	completes(&command, "greeter greet ", "");
	completes(&command, "-", "--follow\tgo on\n");
	completes(&command, "greeter --j", "--json\t");
	completes(&command, "--mode ", "fast\nslow\n");
	completes(&tree, "", "put\tput it\n");
	completes(&tree, "put -", "--lines\t");
	completes(&tree, "frob ", "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cell/opts");
	TCase *tc = tcase_create("opts");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, takes_options_anywhere);
	tcase_add_test(tc, takes_what_is_common_to_all);
	tcase_add_test(tc, ends_options_at_two_dashes);
	tcase_add_test(tc, says_which_word_is_wrong);
	tcase_add_test(tc, chooses_commands_of_a_command);
	tcase_add_test(tc, help_has_examples_first_and_eighty_columns);
	tcase_add_test(tc, completes_by_the_same_table);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
