#include "cellc/note.h"

#include "cellc/depfile.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct cell_arena arena;
static struct cell_error err;
static char folder[] = "/tmp/cell-note.XXXXXX";

static struct note notes[8];
static char *kept[8];
static size_t n_notes;
static char members[256];

static void setup(void)
{
	cell_arena_init(&arena, 0);
	memset(&err, 0, sizeof err);
	n_notes = 0;
	members[0] = '\0';
	memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
	char command[128];

	ck_assert_int_eq(chdir("/"), 0);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
	cell_arena_deinit(&arena);
}

static int on_note(void *userdata, const struct note *note)
{
	(void)userdata;
	ck_assert_uint_lt(n_notes, 8);
	notes[n_notes] = *note;
	kept[n_notes] = cell_arena_printf(&arena, "%d|%s|%s|%s|%s", note->kind, note->name,
					  note->source, note->words, note->text);
	n_notes++;
	return 0;
}

static int on_object(void *userdata, const char *member, const uint8_t *bytes, size_t len)
{
	(void)userdata;
	(void)strncat(members, member, sizeof members - strlen(members) - 2);
	(void)strcat(members, ";");
	return note_read_object(bytes, len, on_note, NULL, &err);
}

static const uint8_t *slurp(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "r");
	uint8_t *bytes = cell_arena_alloc(&arena, 1 << 20);

	ck_assert_ptr_nonnull(file);
	*ret_len = fread(bytes, 1, 1 << 20, file);
	(void)fclose(file);
	return bytes;
}

static const struct note samples[] = {
	{ .kind = NOTE_LAYOUT,
	  .name = "struct account",
	  .source = "b.c",
	  .words = "",
	  .text = "",
	  .digest = { 1, 2, 255 } },
	{ .kind = NOTE_UNIT,
	  .name = "buffer",
	  .source = "b.c",
	  .words = "-O2\n-DX=\"y\"\n",
	  .text = "int x; /* \\ \" % ? \t \303\244 */\nconst char *long_enough = "
		  "\"0123456789012345678901234567890123456789\";\n" },
	{ .kind = NOTE_LINK, .name = "-lm", .source = "b.c", .words = "", .text = "" },
};

static void compile(const char *command)
{
	FILE *file = fopen("b.c", "w");

	ck_assert_ptr_nonnull(file);
	(void)fputs("int b;", file);
	(void)fputs(note_source(samples, 3, &arena), file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void samples_are_read(void)
{
	ck_assert_uint_eq(n_notes, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct note *note = &samples[i];

		ck_assert_str_eq(kept[i],
				 cell_arena_printf(&arena, "%d|%s|%s|%s|%s", note->kind,
						   note->name, note->source, note->words,
						   note->text));
		ck_assert_mem_eq(notes[i].digest, note->digest, NOTE_DIGEST_SIZE);
	}
}

static const char *const commands[] = {
	"gcc -std=gnu2x -Wall -Wextra -Werror -c b.c",
	"gcc -std=c99 -O2 -g -m32 -Wall -Werror -c b.c",
	"gcc -fpreprocessed -fdirectives-only -Wall -Wpedantic -Werror -c b.c",
	"clang-14 -std=gnu2x -Wall -Wextra -Wpedantic -Werror -c b.c",
	"clang-19 -std=gnu2x -Wall -Wextra -Werror -c b.c",
	"clang-19 -target aarch64-linux-gnu -c b.c",
	"clang-19 -target powerpc64-linux-gnu -c b.c",
	"clang-19 -target mips-linux-gnu -c b.c",
};

START_TEST(comes_back_out_of_an_object)
{
	const uint8_t *bytes;
	size_t len;

	compile(commands[_i]);
	bytes = slurp("b.o", &len);
	ck_assert_msg(note_read_object(bytes, len, on_note, NULL, &err) == 0, "%s", err.text);
	samples_are_read();
}
END_TEST

START_TEST(keeps_layouts_and_drops_units_in_a_program)
{
	const uint8_t *bytes;
	size_t len;

	compile("gcc -shared -fPIC -o b.so b.c");
	bytes = slurp("b.so", &len);
	ck_assert_int_eq(note_read_object(bytes, len, on_note, NULL, &err), 0);
	ck_assert_uint_eq(n_notes, 1);
	ck_assert_str_eq(kept[0], "1|struct account|b.c||");
}
END_TEST

START_TEST(keeps_both_in_what_is_linked_again)
{
	const uint8_t *bytes;
	size_t len;

	compile("gcc -c b.c && ld -r -o r.o b.o");
	bytes = slurp("r.o", &len);
	ck_assert_int_eq(note_read_object(bytes, len, on_note, NULL, &err), 0);
	samples_are_read();
}
END_TEST

START_TEST(is_found_in_archives)
{
	const uint8_t *bytes;
	size_t len;

	compile("echo odd >x && gcc -c b.c && cp b.o a-name-of-more-than-sixteen-bytes.o && "
		"ar rcs b.a x a-name-of-more-than-sixteen-bytes.o b.o");
	bytes = slurp("b.a", &len);
	ck_assert(note_is_archive(bytes, len));
	ck_assert_int_eq(note_each_object(bytes, len, on_object, NULL), 0);
	ck_assert_uint_eq(n_notes, 6);
	ck_assert_str_eq(members, "x;a-name-of-more-than-sixteen-bytes.o;b.o;");
	ck_assert(!note_is_archive((const uint8_t *)"!<thin>\n", 8));
}
END_TEST

START_TEST(is_none_in_other_files)
{
	ck_assert_int_eq(note_read_object((const uint8_t *)"", 0, on_note, NULL, &err), 0);
	ck_assert_int_eq(note_read_object((const uint8_t *)"GROUP ( x )", 11, on_note, NULL,
					  &err),
			 0);
	ck_assert_str_eq(note_source(NULL, 0, &arena), "");
	ck_assert_uint_eq(n_notes, 0);
}
END_TEST

START_TEST(survives_every_cut_and_flip)
{
	const uint8_t *bytes;
	uint8_t *copy;
	size_t len;

	compile("gcc -c b.c");
	bytes = slurp("b.o", &len);
	for (size_t n = 0; n < len; n++) {
		/* Of that length exactly, so that a sanitizer sees a read behind it. */
		copy = malloc(n ? n : 1);
		memcpy(copy, bytes, n);
		n_notes = 0;
		(void)note_read_object(copy, n, on_note, NULL, &err);
		free(copy);
	}
	copy = malloc(len);
	for (size_t i = 0; i < len; i++) {
		memcpy(copy, bytes, len);
		copy[i] ^= 0xff;
		n_notes = 0;
		(void)note_read_object(copy, len, on_note, NULL, &err);
	}
	free(copy);
}
END_TEST

START_TEST(refuses_notes_that_make_no_sense)
{
	static const uint8_t longer[] = { 5, 0, 0,   0,   99,  0,   0, 0, 1, 0,
					  0, 0, 'C', 'e', 'l', 'l', 0, 0, 0, 0 };
	static const uint8_t empty[] = { 5, 0, 0,   0,   0,   0,   0, 0, 1, 0,
					 0, 0, 'C', 'e', 'l', 'l', 0, 0, 0, 0 };
	static const uint8_t others[] = { 4, 0, 0,   0,   4,   0, 0, 0, 1, 0,
					  0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 4 };

	ck_assert_int_eq(note_read(longer, sizeof longer, false, on_note, NULL, &err),
			 -EPROTO);
	ck_assert_str_eq(err.text, "a note is longer than its section");
	ck_assert_int_eq(note_read(empty, sizeof empty, false, on_note, NULL, &err), -EPROTO);
	ck_assert_str_eq(err.text, "a note of kind 1 makes no sense");
	ck_assert_int_eq(note_read(others, sizeof others, false, on_note, NULL, &err), 0);
	ck_assert_uint_eq(n_notes, 0);
}
END_TEST

static const struct {
	const char *rules;
	const char *result;
} rules[] = {
	{ "b.o: b.c\n",
	  "b.o: b.c \\\n .cell/a \\\n my\\ $$dir/b\n.cell/a:\nmy\\ $$dir/b:\n" },
	{ "b.o: b.c \\\n b.h\n\nb.h:\n",
	  "b.o: b.c \\\n b.h \\\n .cell/a \\\n my\\ $$dir/b\n\nb.h:\n.cell/a:\nmy\\ $$dir/b:\n" },
	{ "b.o: b.c", "b.o: b.c \\\n .cell/a \\\n my\\ $$dir/b\n.cell/a:\nmy\\ $$dir/b:\n" },
};

START_TEST(puts_files_into_the_first_rule)
{
	static const char *const files[] = { ".cell/a", "my $dir/b" };

	ck_assert_str_eq(depfile_append(rules[_i].rules, strlen(rules[_i].rules), files, 2,
					&arena),
			 rules[_i].result);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("note");
	TCase *t = tcase_create("note");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, comes_back_out_of_an_object, 0,
			    sizeof commands / sizeof *commands);
	tcase_add_test(t, keeps_layouts_and_drops_units_in_a_program);
	tcase_add_test(t, keeps_both_in_what_is_linked_again);
	tcase_add_test(t, is_found_in_archives);
	tcase_add_test(t, is_none_in_other_files);
	tcase_add_test(t, survives_every_cut_and_flip);
	tcase_add_test(t, refuses_notes_that_make_no_sense);
	tcase_add_loop_test(t, puts_files_into_the_first_rule, 0,
			    sizeof rules / sizeof *rules);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
